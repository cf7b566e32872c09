"""Whether a verifier's authenticated request may be answered, and with what at most.

DESIGN section 4, "Present": the request names a policy of the trust bundle; the wallet answers
only if the authenticated `client_id` is in that policy and the query within it. What the query
insists on must be required by the policy; what the policy calls optional stays the holder's
choice. One request asks for one credential in one format. An objection is a sentence for the
holder; what the verifier learns of it is nothing (`service.py`). Authenticating the request is
`verification/openid4vp.py`, the words of the consent screen are `consent.py`.
"""

import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from crypto.encoding import canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.errors import Malformed
from idservice import catalogue
from idservice.verification import dcql, openid4vp
from idservice.verification.dcql import CredentialQuery
from idservice.verification.policy import Policy
from idservice.verification.trust import TrustBundle
from idservice.wallet.model import Card, Declined, Request, Response

REQUEST_TYPE: Final = "application/oauth-authz-req+jwt"

_FORM = "application/x-www-form-urlencoded"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A card whose time is running, and what it says."""

    card: Card
    claims: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request that may be answered, if its holder agrees."""

    request: openid4vp.Request
    policy: Policy
    holding: Holding
    needed: tuple[str, ...]
    choices: tuple[str, ...]
    """Optional claims that the card has, with a value that is asked for; none is shown unless the
    holder picks it."""
    request_hash: bytes = field(repr=False)
    """Of the request object as it was served; a BBS showing is bound to it."""
    pseudonym: str | None
    """The policy's label, where the holder may choose to be recognised again; the request has no
    say in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """A request that is not answered, and why; the verifier learns neither."""

    request: openid4vp.Request
    sentence: str


class _Objected(Exception):
    """The sentence of an objection, on its way up."""


def fetch(invitation: openid4vp.Invitation, *, wallet_nonce: str | None) -> Request:
    """Ask for the signed request, by POST with a nonce where the invitation allows it (5.10)."""
    headers = {"Accept": REQUEST_TYPE}
    if wallet_nonce is None:
        return Request(method="GET", url=invitation.request_uri, headers=headers)
    return Request(
        method="POST",
        url=invitation.request_uri,
        headers=headers | {"Content-Type": _FORM},
        body=urllib.parse.urlencode({"wallet_nonce": wallet_nonce}).encode(),
    )


def request_object(response: Response) -> str:
    """Take the request object out of its answer; its signature is not checked yet."""
    if response.status != _OK:
        raise Declined("The request is over, or was never made.")
    if response.media_type != REQUEST_TYPE:
        raise Malformed("not a request object (OpenID4VP 5.10.1)")
    try:
        return response.body.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed("not a request object (OpenID4VP 5.10.1)") from error


def post(request: openid4vp.Request, form: Mapping[str, str]) -> Request:
    """Send a form to where the authenticated request wants its answer (8.2)."""
    return Request(
        method="POST",
        url=request.response_uri,
        headers={"Accept": "application/json", "Content-Type": _FORM},
        body=urllib.parse.urlencode(form).encode(),
    )


def redirect(response: Response) -> str | None:
    """Read where the holder's browser goes on (8.2)."""
    if response.status != _OK:
        raise Declined("The verifier did not take the answer.")
    if response.media_type != "application/json":
        return None
    address = canonical_json.parse_object(response.body).get("redirect_uri")
    printable = isinstance(address, str) and address.isascii() and address.isprintable()
    return address if isinstance(address, str) and printable else None


def consider(
    request: openid4vp.Request,
    *,
    request_hash: bytes,
    trust: TrustBundle,
    today: date,
    holdings: Sequence[Holding],
) -> Question | Objection:
    """Hold an authenticated request against its policy and against the holder's cards.

    Args:
        request: from `openid4vp.authenticate`.
        request_hash: from `showing.request_hash`, of what was authenticated.
        trust: the bundle pinned by this wallet.
        today: compared with the day on which the policy ends.
        holdings: cards whose time is running, the preferred first.
    """
    try:
        policy = _policy(request, trust=trust, today=today)
        query = _query(request, policy)
        options = _options_within(query, policy)
        fitting = [each for each in holdings if each.card.format == query.format]
        found = _holding(options, fitting, any_card=bool(holdings))
        return _question(found, request, policy=policy, request_hash=request_hash)
    except _Objected as objected:
        return Objection(request=request, sentence=str(objected))


def directly(
    *, policy: Policy, client_id: str, nonce: str, credential_format: str
) -> openid4vp.Request:
    """Write down what a verifier asks who gives its holder only a nonce.

    Nobody signed it and nothing is posted anywhere: the holder hands the answer over, and it is
    worth something to whoever `client_id` names.
    """
    query = dcql.for_facts(
        vct=policy.vct,
        required=policy.required,
        optional=policy.optional,
        credential_format=credential_format,
    )
    return openid4vp.Request(
        client_id=client_id,
        response_uri="",
        response_mode=openid4vp.ResponseMode.DIRECT_POST,
        nonce=openid4vp.url_safe(nonce),
        state=None,
        query=query,
        policy=policy.id,
        encryption=None,
        wallet_nonce=None,
    )


def _policy(request: openid4vp.Request, *, trust: TrustBundle, today: date) -> Policy:
    if request.policy is None:
        raise _Objected(
            "The request names no policy, so it says neither why it asks nor what it keeps."
        )
    policy = trust.policies.get(request.policy)
    if policy is None:
        raise _Objected(
            f"The request names a policy that is not in the city's bundle of {trust.day}."
        )
    if request.client_id not in policy.client_ids:
        raise _Objected(
            f"The policy {policy.id} belongs to {policy.verifier}; who asks now is somebody"
            " else who has borrowed its name."
        )
    if today > policy.expires:
        raise _Objected(f"The policy {policy.id} ended on {policy.expires}.")
    return policy


def _query(request: openid4vp.Request, policy: Policy) -> CredentialQuery:
    if len(request.query.credentials) != 1 or request.query.credential_sets:
        raise _Objected("It asks for more than one credential at once.")
    query = request.query.credentials[0]
    if query.format not in policy.formats or set(query.vct_values) != {policy.vct}:
        raise _Objected(f"It asks for another credential than the policy {policy.id} does.")
    if query.multiple or not query.holder_binding or query.trusted_authorities:
        raise _Objected(f"It asks in a way that the policy {policy.id} does not know.")
    beyond = _asked(query) - set(policy.required) - set(policy.optional)
    if beyond:
        raise _Objected(
            f"It asks for {_named(beyond)}, which the policy {policy.id} does not list."
        )
    return query


def _options_within(query: CredentialQuery, policy: Policy) -> tuple[CredentialQuery, ...]:
    """Keep the claim sets that insist on nothing optional, the smallest first."""
    insisting = [set(option) for option in _options(query)]
    within = [option for option in insisting if option <= set(policy.required)]
    if not within:
        over = min(insisting, key=len) - set(policy.required)
        raise _Objected(
            f"It insists on {_named(over)}, which the policy {policy.id} leaves to your choice."
        )
    return tuple(_only(query, option) for option in sorted(within, key=len))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A card that has what is needed."""

    holding: Holding
    needed: frozenset[str]


def _holding(
    options: tuple[CredentialQuery, ...], holdings: Sequence[Holding], *, any_card: bool
) -> _Found:
    """Find the first card that satisfies an option, the smallest first."""
    if not holdings:
        raise _Objected(
            "It asks for the other kind of card, of which you have none that is valid today."
            if any_card
            else "You have no card that is valid today."
        )
    for holding in holdings:
        for option in options:
            needed = _asked(option)
            if _says(holding.claims, needed) and _matches(option, holding):
                return _Found(holding=holding, needed=needed)
    missing = {name for name in _asked(options[0]) if not _says(holdings[0].claims, {name})}
    raise _Objected(f"Your card does not show {_named(missing) or 'what is asked for'}.")


def _question(
    found: _Found, request: openid4vp.Request, *, policy: Policy, request_hash: bytes
) -> Question:
    holding, needed = found.holding, found.needed
    query = request.query.credentials[0]
    left = _asked(query) - needed
    said = {name for name in left if _says(holding.claims, {name})}
    return Question(
        request=request,
        policy=policy,
        holding=holding,
        needed=_sorted(needed),
        choices=_sorted(name for name in said if _matches(_only(query, {name}), holding)),
        request_hash=request_hash,
        pseudonym=policy.pseudonym if holding.card.format == catalogue.BBS_FORMAT else None,
    )


def _options(query: CredentialQuery) -> tuple[tuple[str, ...], ...]:
    if not query.claims:
        raise _Objected("It asks for nothing.")
    names = {claim.id: _fact(claim.path) for claim in query.claims}
    if not query.claim_sets:
        return (tuple(_fact(claim.path) for claim in query.claims),)
    return tuple(tuple(names[one] for one in option) for option in query.claim_sets)


def _only(query: CredentialQuery, names: set[str]) -> CredentialQuery:
    return CredentialQuery(
        id=query.id,
        format=query.format,
        vct_values=query.vct_values,
        claims=tuple(claim for claim in query.claims if _fact(claim.path) in names),
        claim_sets=(),
        multiple=False,
        holder_binding=True,
        trusted_authorities=False,
    )


def _asked(query: CredentialQuery) -> frozenset[str]:
    try:
        return dcql.facts(query)
    except Malformed as error:
        raise _Objected("It asks for something outside the catalogue of claims.") from error


def _fact(path: dcql.Path) -> str:
    return ".".join(str(step) for step in path)


def _matches(query: CredentialQuery, holding: Holding) -> bool:
    return dcql.select(query, holding.claims, credential_format=holding.card.format) is not None


def _says(claims: JsonObject, names: frozenset[str] | set[str]) -> bool:
    """Say whether each of these is there; a fact that is not true counts as absent."""
    return all(_value(claims, name) not in {None, False} for name in names)


def _value(claims: JsonObject, name: str) -> JsonValue:
    found = dcql.find(claims, tuple(name.split(".")))
    value = found[0] if len(found) == 1 else None
    return value if isinstance(value, (str, bool)) else None


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    chosen = set(names)
    return tuple(name for name in catalogue.PUBLIC_CLAIMS if name in chosen)


def _named(names: frozenset[str] | set[str]) -> str:
    """Name claims of the catalogue; what is not in it is not repeated."""
    known = [name for name in catalogue.CLAIMS if name in names]
    return ", ".join(known) if len(known) == len(names) else "something outside the catalogue"
