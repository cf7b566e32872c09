"""A complaint of over-asking: a file in which the verifier's own signature is the proof.

DESIGN section 5. The file holds the request object that the verifier signed, and the policy that
it exceeds as the wallet knew it. Whoever has the city root and the policies can check it without
asking anybody. The file names the session to that verifier, because the request's nonce is its
own: `WARNING` says so before it leaves the wallet. What a request asks within its policy is
`wallet/question.py`'s affair; counting and publishing is `governance`'s.

A request carries no time. So it is held against every version of its policy that the checker
knows, and counts only if it exceeds all of them: an old request under an old, wider policy is no
over-asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography import x509

from crypto.encoding import base64url, canonical_json, members
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed, Refused
from crypto.instant import UnixSeconds
from crypto.jose import jws
from crypto.x509 import chain, profile, x5c
from idservice import catalogue
from idservice.verification import dcql, openid4vp, policy
from idservice.verification.dcql import CredentialQuery
from idservice.verification.policy import Policy

TYPE: Final = "idservice-over-asking-v1"
LARGEST_FILE: Final = 96 << 10
"""Octets."""

WARNING: Final = (
    "The file holds the request that the verifier signed for you, so that verifier can tell"
    " which visit it came from. It holds nothing of your card. Whoever you give it to can pass"
    " it on; the city's box checks it, publishes who asked for what too much and in which"
    " quarter, and throws the file away."
)
"""What a holder reads before the file is written."""

_MEMBERS = frozenset({"type", "request", "policy"})
_MOST_VERSIONS = 64


class Kind(StrEnum):
    """In what a request exceeds its policy."""

    NO_POLICY = "no_policy"
    UNKNOWN_POLICY = "unknown_policy"
    OTHERS_POLICY = "others_policy"
    CREDENTIAL = "credential"
    FORMAT = "format"
    FACTS = "facts"
    INSISTS = "insists"


WORDS: Final = {
    Kind.NO_POLICY: "names no policy, so it says neither why it asks nor what it keeps",
    Kind.UNKNOWN_POLICY: "names a policy that was never in force",
    Kind.OTHERS_POLICY: "names the policy of somebody else",
    Kind.CREDENTIAL: "asks for another credential, or for more than one",
    Kind.FORMAT: "asks in a format that the policy does not list",
    Kind.FACTS: "asks for facts that the policy does not list",
    Kind.INSISTS: "insists on facts that the policy leaves to the holder's choice",
}
OUTSIDE: Final = "something outside the catalogue"
"""What stands for a claim that is no claim of the catalogue; its name is not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """One way in which it asks too much; `claims` for facts only."""

    kind: Kind
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverAsking:
    """What is proved, and all that may be published of it; only `prove` makes it."""

    verifier: str
    """The name in its policies, or the client identifier where it has none."""
    policy: str | None
    """The one it named, if it was ever in force."""
    excess: tuple[Excess, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What an authenticated request object says, as far as it matters here."""

    client_id: str
    policy: str | None
    query: dcql.Query


def write(request_object: str, *, known: Policy | None) -> bytes:
    """Write the file.

    Args:
        request_object: as the verifier served it, octet by octet.
        known: the policy that it names, from the wallet's bundle; None where it names none that
            the bundle has.
    """
    written: JsonObject = {
        "type": TYPE,
        "request": request_object,
        "policy": None if known is None else policy.write(known),
    }
    return canonical_json.serialize(written)


def complaint(
    request_object: str, *, root: x509.Certificate, policies: Sequence[Policy], now: UnixSeconds
) -> bytes:
    """Write the file about a request, if it proves anything; otherwise as `prove`.

    Args:
        request_object: as the verifier served it, octet by octet.
        root: the city root.
        policies: those of the wallet's bundle.
        now: compared with the certificates.
    """
    asked = _authenticate(request_object, root=root, now=now)
    known = next((each for each in policies if each.id == asked.policy), None)
    file = write(request_object, known=known)
    prove(file, root=root, policies=policies, now=now)
    return file


def prove(
    file: bytes, *, root: x509.Certificate, policies: Sequence[Policy], now: UnixSeconds
) -> OverAsking:
    """Check that a verifier of this city signed a request that exceeds its policy.

    Args:
        file: as `write` made it, at most `LARGEST_FILE` octets.
        root: the city root.
        policies: all that are or were in force, each version; of the one that is named at most
            64 versions are looked at.
        now: compared with the certificates.

    Raises:
        Malformed: the file does not parse, or its query does not.
        Refused: not signed by a verifier of this city, another policy than any known, or the
            request keeps within some version of its policy.
    """
    request, shown = _parse(file)
    asked = _authenticate(request, root=root, now=now)
    versions = [each for each in policies if each.id == asked.policy][-_MOST_VERSIONS:]
    if shown is not None and shown not in versions:
        raise Refused("the policy in the file is none that was in force")
    name = next((each.verifier for each in policies if asked.client_id in each.client_ids), None)
    return OverAsking(
        verifier=name or asked.client_id,
        policy=asked.policy if versions else None,
        excess=_least(asked, versions),
    )


def words(excess: Excess) -> str:
    """Say it to people."""
    if not excess.claims:
        return WORDS[excess.kind]
    return f"{WORDS[excess.kind]}: {', '.join(excess.claims)}"


def _parse(file: bytes) -> tuple[str, Policy | None]:
    if len(file) > LARGEST_FILE:
        raise Malformed("the file is too large")
    given = members.exact(canonical_json.parse_object(file), _MEMBERS)
    if given["type"] != TYPE:
        raise Malformed("not a complaint of over-asking")
    shown = given["policy"]
    return members.text(given["request"]), None if shown is None else policy.parse(shown)


def _authenticate(request: str, *, root: x509.Certificate, now: UnixSeconds) -> _Asked:
    """Check who signed; read nothing but who, which policy, and the query."""
    if len(request) > openid4vp.MAX_REQUEST:
        raise Malformed("the request object is too long")
    signed = jws.parse(request)
    jws.check_header(signed.header, algorithm="ES256", typ=openid4vp.REQUEST_TYPE)
    path = x5c.decode(signed.header.get("x5c"))
    leaf = chain.verify(path, root=root, role=profile.Role.VERIFIER, now=now)
    jws.verify_signature(signed, key=leaf.public_key)
    payload = canonical_json.parse_object(signed.payload)
    client_id = members.text(payload.get("client_id"))
    own = {openid4vp.HASH_PREFIX + base64url.encode(leaf.der_sha256)}
    own.update(openid4vp.DNS_PREFIX + name for name in leaf.dns_names)
    if client_id not in own:
        raise Refused("signed by another than it names (OpenID4VP 5.9.3)")
    return _Asked(
        client_id=client_id,
        policy=_named(payload.get("verifier_info")),
        query=dcql.parse(payload.get("dcql_query")),
    )


def _named(info: JsonValue) -> str | None:
    """Find the policy that the verifier names; whatever else stands there names none."""
    for one in info if isinstance(info, list) else ():
        if isinstance(one, dict) and one.get("format") == openid4vp.POLICY_FORMAT:
            data = one.get("data")
            found = data.get("policy") if isinstance(data, dict) else None
            if isinstance(found, str):
                return found
    return None


def _least(asked: _Asked, versions: Sequence[Policy]) -> tuple[Excess, ...]:
    """Return how it exceeds the version that it exceeds least."""
    if asked.policy is None:
        return (Excess(kind=Kind.NO_POLICY),)
    if not versions:
        return (Excess(kind=Kind.UNKNOWN_POLICY),)
    found = [_beyond(asked, each) for each in versions]
    if not all(found):
        raise Refused("the request keeps within its policy")
    return min(found, key=len)


def _beyond(asked: _Asked, known: Policy) -> tuple[Excess, ...]:
    if asked.client_id not in known.client_ids:
        return (Excess(kind=Kind.OTHERS_POLICY),)
    found: dict[Excess, None] = {}
    queries = asked.query.credentials
    if len(queries) != 1 or asked.query.credential_sets:
        found[Excess(kind=Kind.CREDENTIAL)] = None
    for query in queries:
        found.update(dict.fromkeys(_beyond_one(query, known)))
    return tuple(found)


def _beyond_one(query: CredentialQuery, known: Policy) -> list[Excess]:
    found = []
    if query.format not in known.formats:
        found.append(Excess(kind=Kind.FORMAT))
    elif set(query.vct_values) != {known.vct} or query.multiple:
        found.append(Excess(kind=Kind.CREDENTIAL))
    required = frozenset(known.required)
    facts = _facts(query) - required - frozenset(known.optional)
    if facts:
        found.append(Excess(kind=Kind.FACTS, claims=_sorted(facts)))
    insists = min((option - required - facts for option in _options(query)), key=len)
    if insists:
        found.append(Excess(kind=Kind.INSISTS, claims=_sorted(insists)))
    return found


def _facts(query: CredentialQuery) -> frozenset[str]:
    return frozenset(_fact(claim.path) for claim in query.claims)


def _options(query: CredentialQuery) -> list[frozenset[str]]:
    """Return what it would be content with, one set for each way."""
    names = {claim.id: _fact(claim.path) for claim in query.claims}
    return [frozenset(names[one] for one in option) for option in query.claim_sets] or [
        frozenset(_fact(claim.path) for claim in query.claims)
    ]


def _fact(path: dcql.Path) -> str:
    name = ".".join(step for step in path if isinstance(step, str))
    known = all(isinstance(step, str) for step in path) and name in catalogue.CLAIMS
    return name if known else OUTSIDE


def _sorted(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(name for name in (*catalogue.CLAIMS, OUTSIDE) if name in names)
