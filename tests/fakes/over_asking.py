"""Request objects that a verifier signed though it should not have."""

from dataclasses import replace

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.jose import jws
from crypto.x509 import x5c
from idservice.verification import dcql, openid4vp
from tests.fakes.city import FakeCity
from tests.fakes.city_verifiers import FakeVerifier

NONCE = "nonce-of-this-visit"


def payload(verifier: FakeVerifier, *, policy: str | None = None, **changes: object) -> JsonObject:
    """What an honest verifier asks, with members of the query replaced."""
    own = verifier.policy
    query = dcql.for_facts(vct=own.vct, required=own.required, optional=own.optional)
    request = openid4vp.Request(
        client_id=verifier.hash_client_id,
        response_uri=f"https://{verifier.dns_name}/v1/responses/x",
        response_mode=openid4vp.ResponseMode.DIRECT_POST,
        nonce=NONCE,
        state="state",
        query=replace(query, credentials=(replace(query.credentials[0], **changes),)),
        policy=policy or own.id,
        encryption=None,
        wallet_nonce="wallet-nonce",
    )
    return openid4vp.write_request(request)


def asking(verifier: FakeVerifier, *facts: str, options: tuple[tuple[str, ...], ...] = ()) -> str:
    """Sign a request for these facts under the verifier's own policy."""
    names = {name: name.replace(".", "_") for name in facts}
    claims = tuple(
        dcql.ClaimQuery(path=tuple(name.split(".")), id=names[name], values=()) for name in facts
    )
    sets = tuple(tuple(names[name] for name in option) for option in options)
    return sign(verifier, payload(verifier, claims=claims, claim_sets=sets))


def sign(verifier: FakeVerifier, said: JsonObject, **header: JsonValue) -> str:
    certificates: list[JsonValue] = [*verifier.x5c]
    return jws.sign(
        header={"alg": "ES256", "typ": openid4vp.REQUEST_TYPE, "x5c": certificates, **header},
        payload=canonical_json.serialize(said),
        signer=jws.es256_signer(verifier.key),
    )


def unnamed(city: FakeCity) -> str:
    """The library asks without saying why."""
    said = payload(city.verifiers["library"])
    del said["verifier_info"]
    return sign(city.verifiers["library"], said)


def path(verifier: FakeVerifier) -> tuple[bytes, ...]:
    return x5c.decode(verifier.x5c)
