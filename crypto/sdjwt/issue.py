"""Claims and a frame become a signed SD-JWT.

Carries out RFC 9901, sections 4.1, 4.2 and 5.1, and of section 9.3 the salts. What the claims
mean, and that all of one kind look alike, is the service's care. Leaves out hashes other than
SHA-256, and decoys among the elements of arrays.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.jose import jwk, jws
from crypto.jose.jws import Signer
from crypto.sdjwt import disclosure, sd_jwt
from crypto.sdjwt.disclosure import Disclosure, Path

_DECOY_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Which claims can be disclosed one by one, and how many decoys stand beside them.

    A path below another one makes a recursive disclosure (RFC 9901, section 4.2.6).
    """

    disclosable: frozenset[Path]
    decoys: int = 0
    """Further digests in every object that has disclosable members."""

    def __post_init__(self) -> None:
        wrong = any(not path or path[0] in disclosure.ALWAYS_VISIBLE for path in self.disclosable)
        if wrong or self.decoys < 0:
            raise ValueError("a claim that must stay visible, or a number of decoys below zero")


def issue(
    *,
    header: JsonObject,
    claims: JsonObject,
    frame: Frame,
    holder: ec.EllipticCurvePublicKey | None,
    signer: Signer,
    random_bytes: RandomBytes,
) -> str:
    """Hide the claims that `frame` names behind digests, and sign.

    Spec: RFC 9901, sections 4.1 (payload), 4.2 (digests, sorted) and 5.1.

    Args:
        header: of the issuer-signed JWT; `alg` is ES256.
        claims: all claims, in the clear; neither `cnf` nor `_sd_alg` among them.
        frame: what to hide; every path must exist in `claims`.
        holder: goes into `cnf`; None makes a credential that anybody can show.
        signer: asked once.
        random_bytes: asked for 16 bytes a disclosure and 32 a decoy.

    Returns:
        The compact form with all disclosures, in the order of the claims, a nested one
        before the one that holds it.

    Raises:
        ValueError: reserved names among the claims, or a path that does not exist.

    Secret: `claims` and what `random_bytes` returns.
    """
    if "cnf" in claims:
        raise ValueError("the holder's key is an argument of its own")
    work = _Work(frame, random_bytes)
    payload = work.cover_object(claims, ())
    if work.covered != frame.disclosable:
        raise ValueError("a path that does not exist")
    if holder is not None:
        payload["cnf"] = {"jwk": {**jwk.public_jwk(holder)}}
    payload[disclosure.HASH_CLAIM] = disclosure.HASH_NAME
    token = jws.sign(header=header, payload=canonical_json.serialize(payload), signer=signer)
    return sd_jwt.write(token, work.disclosures)


class _Work:
    """The disclosures of one credential, as they come up."""

    __slots__ = ("_frame", "_random_bytes", "covered", "disclosures")

    def __init__(self, frame: Frame, random_bytes: RandomBytes) -> None:
        self._frame = frame
        self._random_bytes = random_bytes
        self.covered: set[Path] = set()
        self.disclosures: list[str] = []

    def cover_object(self, members: Mapping[str, JsonValue], path: Path) -> JsonObject:
        """Write an object, the members that the frame names as digests, sorted."""
        if not disclosure.RESERVED.isdisjoint(members):
            raise ValueError("a reserved claim name")
        visible: JsonObject = {}
        digests: list[str] = []
        for name, value in members.items():
            below = (*path, name)
            shown = self._cover(value, below)
            if below in self._frame.disclosable:
                digests.append(self._disclose(name, shown, below))
            else:
                visible[name] = shown
        if digests:
            digests.extend(self._decoy() for _ in range(self._frame.decoys))
            # Sorted, so that their order says nothing of the claims' (section 4.2.4.1).
            visible[disclosure.DIGESTS] = [*sorted(digests)]
        return visible

    def _cover(self, value: JsonValue, path: Path) -> JsonValue:
        if isinstance(value, dict):
            return self.cover_object(value, path)
        if isinstance(value, list):
            return [self._cover_element(item, (*path, at)) for at, item in enumerate(value)]
        return value

    def _cover_element(self, item: JsonValue, path: Path) -> JsonValue:
        shown = self._cover(item, path)
        if path in self._frame.disclosable:
            return {disclosure.PLACEHOLDER: self._disclose(None, shown, path)}
        return shown

    def _disclose(self, name: str | None, value: JsonValue, path: Path) -> str:
        self.covered.add(path)
        salt = disclosure.new_salt(random_bytes=self._random_bytes)
        text = disclosure.write(Disclosure(salt, name, value))
        self.disclosures.append(text)
        return disclosure.digest(text)

    def _decoy(self) -> str:
        chance = self._random_bytes(_DECOY_SIZE)
        return base64url.encode(hashlib.sha256(chance).digest())
