"""Verify a presentation: the one core, for verifier, issuer renewal, wallet and command line.

DESIGN section 4, road 5. In this order for SD-JWT: algorithm and type, the key by `x5c` up to the
city root in the bundle and among the announced ones, the issuer's signature, disclosures, the
holder's answer, issuer, times, type and status reference, status, policy. For BBS: what can be
compared (`showing`), policy, and then the proof, because it costs most; there is no status.
Nothing is fetched, and of a holder nothing is kept: only which announced chains lead to the root,
by their exact text, and their validity is looked at again in each call. Left out: whether the
nonce was used before (the caller draws it and uses it once) and whether the policy is in force
and for this audience (the verifier's service).
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override

from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import (
    BadSignature,
    CryptoError,
    Expired,
    HolderBinding,
    Malformed,
    NotYetValid,
    Refused,
    Untrusted,
    WrongAlgorithm,
    WrongAudience,
    WrongNonce,
)
from crypto.instant import UnixSeconds
from crypto.sdjwt.usual import Opened
from crypto.status import reference
from crypto.x509 import chain, x5c
from crypto.x509.chain import Leaf
from crypto.x509.profile import Role
from idservice import catalogue
from idservice.errors import Refusal
from idservice.verification import formats, showing
from idservice.verification import status as status_lists
from idservice.verification.formats import SKEW, Kind
from idservice.verification.policy import NotShown, Policy
from idservice.verification.policy import facts as policy_facts
from idservice.verification.showing import Compared, Question
from idservice.verification.status import StatusLists
from idservice.verification.trust import Announced, AnnouncedBbs, TrustBundle

_BUNDLES_KEPT: Final = 8

_CODES: Final[Mapping[type[CryptoError], Refusal]] = {
    Malformed: Refusal.MALFORMED,
    Refused: Refusal.MALFORMED,
    WrongAlgorithm: Refusal.WRONG_ALGORITHM,
    BadSignature: Refusal.ISSUER_SIGNATURE,
    Untrusted: Refusal.UNTRUSTED_ISSUER,
    Expired: Refusal.EXPIRED,
    NotYetValid: Refusal.NOT_YET_VALID,
    HolderBinding: Refusal.HOLDER_BINDING,
    WrongAudience: Refusal.WRONG_AUDIENCE,
    WrongNonce: Refusal.WRONG_NONCE,
    status_lists.StatusUnavailable: Refusal.STATUS_UNAVAILABLE,
    status_lists.Withdrawn: Refusal.WITHDRAWN,
    NotShown: Refusal.POLICY,
}


class PresentationRefused(Exception):
    """The answer "no", by its code; the cause stays inside."""

    def __init__(self, code: Refusal) -> None:
        super().__init__(code.value)
        self.code = code


class Accepted(NamedTuple):
    """What a policy may learn; `verify_presentation` alone makes it."""

    policy: str
    facts: Mapping[str, JsonValue]
    """The listed claims that were shown, by their names in the policy."""
    status_age_s: int | None
    """`None` for a format that has no status list."""
    pseudonym: bytes | None
    """By which a holder who agreed is known here for a period; 48 octets."""

    @override
    def __repr__(self) -> str:
        return f"Accepted(policy={self.policy!r}, status_age_s={self.status_age_s!r})"


class Verified(NamedTuple):
    """A credential that its holder shows now; neither status nor policy were asked."""

    claims: JsonObject
    """The payload with the disclosed claims in their places."""
    holder: ec.EllipticCurvePublicKey
    announced: Announced
    status_index: int
    """Where it stands in the announced status list."""


class VerifiedBbs(NamedTuple):
    """A BBS credential that its holder shows now; it has neither holder key nor status."""

    claims: JsonObject
    """As `Verified` has them, the announced values among them."""
    announced: AnnouncedBbs


class Item(NamedTuple):
    """One presentation of a batch, and what was asked."""

    presentation: str
    policy: Policy
    audience: str
    nonce: str


class _Path(NamedTuple):
    """An announced chain that leads to the city root, and what was announced for it."""

    leaf: Leaf
    announced: Mapping[str, Announced]
    """By the address of the status list."""


class _Known(NamedTuple):
    """What was found out about a bundle; there are only as many chains as it announces."""

    trust: TrustBundle
    """Held, so that no other bundle can take over its identity."""
    kinds: list[Kind]
    """Those that can be recognised by their shape."""
    by_x5c: dict[tuple[JsonValue, ...], _Path]
    """By the exact `x5c`."""


_known_bundles: Final[dict[int, _Known]] = {}
"""By the identity of the bundle."""


def verify_presentation(
    presentation: str,
    *,
    policy: Policy,
    audience: str,
    nonce: str,
    trust: TrustBundle,
    status: StatusLists,
    now: UnixSeconds,
    request_hashes: tuple[bytes, ...] | None = None,
) -> Accepted:
    """Check a presentation in full, and keep of it only what the policy lists.

    Args:
        presentation: as received.
        policy: in force, and for this audience.
        audience: our own full client identifier, not empty.
        nonce: the one we asked with, not empty.
        trust: the bundle in hand, from `trust.parse`.
        status: the lists in hand.
        now: seconds.
        request_hashes: of the request objects that asked, from `showing.request_hash`; `None`
            where nobody signed one, and a BBS showing is bound to nonce and policy instead.

    Returns:
        The facts; a claim that is null or was not shown is no fact.

    Raises:
        PresentationRefused: with the code of the first thing that is wrong.
        ValueError: an empty nonce or audience: the caller's mistake.

    Not checked: that the nonce was not used before; that the policy is in force.
    """
    try:
        usual = _usual(presentation, audience, nonce, trust, now)
        if usual is not None:
            (claims, index, _), kind = usual
            announced = kind.announced
        elif formats.is_bbs(presentation):
            question = _question(policy, audience, nonce, request_hashes)
            compared, accepted = _compare(presentation, policy, question, trust, now)
            _prove(compared)
            return accepted
        else:
            claims, _, announced, index = _verify(presentation, audience, nonce, trust, now)
        if announced.vct != policy.vct or announced.format not in policy.formats:
            raise PresentationRefused(Refusal.POLICY)
        age = status_lists.check(
            status,
            uri=announced.status.uri,
            index=index,
            max_age=policy.status_max_age_s,
            now=now,
        )
        facts = policy_facts(claims, policy)
    except CryptoError as error:
        raise PresentationRefused(_CODES[type(error)]) from error
    return Accepted(policy.id, MappingProxyType(facts), age, None)


def verify_batch(
    items: Sequence[Item],
    *,
    trust: TrustBundle,
    status: StatusLists,
    now: UnixSeconds,
    random_bytes: RandomBytes,
) -> list[Accepted | PresentationRefused]:
    """Check presentations, each of which comes out as if `verify_presentation` had it alone.

    Args:
        items: of any formats in any mixture, at most 1,000.
        trust: as `verify_presentation`; so are `status` and `now`.
        status: the lists in hand.
        now: seconds.
        random_bytes: weighs BBS proofs under one key, whose pairings are settled together.

    Returns:
        One answer for each, in order.
    """
    answers: list[Accepted | PresentationRefused] = []
    open_proofs: dict[bytes, list[tuple[int, Compared]]] = {}
    for item in items:
        presentation, policy, audience, nonce = item
        try:
            if not formats.is_bbs(presentation):
                answer = verify_presentation(
                    presentation,
                    policy=policy,
                    audience=audience,
                    nonce=nonce,
                    trust=trust,
                    status=status,
                    now=now,
                )
            else:
                question = _question(policy, audience, nonce, None)
                compared, answer = _compare(presentation, policy, question, trust, now)
                if compared.nym_context is None:
                    here = (len(answers), compared)
                    open_proofs.setdefault(compared.announced.header, []).append(here)
                else:
                    _prove(compared)
            answers.append(answer)
        except PresentationRefused as refused:
            answers.append(refused)
        except CryptoError as error:
            answers.append(PresentationRefused(_CODES[type(error)]))
    for group in open_proofs.values():
        for place, no in _prove_together(group, random_bytes):
            answers[place] = no
    return answers


def verify_credential(
    presentation: str, *, audience: str, nonce: str, trust: TrustBundle, now: UnixSeconds
) -> Verified | VerifiedBbs:
    """Check everything about a presentation except its status and a policy.

    For the issuer, who at renewal is shown claims that no policy may list, and who knows from its
    own store what was withdrawn.

    Args:
        presentation: as received.
        audience: our own full identifier, not empty.
        nonce: the one we asked with, not empty.
        trust: the bundle in hand, from `trust.parse`.
        now: seconds.

    Raises:
        PresentationRefused: with the code of the first thing that is wrong.
        ValueError: an empty nonce or audience: the caller's mistake.

    Not checked: status and policy; that the nonce was not used before.
    """
    try:
        usual = _usual(presentation, audience, nonce, trust, now)
        if usual is None:
            if formats.is_bbs(presentation):
                return _verify_bbs(presentation, audience, nonce, trust, now)
            return _verify(presentation, audience, nonce, trust, now)
    except CryptoError as error:
        raise PresentationRefused(_CODES[type(error)]) from error
    (shown, index, holder), kind = usual
    claims = formats.usual_claims(kind.shape, shown=shown, index=index, holder=holder)
    return Verified(claims, holder, kind.announced, index)


def _usual(
    presentation: str, audience: str, nonce: str, trust: TrustBundle, now: UnixSeconds
) -> tuple[Opened, Kind] | None:
    """Check a presentation in one go if its kind is known; else, and if in doubt, say nothing."""
    known = _known_bundles.get(id(trust))
    if known is not None:
        for kind in known.kinds:
            if kind.begins <= now <= kind.ends:
                opened = formats.open_usual(
                    presentation,
                    shape=kind.shape,
                    issuer_key=kind.issuer_key,
                    audience=audience,
                    nonce=nonce,
                    now=now,
                )
                if opened is not None:
                    return opened, kind
    return None


def _verify(
    presentation: str, audience: str, nonce: str, trust: TrustBundle, now: UnixSeconds
) -> Verified:
    """Take every step in its order."""
    known = _known_bundles.get(id(trust)) or _first_seen(trust)
    unverified = formats.parse(presentation)
    path = _path(unverified.sd_jwt.issuer.header, known, now)
    claims, holder = formats.verify_bound(
        unverified, issuer_key=path.leaf.public_key, audience=audience, nonce=nonce, now=now
    )
    if claims.get("iss") != trust.issuer:
        raise Untrusted("signed for another issuer")
    _check_times(claims, now)
    uri, index = reference.locate(claims)
    announced = path.announced.get(uri)
    if announced is None:
        reference.parse(claims)  # which names an address that could be none
        raise status_lists.StatusUnavailable("no list was announced at this address")
    if claims.get("vct") != announced.vct:
        raise PresentationRefused(Refusal.POLICY)
    return Verified(claims, holder, announced, index)


def _question(
    policy: Policy, audience: str, nonce: str, request_hashes: tuple[bytes, ...] | None
) -> Question:
    if request_hashes is None:
        request_hashes = (showing.direct_request_hash(nonce=nonce, policy=policy.id),)
    return Question(audience, nonce, policy.id, policy.pseudonym, request_hashes)


def _compare(
    presentation: str, policy: Policy, question: Question, trust: TrustBundle, now: UnixSeconds
) -> tuple[Compared, Accepted]:
    """Say what a BBS showing will mean if its proof holds; without that it means nothing."""
    if catalogue.BBS_FORMAT not in policy.formats:
        raise PresentationRefused(Refusal.POLICY)
    compared = showing.compare(presentation, question, trust=trust, now=now)
    if compared.announced.vct != policy.vct:
        raise PresentationRefused(Refusal.POLICY)
    facts = MappingProxyType(policy_facts(compared.claims, policy))
    return compared, Accepted(policy.id, facts, None, compared.unverified.pseudonym)


def _prove(compared: Compared) -> None:
    formats.verify_bbs(
        compared.unverified, announced=compared.announced, nym_context=compared.nym_context
    )


def _prove_together(
    group: Sequence[tuple[int, Compared]], random_bytes: RandomBytes
) -> Iterator[tuple[int, PresentationRefused]]:
    """Name those whose proof does not hold, of showings under one announced key."""
    errors = formats.verify_bbs_batch(
        [compared.unverified for _, compared in group],
        announced=group[0][1].announced,
        random_bytes=random_bytes,
    )
    for (place, _), error in zip(group, errors, strict=True):
        if error is not None:
            yield place, PresentationRefused(_CODES[type(error)])


def _verify_bbs(
    presentation: str, audience: str, nonce: str, trust: TrustBundle, now: UnixSeconds
) -> VerifiedBbs:
    request_hash = showing.direct_request_hash(nonce=nonce, policy=showing.RENEWAL)
    question = Question(audience, nonce, showing.RENEWAL, None, (request_hash,))
    compared = showing.compare(presentation, question, trust=trust, now=now)
    _prove(compared)
    announced = compared.announced
    visible: JsonObject = {
        "iss": trust.issuer,
        "vct": announced.vct,
        "nbf": announced.nbf,
        "exp": announced.exp,
    }
    return VerifiedBbs({**compared.claims, **visible}, announced)


def _first_seen(trust: TrustBundle) -> _Known:
    known = _known_bundles.setdefault(id(trust), _Known(trust, [], {}))
    for oldest in [*_known_bundles][:-_BUNDLES_KEPT]:  # copied: other threads come here too
        _known_bundles.pop(oldest, None)
    return known


def _path(header: JsonObject, known: _Known, now: UnixSeconds) -> _Path:
    """Find the announced chain that signed this, or follow it for the first time."""
    member = header.get("x5c")
    exact = tuple(member) if type(member) is list else ()
    try:
        path = known.by_x5c.get(exact)
    except TypeError:  # an item that is no text, and so no key of a dict
        path = None
    if path is not None:
        chain.check_time(path.leaf, now=now)
        return path
    formats.check_type(header)
    path = _follow(member, known.trust, now)
    if known.by_x5c.setdefault(exact, path) is path:
        for announced in path.announced.values():
            known.kinds.extend(formats.kinds(path.leaf, announced, issuer=known.trust.issuer))
    return path


def _follow(member: JsonValue, trust: TrustBundle, now: UnixSeconds) -> _Path:
    """Follow a chain up to the root; there are only as many as were announced."""
    if member is None:
        raise Untrusted("no way from the token to a key")
    certificates = _certificates(member)
    leaf = chain.verify(certificates, root=trust.root, role=Role.ISSUER, now=now)
    announced = {each.status.uri: each for each in trust.announced if each.x5c == certificates}
    if not announced or trust.issuer not in leaf.uris:
        raise Untrusted("a key that was not announced, or of another issuer")
    return _Path(leaf, announced)


def _certificates(member: JsonValue) -> tuple[bytes, ...]:
    if isinstance(member, list) and len(member) > chain.LONGEST_PATH:
        raise Untrusted("a path has one or two certificates")
    return x5c.decode(member)


def _check_times(claims: JsonObject, now: UnixSeconds) -> None:
    exp, nbf, iat = claims.get("exp"), claims.get("nbf"), claims.get("iat", now)
    # `type`, because True is an int too
    if type(exp) is not int or type(nbf) is not int or type(iat) is not int:
        raise Malformed("exp, nbf and iat are whole seconds (RFC 7519, 4.1)")
    if not nbf < exp or iat > max(exp, now):
        raise Malformed("times that contradict each other")
    if now >= exp + SKEW:
        raise Expired("the credential has run out (RFC 7519, 4.1.4)")
    if now < nbf - SKEW or now < iat - SKEW:
        raise NotYetValid("the credential does not count yet (RFC 7519, 4.1.5)")
