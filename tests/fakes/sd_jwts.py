"""SD-JWTs with fixed keys, well-made and ill-made: also what no honest library would write."""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from crypto.entropy import RandomBytes
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.jose.jws import Signer
from crypto.sdjwt import issue, key_binding, present, sd_jwt, verify
from crypto.sdjwt.verify import VerifiedClaims

NOW = UnixSeconds(1_790_000_000)
NONCE = "n-0S6_WzA2MjrYGqUH4mLwPp"
AUDIENCE = "x509_san_dns:library.example"
HEADER = {"alg": "ES256", "typ": "dc+sd-jwt"}


def stream(seed: str) -> RandomBytes:
    """Lend bytes that are the same in every run."""
    state = hashlib.sha256(seed.encode()).digest()

    def random_bytes(count: int) -> bytes:
        nonlocal state
        taken = b""
        while len(taken) < count:
            state = hashlib.sha256(state).digest()
            taken += hashlib.sha256(b"out" + state).digest()
        return taken[:count]

    return random_bytes


ISSUER = jwk.generate(random_bytes=stream("issuer"))
HOLDER = jwk.generate(random_bytes=stream("holder"))
STRANGER = jwk.generate(random_bytes=stream("stranger"))
ISSUER_KEY = ISSUER.public_key()
CNF = {"jwk": jwk.public_jwk(HOLDER.public_key())}

CLAIMS: dict[str, Any] = {
    "iss": "https://issuer.example",
    "vct": "https://issuer.example/vct/resident/1",
    "nbf": 1_789_000_000,
    "exp": 1_792_000_000,
    "status": {"status_list": {"idx": 7, "uri": "https://issuer.example/v1/status/resident/1"}},
    "given_name": "Ada",
    "family_name": "Example",
    "resident": True,
    "age_over_18": True,
    "gender": None,
    "address": {"locality": "Springfield", "postal_code": "00001"},
    "languages": ["en", "es", "ht"],
}
FRAME = issue.Frame(
    disclosable=frozenset(
        {
            ("given_name",),
            ("family_name",),
            ("resident",),
            ("age_over_18",),
            ("gender",),
            ("address", "locality"),
            ("address", "postal_code"),
            ("languages",),
            ("languages", 0),
            ("languages", 2),
        }
    )
)


def credential(
    claims: dict[str, Any] | None = None, frame: issue.Frame = FRAME, *, seed: str = "salts"
) -> str:
    """Issue as the city does."""
    return issue.issue(
        header={**HEADER},
        claims=CLAIMS if claims is None else claims,
        frame=frame,
        holder=HOLDER.public_key(),
        signer=jws.es256_signer(ISSUER),
        random_bytes=stream(seed),
    )


def show(text: str, *paths: tuple[str | int, ...]) -> str:
    """Choose claims as a wallet does."""
    parsed = sd_jwt.parse(text)
    assert isinstance(parsed, sd_jwt.SdJwt)
    return present.present(parsed, paths=paths)


def bind(text: str) -> str:
    """Answer the verifier's question as a wallet does."""
    return key_binding.sign(
        text, nonce=NONCE, audience=AUDIENCE, now=NOW, signer=jws.es256_signer(HOLDER)
    )


def presentation() -> str:
    """Show two claims as a wallet does."""
    return bind(show(credential(), ("resident",), ("given_name",)))


def check(text: str) -> VerifiedClaims:
    """Check as our verifier does."""
    return verify.verify(
        sd_jwt.parse(text), issuer_key=ISSUER_KEY, audience=AUDIENCE, nonce=NONCE, now=NOW
    )


def b64(data: bytes | str) -> str:
    """Write base64url by other means than the code under test."""
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def disclose(*array: object) -> str:
    """Write a disclosure of any number of elements, with spaces, as other issuers do."""
    return b64(json.dumps(array))


def digest(text: str) -> str:
    """Hash a disclosure by other means than the code under test."""
    return b64(hashlib.sha256(text.encode()).digest())


def token(
    header: dict[str, Any] | bytes | str,
    payload: dict[str, Any] | bytes | str,
    signer: Signer | None = None,
) -> str:
    """Sign any bytes as a JWT: `header` and `payload` may be ill-made."""
    parts = [
        b64(json.dumps(part) if isinstance(part, dict) else part) for part in (header, payload)
    ]
    signing_input = ".".join(parts)
    signature = (signer or jws.es256_signer(ISSUER))(signing_input.encode())
    return f"{signing_input}.{b64(signature)}"


def issued(
    payload: dict[str, Any] | bytes | str,
    disclosures: Iterable[str] = (),
    header: dict[str, Any] | bytes | str | None = None,
) -> str:
    """Sign any payload with the issuer's key; a dict gets `cnf`, so that it can be bound."""
    if isinstance(payload, dict):
        payload = {"cnf": CNF, **payload}
    return "~".join([token(HEADER if header is None else header, payload), *disclosures, ""])


def bound(
    payload: dict[str, Any] | bytes | str,
    disclosures: Iterable[str] = (),
    header: dict[str, Any] | bytes | str | None = None,
) -> str:
    """Sign any payload, and add an honest answer by its holder."""
    return bind(issued(payload, disclosures, header))


def answered(
    text: str,
    changes: dict[str, Any] | None = None,
    *,
    header: dict[str, Any] | None = None,
    without: str = "",
    signer: Signer | None = None,
) -> str:
    """Add an answer that departs from an honest one by `changes`."""
    claims = {"iat": NOW, "aud": AUDIENCE, "nonce": NONCE, "sd_hash": digest(text)}
    claims |= changes or {}
    claims.pop(without, None)
    head = {"alg": "ES256", "typ": "kb+jwt"} if header is None else header
    return text + token(head, claims, signer or jws.es256_signer(HOLDER))
