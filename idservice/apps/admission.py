"""A verifier's folder, and its admission by a city: a certificate, and policies in the bundle.

DESIGN, section 4 (roads 4 and 5): verifiers run their own verifier and make their own key; the
city sees a request and never a key. One verifier is one certificate, which by itself lets nobody
ask: whether somebody may ask what they wish to ask is decided in the register, by entry 0 or by
the whole road; here only `policy.parse` stands in the way.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.x509 import chain, issue, request
from crypto.x509.profile import Names, Role
from crypto.x509.request import Request
from idservice import catalogue, period
from idservice.apps import city_folder, founding, key_files, settings
from idservice.apps.city_folder import Root
from idservice.apps.founding import Chances
from idservice.apps.register import board, city_log, publication
from idservice.apps.register.publication import Publisher
from idservice.apps.register.road import Road, Wait
from idservice.apps.settings import City, UnusableSettings, Verifier
from idservice.clock import SetClock
from idservice.issuer import metadata
from idservice.register import change
from idservice.register.change import PolicyChange
from idservice.verification import policy
from idservice.verification.policy import Policy
from idservice.verification.trust import TrustBundle
from idservice.verifier.model import check_redirect_uri

CERTIFICATE_DAYS: Final = 2 * 365
LONGEST_NAME: Final = 64
"""Octets in UTF-8, which is what a certificate holds."""

REQUEST: Final = "verifier.csr"
CERTIFICATE: Final = "verifier.crt"

_API_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What a verifier asks a city for."""

    asked: bytes
    """Its certificate request."""
    wishes: Sequence[bytes]
    """Policies as JSON; `vct` and `formats` may be left out, `client_ids` is filled in."""
    certified: bytes | None = None
    """The certificate that it was given before, in PEM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What a verifier is given by the city; all of it is public."""

    certificate: x509.Certificate
    client_ids: tuple[str, ...]
    policies: tuple[Policy, ...]
    waiting: tuple[Policy, ...]
    """Those among them that nobody has decided on."""
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
        UnusableSettings: there is something in the folder, or the office could not start with
            such an address, name or policy.
    """
    settings.check_base_url(wished.base_url)
    names = _names(wished)
    _check_name(wished.name)
    _check_wishes(wished)
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


def found_city(
    folder: Path,
    city: City,
    joining: Sequence[Joining],
    *,
    residents: int,
    chances: Chances,
    sandbox: bool = False,
) -> Sequence[Admitted]:
    """Found a city in which these verifiers are admitted from the beginning, by entry 0.

    Args:
        folder: new, or empty.
        city: as `founding.found_city`; so are `residents`, `chances` and `sandbox`.
        joining: what each of them asks for.
        residents: how many are expected.
        chances: time and chance.
        sandbox: whether changes wait for seconds only.

    Raises:
        UnusableSettings: a request or a policy is refused, or as `founding.found_city`.
    """
    certified: list[tuple[x509.Certificate, Sequence[Policy]]] = []

    def let_in(root: Root) -> Sequence[Policy]:
        for each in joining:
            certificate = _certify(_parse_request(each.asked), root, chances)
            certified.append(
                (certificate, _policies(each.wishes, certificate, city, now=chances.now))
            )
        together = [policy for _, policies in certified for policy in policies]
        _check_distinct(together)
        return together

    bundle = founding.found_city(
        folder, city, residents=residents, chances=chances, sandbox=sandbox, joining=let_in
    )
    return [
        Admitted(
            certificate=certificate,
            client_ids=_client_ids(certificate),
            policies=tuple(policies),
            waiting=(),
            bundle=bundle,
        )
        for certificate, policies in certified
    ]


def admit(
    folder: Path,
    joining: Joining,
    *,
    replace: bool,
    chances: Chances,
    wait: Wait,
) -> Admitted:
    """Give a verifier its certificate, and publish those of its policies that are in force.

    In a sandbox whose board's keys lie in the folder the policies take the whole road at once;
    anywhere else those that nobody has decided on are returned as waiting, to be proposed.

    Args:
        folder: the city's.
        joining: what the verifier asks for.
        replace: take the place of policies with the same id.
        chances: time and chance.
        wait: lets a sandbox's seconds of notice pass.

    Raises:
        UnusableSettings: the request or a policy is refused, or an id is taken.
    """
    clock = SetClock(chances.now)

    def pass_time(seconds: int) -> None:
        wait(seconds)
        clock.set(UnixSeconds(clock.now() + seconds))

    with city_folder.alone(folder) as city, city_log.opened(folder, clock=clock) as held:
        root, in_force = city_folder.read_root(folder), held.in_force()
        certificate = _certificate(joining, root, chances)
        wished = _policies(joining.wishes, certificate, city, now=chances.now)
        _check_distinct(wished)
        undecided = [each for each in wished if in_force.policies.get(each.id) != each]
        if not replace and any(each.id in in_force.policies for each in undecided):
            raise UnusableSettings("a policy with this id is in force; --replace takes its place")
        seats = board.read(folder) if in_force.sandbox else None
        if seats is not None and undecided:
            road = Road(held=held, board=seats, clock=clock, wait=pass_time)
            road.decide(*(PolicyChange(policy=each) for each in undecided))
        publisher = Publisher(city=city, root=root)
        bundle = publication.publish(folder, held, publisher, now=clock.now()).trust
    return Admitted(
        certificate=certificate,
        client_ids=_client_ids(certificate),
        policies=tuple(wished),
        waiting=() if seats is not None else tuple(undecided),
        bundle=bundle,
    )


def hand_over(folder: Path, admitted: Admitted, *, bundle: bytes) -> None:
    """Write certificate and bundle into a verifier's folder."""
    pem = admitted.certificate.public_bytes(Encoding.PEM)
    key_files.publish(folder / CERTIFICATE, pem)
    key_files.publish(folder / "bundle.json", bundle)


def write_proposals(folder: Path, admitted: Admitted) -> Sequence[Path]:
    """Write each policy that waits as the change that a seat of the board may propose."""
    written = []
    for each in admitted.waiting:
        said = change.write(PolicyChange(policy=each))
        written.append(folder / f"{each.id}.change.json")
        key_files.publish(written[-1], canonical_json.serialize(said) + b"\n")
    return written


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
    _check_name(asked.common_name)
    return issue.leaf_certificate(
        role=Role.VERIFIER,
        public_key=asked.public_key,
        authority=root.authority,
        common_name=asked.common_name,
        names=asked.names,
        validity=founding.lasting(root, chances.now, CERTIFICATE_DAYS),
        serial=founding.serial(chances.random_bytes),
    )


def _check_name(name: str) -> None:
    """Refuse a name that people could not read, or that no certificate could hold."""
    try:
        policy.sentence(name, longest=LONGEST_NAME)
    except CryptoError as error:
        raise UnusableSettings(f"the verifier's name is refused: {error}") from error
    if len(name.encode()) > LONGEST_NAME:
        raise UnusableSettings(f"a verifier has a name of at most {LONGEST_NAME} octets in UTF-8")


def _check_wishes(wished: Verifier) -> None:
    """Refuse what the office would not start with; the parser's own words may quote an address."""
    try:
        for each in wished.redirect_uris:
            check_redirect_uri(each)
    except ValueError as error:
        sentence = "a redirect address begins with https:// and has no fragment"
        raise UnusableSettings(sentence) from error
    try:
        for each in wished.policies:
            policy.parse_id(each)
    except CryptoError as error:
        raise UnusableSettings("a policy's id is of a-z, 0-9 and -, at most 64 of them") from error


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


def _policies(
    wishes: Sequence[bytes], certificate: x509.Certificate, city: City, *, now: UnixSeconds
) -> Sequence[Policy]:
    """Read what a verifier wishes to ask; nothing that has ended already."""
    client_ids, vct = _client_ids(certificate), metadata.vct(city.issuer)
    found = [_policy(wish, client_ids, vct) for wish in wishes]
    if any(each.expires < period.day(now) for each in found):
        raise UnusableSettings("a policy has ended before it begins")
    return found


def _check_distinct(policies: Sequence[Policy]) -> None:
    if len({each.id for each in policies}) != len(policies):
        raise UnusableSettings("two policies have the same id")


def _certificate(joining: Joining, root: Root, chances: Chances) -> x509.Certificate:
    """Certify a verifier, or take what it was certified with before: its policies name that."""
    asked = _parse_request(joining.asked)
    if joining.certified is None:
        return _certify(asked, root, chances)
    try:
        certificate = x509.load_pem_x509_certificate(joining.certified)
        found = chain.verify(
            (certificate.public_bytes(Encoding.DER),),
            root=root.certificate,
            role=Role.VERIFIER,
            now=chances.now,
        )
    except (ValueError, CryptoError) as error:
        raise UnusableSettings(f"the certificate is not this city's: {error}") from error
    if found.public_key != asked.public_key:
        raise UnusableSettings("the certificate is for another key than the request")
    return certificate
