"""What the wallet says to the issuer and understands of its answers, without sending anything.

OpenID4VCI 1.0: offers by value and by reference (4.1), token with pre-authorized code and
transaction code (6), nonce (7), key proofs and credential requests (8, appendix F.1); beside it
renewal, withdrawal and the proof type `bbs_commitment`, which are this project's own. Left out,
because the issuer does not announce them: authorization code, deferred issuing, encryption, DPoP,
notifications. Which addresses the issuer has stands in `issuing/metadata.py`; whether a credential
may be kept in `announced.py` and `receipt/`; what verifiers ask in `question.py`.
"""

import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from idservice.wallet.model import FORMAT_OF, Declined, Request, Response

GRANT: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
PROOF_TYP: Final = "openid4vci-proof+jwt"
CREDENTIAL_RESPONSE_LIMIT: Final = 2 * 1024 * 1024
LONGEST_LINK: Final = 64 * 1024

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_OK = 200
_VSCHARS = re.compile("[ -~]+")
_SENTENCES = {
    "invalid_grant": "The offer is unknown or used up, or the transaction code is wrong."
    " After five wrong codes the clerk must make a new offer.",
    "invalid_nonce": "The issuer did not take the nonce; try again.",
    "invalid_proof": "The issuer did not take the proof of the keys.",
    "credential_request_denied": "The issuer issues nothing: the card is withdrawn, past its"
    " enrolment, or issued for this period already.",
    "busy": "The issuer has too much to do at the moment; try again later.",
    "unavailable": "The issuer cannot answer at the moment; try again later.",
    "invalid_token": "The issuer no longer knows this offer; a new one is needed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer of credentials, as its issuer describes it."""

    issuer: str
    configurations: tuple[str, ...]
    code: str = field(repr=False)
    asks_for_transaction_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the token endpoint gave."""

    access_token: str = field(repr=False)


def parse_link(text: str) -> Offer | str:
    """Read what a QR code says: an offer, or the address where it lies (OpenID4VCI, 4.1).

    Raises:
        Malformed: neither, or both.
    """
    text = text.strip()
    if len(text) > LONGEST_LINK:
        raise Malformed("the offer is too long")
    if text.startswith("{"):
        return parse_offer(_octets(text))
    parameters = _query(text)
    by_value = parameters.get("credential_offer", [])
    by_reference = parameters.get("credential_offer_uri", [])
    if len(by_value) == 1 and not by_reference:
        return parse_offer(_octets(by_value[0]))
    if len(by_reference) == 1 and not by_value:
        return by_reference[0]
    raise Malformed("neither an offer nor the address of one (OpenID4VCI, 4.1)")


def parse_offer(data: bytes) -> Offer:
    """Read an offer with a pre-authorized code (OpenID4VCI, 4.1.1)."""
    offer = canonical_json.parse_object(data)
    grant = _object(_object(offer, "grants"), GRANT)
    configurations = offer.get("credential_configuration_ids")
    if not isinstance(configurations, list) or not configurations:
        raise Malformed("the offer names no configuration (OpenID4VCI, 4.1.1)")
    transaction_code = grant.get("tx_code")
    if transaction_code is not None and not isinstance(transaction_code, dict):
        raise Malformed("tx_code is not an object (OpenID4VCI, 4.1.1)")
    return Offer(
        issuer=text_member(offer, "credential_issuer"),
        configurations=tuple(_text(entry) for entry in configurations),
        code=text_member(grant, "pre-authorized_code"),
        asks_for_transaction_code=transaction_code is not None,
    )


def check_offer(offer: Offer, *, issuer: str) -> str:
    """Make sure that the pinned issuer offers a card that this wallet keeps, and say which."""
    if offer.issuer != issuer:
        raise Declined("The offer comes from another issuer than the pinned bundle's.")
    for configuration in offer.configurations:
        if configuration in FORMAT_OF:
            return configuration
    raise Declined("The offer is for something that this wallet does not keep.")


def offer_request(address: str) -> Request:
    """Ask for the offer that lies at `address` (OpenID4VCI, 4.1.3)."""
    return Request(method="GET", url=address, headers={"Accept": _JSON})


def token_request(endpoint: str, *, code: str, transaction_code: str | None) -> Request:
    """Trade the pre-authorized code for a token (OpenID4VCI, 6.1)."""
    form = {"grant_type": GRANT, "pre-authorized_code": code}
    if transaction_code is not None:
        form["tx_code"] = transaction_code
    return Request(
        method="POST",
        url=endpoint,
        headers={"Content-Type": _FORM, "Accept": _JSON},
        body=urllib.parse.urlencode(form).encode(),
    )


def parse_token(response: Response) -> Token:
    """Read the token response (OpenID4VCI, 6.2)."""
    answer = answered(response)
    if text_member(answer, "token_type").lower() != "bearer":
        raise Malformed("not a bearer token (RFC 6749, 5.1)")
    access_token = text_member(answer, "access_token")
    if not _VSCHARS.fullmatch(access_token):
        raise Malformed("a token has characters that no header carries (RFC 6749, A.12)")
    return Token(access_token=access_token)


def nonce_request(endpoint: str) -> Request:
    """Ask for a nonce (OpenID4VCI, 7.1)."""
    return Request(method="POST", url=endpoint, headers={"Accept": _JSON})


def parse_nonce(response: Response) -> str:
    """Read the nonce (OpenID4VCI, 7.2)."""
    return text_member(answered(response), "c_nonce")


def proof(key: ec.EllipticCurvePrivateKey, *, issuer: str, nonce: str, now: UnixSeconds) -> str:
    """Prove possession of a key (OpenID4VCI, F.1); `iss` is left out, there is no client id."""
    header: JsonObject = {
        "alg": "ES256",
        "typ": PROOF_TYP,
        "jwk": {**jwk.public_jwk(key.public_key())},
    }
    payload: JsonObject = {"aud": issuer, "iat": now, "nonce": nonce}
    return jws.sign(
        header=header,
        payload=canonical_json.serialize(payload),
        signer=jws.es256_signer(key),
    )


def key_proofs(proofs: Sequence[str]) -> JsonObject:
    """Write `proofs` with one proof for each key (OpenID4VCI, 8.2)."""
    return {"jwt": list(proofs)}


def commitment_proof(commitment: bytes) -> JsonObject:
    """Write `proofs` with what a BBS credential is signed over unseen."""
    return {"bbs_commitment": [base64url.encode(commitment)]}


def credential_request(
    endpoint: str, *, access_token: str, configuration: str, proofs: JsonObject
) -> Request:
    """Ask for one instance for each proof (OpenID4VCI, 8.2)."""
    body: JsonObject = {"credential_configuration_id": configuration, "proofs": proofs}
    return Request(
        method="POST",
        url=endpoint,
        headers={
            "Content-Type": _JSON,
            "Accept": _JSON,
            "Authorization": f"Bearer {access_token}",
        },
        body=canonical_json.serialize(body),
        limit=CREDENTIAL_RESPONSE_LIMIT,
    )


def parse_credentials(response: Response, *, count: int) -> tuple[str, ...]:
    """Read the instances, exactly as many as were proved for (OpenID4VCI, 8.3)."""
    credentials = answered(response).get("credentials")
    if not isinstance(credentials, list) or len(credentials) != count:
        instances = "one instance" if count == 1 else f"{count} instances"
        raise Declined(f"The issuer did not send {instances}; nothing is kept.")
    return tuple(text_member(_as_object(entry), "credential") for entry in credentials)


def renewal_request(issuer: str, *, presentation: str) -> Request:
    """Show the kept instance to the issuer and ask for the next period's offer."""
    return _own_request(f"{issuer}/v1/renew", {"presentation": presentation})


def parse_renewal(response: Response) -> Offer:
    """Read the offer that renewal made."""
    answer = answered(response)
    return parse_offer(canonical_json.serialize(_object(answer, "credential_offer")))


def withdrawal_request(issuer: str, *, slip: str) -> Request:
    """Withdraw everything that was ever issued on a slip."""
    return _own_request(f"{issuer}/v1/withdraw", {"slip": slip})


def check_withdrawal(response: Response) -> None:
    """Make sure that the issuer took the slip; it never says whether it knew it."""
    if response.status not in {_OK, 202, 204}:
        raise refused(response)


def answered(response: Response) -> JsonObject:
    """Return the JSON object of a good answer; anything else is a refusal or malformed."""
    if response.status != _OK:
        raise refused(response)
    if response.media_type != _JSON:
        raise Malformed("the answer is not JSON")
    return canonical_json.parse_object(response.body)


def refused(response: Response) -> Declined:
    """Turn an error answer into a sentence; its free text is never repeated."""
    try:
        answer = canonical_json.parse_object(response.body)
    except Malformed:
        answer = {}
    code = answer.get("error", answer.get("code"))
    if isinstance(code, str) and code in _SENTENCES:
        return Declined(_SENTENCES[code])
    return Declined(f"The other side refused with HTTP status {response.status}.")


def text_member(value: JsonObject, name: str) -> str:
    """Return a member that must be a text and not empty."""
    return _text(value.get(name))


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Malformed("the offer is no text (RFC 3629, 3)") from error


def _query(link: str) -> dict[str, list[str]]:
    try:
        return urllib.parse.parse_qs(urllib.parse.urlsplit(link).query, strict_parsing=True)
    except ValueError as error:
        raise Malformed("not a link (RFC 3986)") from error


def _own_request(url: str, body: JsonObject) -> Request:
    return Request(
        method="POST",
        url=url,
        headers={"Content-Type": _JSON, "Accept": _JSON},
        body=canonical_json.serialize(body),
    )


def _text(value: JsonValue) -> str:
    if not isinstance(value, str) or not value:
        raise Malformed("a text is missing")
    return value


def _object(value: JsonObject, name: str) -> JsonObject:
    return _as_object(value.get(name))


def _as_object(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise Malformed("an object is missing")
    return value
