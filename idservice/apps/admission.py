"""A verifier's folder, and its admission by a city: a certificate, and policies in the bundle.

DESIGN, section 4 (roads 4 and 5): verifiers run their own verifier and make their own key; the
city sees a request and never a key. One verifier is one certificate. Whether somebody may ask
what they wish to ask is the city's decision, made before `admit` is called and later by the
register; here only `policy.parse` stands in the way.
"""

import hashlib
import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError
from crypto.jose import jwk
from crypto.x509 import issue, request
from crypto.x509.profile import Names, Role
from crypto.x509.request import Request
from idservice import catalogue, period
from idservice.apps import city_folder, founding, key_files, settings
from idservice.apps.city_folder import Draft, Root
from idservice.apps.founding import Chances
from idservice.apps.settings import UnusableSettings, Verifier
from idservice.issuer import metadata
from idservice.verification import policy
from idservice.verification.policy import Policy
from idservice.verification.trust import TrustBundle

CERTIFICATE_DAYS: Final = 2 * 365
LONGEST_NAME: Final = 64
REQUEST: Final = "verifier.csr"
CERTIFICATE: Final = "verifier.crt"

_API_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What a verifier is given by the city; all of it is public."""

    certificate: x509.Certificate
    client_ids: tuple[str, ...]
    policies: tuple[Policy, ...]
    bundle: TrustBundle


def found_verifier(folder: Path, wished: Verifier, *, chances: Chances) -> str:
    """Make a verifier's folder with key, certificate request and one API key.

    Args:
        folder: new, or empty.
        wished: as it will stand in `verifier.json`, without API keys.
        chances: time and chance.

    Returns:
        The API key, which is kept as a hash only.

    Raises:
        UnusableSettings: there is something in the folder, or the address or name may not be.
    """
    settings.check_base_url(wished.base_url)
    names = _names(wished)
    if not 1 <= len(wished.name) <= LONGEST_NAME:
        raise UnusableSettings(f"a verifier has a name of at most {LONGEST_NAME} characters")
    api_key = base64url.encode(chances.random_bytes(_API_KEY_LENGTH))
    hashed = hashlib.sha256(api_key.encode()).hexdigest()
    told = wished.model_copy(update={"api_keys": [hashed]})
    key = jwk.generate(random_bytes=chances.random_bytes)
    with city_folder.new(folder) as unfinished:
        key_files.create_key(unfinished / "verifier.key", key)
        asked = request.make(key=key, common_name=wished.name, names=names)
        key_files.publish(unfinished / REQUEST, asked)
        (unfinished / "status").mkdir(mode=0o700)
        content = canonical_json.serialize(told.model_dump())
        key_files.publish(unfinished / "verifier.json", content + b"\n")
    return api_key


def admit(
    folder: Path,
    *,
    asked: bytes,
    wishes: Sequence[bytes],
    replace: bool,
    chances: Chances,
) -> Admitted:
    """Give a verifier its certificate, and put its policies into the next bundle.

    Args:
        folder: the city's.
        asked: the certificate request.
        wishes: policies as JSON; `vct` and `formats` may be left out, `client_ids` is filled in.
        replace: take the place of policies with the same id.
        chances: time and chance.

    Raises:
        UnusableSettings: the request or a policy is refused, or an id is taken.
    """
    with city_folder.alone(folder) as city:
        before, root = city_folder.current_bundle(folder), city_folder.read_root(folder)
        certificate = _certify(_parse_request(asked), root, chances)
        client_ids = _client_ids(certificate)
        new = [_policy(wish, client_ids, metadata.vct(city.issuer)) for wish in wishes]
        if any(each.expires < period.day(chances.now) for each in new):
            raise UnusableSettings("a policy has ended before it begins")
        draft = Draft(
            city=city,
            root=root,
            version=before.version + 1,
            announced=before.announced,
            announced_bbs=before.announced_bbs,
            policies=_joined(before.policies.values(), new, replace=replace),
        )
        bundle = city_folder.publish(folder, draft, now=chances.now)
    return Admitted(
        certificate=certificate, client_ids=client_ids, policies=tuple(new), bundle=bundle
    )


def hand_over(folder: Path, admitted: Admitted, *, bundle: bytes) -> None:
    """Write certificate and bundle into a verifier's folder."""
    pem = admitted.certificate.public_bytes(Encoding.PEM)
    key_files.publish(folder / CERTIFICATE, pem)
    key_files.publish(folder / "bundle.json", bundle)


def _names(wished: Verifier) -> Names:
    host = urlsplit(wished.base_url).hostname or ""
    dns_names = () if _is_ip_address(host) else (host,)
    if wished.client_id_prefix == "x509_san_dns" and not dns_names:
        raise UnusableSettings("x509_san_dns needs a base address with a DNS name")
    try:
        return Names(uris=(wished.base_url,), dns_names=dns_names)
    except CryptoError as error:
        raise UnusableSettings(f"the base address cannot be certified: {error}") from error


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _parse_request(pem: bytes) -> Request:
    try:
        return request.parse(pem)
    except CryptoError as error:
        raise UnusableSettings(f"the request is refused: {error}") from error


def _certify(asked: Request, root: Root, chances: Chances) -> x509.Certificate:
    if not (asked.names.uris or asked.names.dns_names):
        raise UnusableSettings("the request names nobody")
    try:
        policy.sentence(asked.common_name, longest=LONGEST_NAME)
    except CryptoError as error:
        raise UnusableSettings("the request has a name that cannot be shown") from error
    return issue.leaf_certificate(
        role=Role.VERIFIER,
        public_key=asked.public_key,
        authority=root.authority,
        common_name=asked.common_name,
        names=asked.names,
        validity=founding.lasting(root, chances.now, CERTIFICATE_DAYS),
        serial=founding.serial(chances.random_bytes),
    )


def _client_ids(certificate: x509.Certificate) -> tuple[str, ...]:
    """Name the verifier as OpenID4VP does (1.0, section 5.9.3)."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    dns_names = Names.of(alternative.value).dns_names
    return (
        f"x509_hash:{base64url.encode(digest)}",
        *(f"x509_san_dns:{name}" for name in dns_names),
    )


def _policy(wish: bytes, client_ids: Sequence[str], vct: str) -> Policy:
    known: list[JsonValue] = [*client_ids]
    supplied: JsonObject = {"vct": vct, "formats": [catalogue.FORMAT]}
    try:
        wished = members.any_object(canonical_json.parse(wish))
        return policy.parse({**supplied, **wished, "client_ids": known})
    except CryptoError as error:
        raise UnusableSettings(f"a policy is refused: {error}") from error


def _joined(
    before: Collection[Policy], new: Sequence[Policy], *, replace: bool
) -> tuple[Policy, ...]:
    ids = {each.id for each in new}
    if len(ids) != len(new):
        raise UnusableSettings("two policies have the same id")
    kept = [each for each in before if each.id not in ids]
    if not replace and len(kept) != len(before):
        raise UnusableSettings("a policy with this id is in force; --replace takes its place")
    return (*kept, *new)
