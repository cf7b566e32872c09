"""Which addresses the issuer has, and what it says it can issue.

OpenID4VCI 1.0, section 12.2: credential issuer metadata, plain and signed; RFC 8414 for the
token endpoint. Every address must lie under the issuer that the pinned trust bundle names, so
neither an offer nor metadata can send the holder's secrets elsewhere. Display texts, logos and
everything else that could make the wallet fetch more are not read.
"""

import urllib.parse
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.x509 import chain, x5c
from crypto.x509.profile import Role
from idservice import catalogue
from idservice.wallet.model import FORMAT_OF, Declined, Request, Response

SIGNED_TYP: Final = "openidvci-issuer-metadata+jwt"

_JSON = "application/json"
_JWT = "application/jwt"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What the wallet uses of the issuer's metadata."""

    credential_endpoint: str
    nonce_endpoint: str
    batch: int | None
    """Instances that it issues at once, where it says so."""
    formats: dict[str, str]
    """Configuration to format."""

    def check(self, configuration: str) -> None:
        """Make sure that a configuration is issued as this wallet keeps it.

        Raises:
            Declined: in another format or not at all, or by fewer instances than a batch has.
        """
        if self.formats.get(configuration) != FORMAT_OF[configuration]:
            raise Declined("The issuer does not issue the resident card in this format.")
        batched = configuration == catalogue.CONFIGURATION
        if batched and (self.batch is None or self.batch < catalogue.BATCH):
            raise Declined(f"The issuer does not issue {catalogue.BATCH} instances at once.")


def metadata_request(issuer: str) -> Request:
    """Ask for the credential issuer metadata, signed if there is such (12.2.2)."""
    return Request(
        method="GET",
        url=well_known(issuer, "openid-credential-issuer"),
        headers={"Accept": f"{_JWT}, {_JSON};q=0.5"},
    )


def server_request(issuer: str) -> Request:
    """Ask for the authorization server metadata (RFC 8414, section 3.1)."""
    return Request(
        method="GET",
        url=well_known(issuer, "oauth-authorization-server"),
        headers={"Accept": _JSON},
    )


def parse_metadata(
    response: Response, *, issuer: str, root: x509.Certificate, now: UnixSeconds
) -> Metadata:
    """Read plain or signed metadata (12.2.3, 12.2.4).

    Args:
        response: of the issuer's well-known address.
        issuer: the bundle's.
        root: the pinned city root, to which the key of signed metadata must lead.
        now: compared with the certificates.

    Raises:
        Malformed: not metadata.
        Declined: of another issuer, or with an address elsewhere.
        Refused: signed, and the signature leads to no trusted key.
    """
    content = _content(response, issuer=issuer, root=root, now=now)
    if content.get("credential_issuer") != issuer:
        raise Declined("The metadata belongs to another issuer.")
    servers = content.get("authorization_servers", [issuer])
    if servers != [issuer]:
        raise Declined("The issuer names a foreign authorization server.")
    return Metadata(
        credential_endpoint=_endpoint(content, "credential_endpoint", issuer),
        nonce_endpoint=_endpoint(content, "nonce_endpoint", issuer),
        batch=_batch(content),
        formats=_formats(content),
    )


def parse_server(response: Response, *, issuer: str) -> str:
    """Return the token endpoint (RFC 8414, sections 3.2 and 3.3)."""
    if response.status != _OK or response.media_type != _JSON:
        raise Malformed("no authorization server metadata")
    content = canonical_json.parse_object(response.body)
    if content.get("issuer") != issuer:
        raise Declined("The authorization server metadata belongs to another issuer.")
    return _endpoint(content, "token_endpoint", issuer)


def well_known(issuer: str, name: str) -> str:
    """Return where an issuer's metadata lies: the path comes after the name (12.2.2)."""
    parts = urllib.parse.urlsplit(issuer)
    path = f"/.well-known/{name}{parts.path.rstrip('/')}"
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def is_under(address: str, issuer: str) -> bool:
    """Say whether an address has the issuer's scheme, host and port, and nothing odd in it."""
    try:
        here, there = urllib.parse.urlsplit(address), urllib.parse.urlsplit(issuer)
    except ValueError:
        return False
    same = (here.scheme, here.netloc) == (there.scheme, there.netloc)
    return same and bool(here.netloc) and "@" not in here.netloc and not here.fragment


def _content(
    response: Response, *, issuer: str, root: x509.Certificate, now: UnixSeconds
) -> JsonObject:
    if response.status != _OK:
        raise Malformed("no credential issuer metadata")
    if response.media_type == _JSON:
        return canonical_json.parse_object(response.body)
    if response.media_type != _JWT:
        raise Malformed("metadata of another media type (OpenID4VCI, 12.2.2)")
    signed = jws.parse(response.body.decode("ascii", errors="replace"))
    jws.check_header(signed.header, algorithm="ES256", typ=SIGNED_TYP)
    leaf = chain.verify(
        x5c.decode(signed.header.get("x5c")), root=root, role=Role.METADATA, now=now
    )
    jws.verify_signature(signed, key=leaf.public_key)
    content = canonical_json.parse_object(signed.payload)
    if leaf.uris != (issuer,) or content.get("sub") != issuer:
        raise Declined("The signed metadata belongs to another issuer.")
    return content


def _endpoint(content: JsonObject, name: str, issuer: str) -> str:
    address = content.get(name)
    if not isinstance(address, str):
        raise Malformed("an endpoint is missing in the metadata")
    if not is_under(address, issuer):
        raise Declined("The metadata names an address outside the issuer.")
    return address


def _batch(content: JsonObject) -> int | None:
    batch = content.get("batch_credential_issuance")
    size = batch.get("batch_size") if isinstance(batch, dict) else None
    return size if isinstance(size, int) and not isinstance(size, bool) else None


def _formats(content: JsonObject) -> dict[str, str]:
    supported = content.get("credential_configurations_supported")
    if not isinstance(supported, dict):
        raise Malformed("the metadata names no configurations (OpenID4VCI, 12.2.4)")
    formats: dict[str, str] = {}
    for name, described in supported.items():
        kind = described.get("format") if isinstance(described, dict) else None
        if isinstance(kind, str):
            formats[name] = kind
    return formats
