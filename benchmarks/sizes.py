"""How long things are on the wire: one full credential of each format, and what goes with it.

Both carry the same claims of the same person, a portrait among them. What they add up to in a
year is `year`.
"""

import base64
import os

from benchmarks import material
from benchmarks.bbs_material import CLAIMS, PORTRAIT, SHOWN, Credentials
from crypto.bbs import jwp
from crypto.encoding.canonical_json import JsonObject
from crypto.jose import jwk, jws
from crypto.sdjwt import issue, key_binding, present, sd_jwt
from crypto.sdjwt.issue import Frame
from idservice import catalogue, clock
from idservice.wallet import protocol

Path = tuple[str, ...]


def sd_jwt_octets() -> dict[str, int]:
    """Issue one instance of a card, show it, and renew with it."""
    now = clock.SystemClock().now()
    issuer = material.make_issuer(now)
    holder = jwk.generate(random_bytes=os.urandom)
    credential = issue.issue(
        header=issuer.header,
        claims={
            **issuer.visible,
            **_claims(),
            "status": {"status_list": {"idx": 77_777, "uri": issuer.list_uri}},
        },
        frame=Frame(disclosable=frozenset(map(_path, catalogue.CLAIMS))),
        holder=holder.public_key(),
        signer=jws.es256_signer(issuer.key),
        random_bytes=os.urandom,
    )
    parsed = sd_jwt.parse(credential)
    assert isinstance(parsed, sd_jwt.SdJwt)

    def show(names: tuple[str, ...]) -> int:
        text = key_binding.sign(
            present.present(parsed, paths=tuple(map(_path, names))),
            nonce=material.NONCE,
            audience=material.AUDIENCE,
            now=now,
            signer=jws.es256_signer(holder),
        )
        return len(text)

    proof = protocol.proof(holder, issuer=material.BASE, nonce=material.NONCE, now=now)
    return {
        "credential": len(credential),
        "request": len(proof),
        "showing": show(SHOWN),
        "renewal": show(catalogue.CLAIMS),
    }


def bbs_octets(credentials: Credentials) -> dict[str, int]:
    """Measure the same of BBS, and a showing with a pseudonym."""
    _, commitment = jwp.request(random_bytes=os.urandom)
    everything = tuple(range(len(catalogue.BBS_SLOTS)))
    return {
        "credential": len(credentials.texts[0]),
        "request": -(-len(commitment) * 4 // 3),
        "showing": len(credentials.show()),
        "named showing": len(credentials.show(nym_context=bytes(32))),
        "renewal": len(credentials.show(places=everything)),
    }


def _claims() -> JsonObject:
    """Return the credential's claims as an SD-JWT nests and spells them."""
    picture = base64.b64encode(os.urandom(PORTRAIT)).decode("ascii")
    flat: JsonObject = {**CLAIMS, "portrait": f"data:image/jpeg;base64,{picture}"}
    address: JsonObject = {
        name.partition(".")[2]: flat.get(name) for name in catalogue.ADDRESS_CLAIMS
    }
    named: JsonObject = {name: flat.get(name) for name in catalogue.CLAIMS if "." not in name}
    return {**named, "address": address}


def _path(name: str) -> Path:
    return tuple(name.split("."))
