"""What a verifier does: check a presentation, ask for one, take the answer, hand it over once.

DESIGN sections 2 and 4. Each act is one method; HTTP is `verifier/web.py`, rows are
`storage/verifier.py`, what counts as verified is `verification/verify.py`. A question is used up
by `Store.conclude`, in the transaction that keeps its sealed answer. Nothing of a presentation
outlives the call; there is no counter of answers and no log of them.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple

from crypto.encoding import canonical_json
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.jose.jws import Signer
from idservice import catalogue, period
from idservice.clock import Clock
from idservice.errors import Code, Refusal, ServiceError
from idservice.verification import openid4vp, openid4vp_answer, showing, verify
from idservice.verification.openid4vp import ResponseMode
from idservice.verification.policy import Policy
from idservice.verifier import model, ports, protocol

REQUESTS_PER_MINUTE: Final = 600
"""Questions that one process starts; whoever asks is not counted apart."""

MAX_PRESENTATION: Final = 64 * 1024
MAX_WALLET_NONCE: Final = 256


class _Found(NamedTuple):
    """An open question, and what its row holds."""

    secret: bytes
    sealed: bytes
    request: model.OpenRequest


class Verifier:
    """One verifier: one client identifier, one certificate, its policies."""

    def __init__(
        self,
        *,
        identity: model.Identity,
        signer: Signer,
        api_keys: tuple[bytes, ...],
        knowledge: ports.Knowledge,
        store: ports.Store,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._identity = identity
        self._signer = signer
        self._api_keys = api_keys
        self._knowledge = knowledge
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._minute = 0
        self._started = 0

    def ready(self) -> bool:
        """Say whether presentations can be checked."""
        return self._knowledge.complete(now=self._clock.now())

    def policies(self) -> tuple[Policy, ...]:
        """List this verifier's policies that are in force."""
        trust, now = self._knowledge.trust(), self._clock.now()
        if trust is None:
            return ()
        known = (trust.policies.get(name) for name in sorted(self._identity.policies))
        return tuple(one for one in known if one is not None and self._serves(one, now))

    def check(
        self, policy_id: str, presentation: str, *, nonce: str, audience: str
    ) -> model.Shown | model.Refused:
        """Check one presentation for this verifier and forget it; the caller uses its nonce once.

        Raises:
            ServiceError: `unknown_policy`, or `unavailable` while there is no trust bundle.
        """
        now = self._clock.now()
        policy = self._policy(policy_id, now)
        item = verify.Item(presentation, policy, audience, nonce)
        return self._verify(item, request_hashes=None, now=now)

    def check_together(
        self, items: Sequence[model.Presented]
    ) -> list[model.Shown | model.Refused | Code]:
        """Check presentations and forget them: what `check` would say of each, in order.

        Returns:
            For each a verdict, or the code of what is wrong around it.
        """
        now, trust = self._clock.now(), self._knowledge.trust()
        if trust is None:
            return [Code.UNAVAILABLE] * len(items)
        answers: list[model.Shown | model.Refused | Code] = []
        read: list[tuple[int, verify.Item]] = []
        in_force = {name: self._in_force(name, now) for name in {each.policy for each in items}}
        for item in items:
            policy = in_force[item.policy]
            if policy is None:
                answers.append(Code.UNKNOWN_POLICY)
                continue
            ours = item.audience == self._identity.client_id
            if ours and len(item.presentation) <= MAX_PRESENTATION:
                asked = verify.Item(item.presentation, policy, item.audience, item.nonce)
                read.append((len(answers), asked))
            answers.append(_REFUSED if ours else _FOR_ANOTHER)
        results = verify.verify_batch(
            [asked for _, asked in read],
            trust=trust,
            status=self._knowledge,
            now=now,
            random_bytes=self._random_bytes,
        )
        since = self._knowledge.unchecked_since(now=now)
        for (place, _), result in zip(read, results, strict=True):
            answers[place] = _verdict(result, since)
        return answers

    def authorize(self, api_key: str) -> None:
        """Check a counter's API key against the hashes of those that were handed out.

        Raises:
            ServiceError: `unauthorized`.
        """
        digest = hashlib.sha256(api_key.encode()).digest()
        # every stored hash is looked at, so that time does not tell which one came close
        if not sum(hmac.compare_digest(digest, known) for known in self._api_keys):
            raise ServiceError(Code.UNAUTHORIZED)

    def start(self, ask: model.Ask) -> model.Started:
        """Open a question.

        Raises:
            ServiceError: `unknown_policy`; `policy_violation` for a policy of somebody else, a
                format that the policy does not take, or a redirect address that is not on the
                list; `busy`; `unavailable`.
        """
        now = self._clock.now()
        trust = self._knowledge.trust()
        policy = self._in_force(ask.policy, now)
        if policy is None:
            known = trust is not None and ask.policy in trust.policies
            raise ServiceError(Code.POLICY_VIOLATION if known else Code.UNKNOWN_POLICY)
        if ask.redirect_uri is not None and ask.redirect_uri not in self._identity.redirect_uris:
            raise ServiceError(Code.POLICY_VIOLATION)
        if ask.credential_format is not None and ask.credential_format not in policy.formats:
            raise ServiceError(Code.POLICY_VIOLATION)
        self._count(now)
        return self._open(policy, ask, UnixSeconds(now + model.REQUEST_LIFETIME))

    def _open(self, policy: Policy, ask: model.Ask, expires: UnixSeconds) -> model.Started:
        identifier, answer_secret, nonce, state = (
            protocol.new_secret(random_bytes=self._random_bytes) for _ in range(4)
        )
        secret = protocol.parse_secret(identifier)
        creator = protocol.creator(protocol.parse_secret(answer_secret))
        encrypted = ask.response_mode is ResponseMode.DIRECT_POST_JWT
        request = model.OpenRequest(
            policy=policy.id,
            credential_format=ask.credential_format or policy.formats[0],
            response_mode=ask.response_mode,
            nonce=nonce,
            state=state,
            expires=expires,
            answer_key=creator.public_key,
            passing_key=jwk.generate(random_bytes=self._random_bytes) if encrypted else None,
            redirect_uri=ask.redirect_uri,
            served=(),
        )
        slot = protocol.request_slot(expires)
        self._store.open(
            request_key=protocol.request_key(secret),
            request=protocol.seal_request(request, secret, random_bytes=self._random_bytes),
            request_slot=slot,
            answer_key=creator.row_key,
            place=protocol.seal_answer(
                model.Pending(until=expires), creator.public_key, random_bytes=self._random_bytes
            ),
            answer_slot=slot,
        )
        invitation = openid4vp.Invitation(
            client_id=self._identity.client_id,
            request_uri=f"{self._identity.base_url}/v1/request-objects/{identifier}",
            post=True,
        )
        return model.Started(
            authorization_request=openid4vp.write_invitation(invitation),
            answer_secret=answer_secret,
            expires_in=model.REQUEST_LIFETIME,
        )

    def request_object(
        self, identifier: str, *, wallet_nonce: str | None, wallet_metadata: str | None
    ) -> str:
        """Sign the request object of an open question (OpenID4VP 1.0, section 5.10).

        What a wallet says of itself can only stop us, never move us: nothing in it is fetched,
        and nothing weaker than what is signed here can be asked for.

        Raises:
            ServiceError: `not_found` for an unknown id, or one that was served too often;
                `invalid_request` for a nonce or metadata past their limits, or a wallet that
                cannot read this request.
        """
        request = self._find(identifier, Code.NOT_FOUND).request
        if wallet_nonce is not None and not 0 < len(wallet_nonce) <= MAX_WALLET_NONCE:
            raise ServiceError(Code.INVALID_REQUEST)
        if wallet_metadata is not None:
            self._check_metadata(wallet_metadata, request)
        policy = self._in_force(request.policy, self._clock.now())
        if policy is None:
            raise ServiceError(Code.NOT_FOUND)
        asked = protocol.ask_wallet(
            request,
            policy,
            client_id=self._identity.client_id,
            response_uri=f"{self._identity.base_url}/v1/responses/{identifier}",
            wallet_nonce=wallet_nonce,
        )
        signed = openid4vp.sign_request(asked, path=self._identity.x5c, signer=self._signer)
        if request.credential_format == catalogue.BBS_FORMAT:
            self._remember(identifier, showing.request_hash(signed))
        return signed

    def _remember(self, identifier: str, request_hash: bytes) -> None:
        """Keep the hash of a request object before it leaves: a BBS showing names it.

        Raises:
            ServiceError: `not_found` for a question that is gone or was served too often.
        """
        while True:  # whoever comes between keeps a hash too, so this ends
            found = self._find(identifier, Code.NOT_FOUND)
            served = found.request.served
            if request_hash in served:
                return
            if len(served) >= model.MAX_SERVED:
                raise ServiceError(Code.NOT_FOUND)
            longer = protocol.seal_request(
                replace(found.request, served=(*served, request_hash)),
                found.secret,
                random_bytes=self._random_bytes,
            )
            key = protocol.request_key(found.secret)
            if self._store.replace(key, old=found.sealed, new=longer):
                return

    def respond(self, identifier: str, form: Mapping[str, str]) -> str | None:
        """Take a wallet's answer, use the question up, and keep the verdict for its creator.

        The wallet learns nothing of the verdict.

        Returns:
            Where the wallet sends its holder, in a flow on one device.

        Raises:
            ServiceError: `invalid_request` for whatever is not an answer to this question; it
                stays open then.
        """
        secret, _, request = self._find(identifier, Code.INVALID_REQUEST)
        now = self._clock.now()
        try:
            answer = protocol.read_answer(request, form)
        except CryptoError as error:
            raise ServiceError(Code.INVALID_REQUEST) from error
        verdict = self._judge(request, answer, now)
        code = protocol.new_secret(random_bytes=self._random_bytes)
        until = UnixSeconds(now + model.ANSWER_LIFETIME)
        answered = model.Answered(
            body=protocol.write_verdict(verdict),
            until=until,
            response_code_sha256=None if request.redirect_uri is None else _digest(code),
        )
        kept = self._store.conclude(
            protocol.request_key(secret),
            answer_key=protocol.answer_key(request.answer_key),
            sealed=protocol.seal_answer(
                answered, request.answer_key, random_bytes=self._random_bytes
            ),
            answer_slot=protocol.answer_slot(until),
        )
        if not kept:
            raise ServiceError(Code.INVALID_REQUEST)
        if request.redirect_uri is None:
            return None
        return f"{request.redirect_uri}#response_code={code}"

    def collect(
        self, answer_secret: str, response_code: str | None
    ) -> canonical_json.JsonObject | None:
        """Hand an answer to whoever created the question, once.

        Returns:
            The verdict, or nothing while nobody has answered.

        Raises:
            ServiceError: `not_found` for an unknown, fetched or expired answer; `unauthorized`
                where the flow was on one device and the response code is missing or wrong.
        """
        try:
            creator = protocol.creator(protocol.parse_secret(answer_secret))
            stored = self._store.answer(creator.row_key)
            if stored is None:
                raise ServiceError(Code.NOT_FOUND)
            answer = protocol.open_answer(stored.sealed, creator)
        except CryptoError as error:
            raise ServiceError(Code.NOT_FOUND) from error
        if self._clock.now() >= answer.until:
            raise ServiceError(Code.NOT_FOUND)
        if isinstance(answer, model.Pending):
            return None
        expected = answer.response_code_sha256
        if expected is not None and not hmac.compare_digest(expected, _digest(response_code or "")):
            raise ServiceError(Code.UNAUTHORIZED)
        if not self._store.take(creator.row_key):
            raise ServiceError(Code.NOT_FOUND)
        return answer.body

    def reap(self) -> None:
        """Delete what is out of date; runs each minute and at start."""
        self._store.reap(slot=protocol.present_slot(self._clock.now()))

    def _serves(self, policy: Policy, now: UnixSeconds) -> bool:
        return (
            policy.id in self._identity.policies
            and self._identity.client_id in policy.client_ids
            and period.day(now) <= policy.expires
        )

    def _in_force(self, policy_id: str, now: UnixSeconds) -> Policy | None:
        trust = self._knowledge.trust()
        if trust is None:
            raise ServiceError(Code.UNAVAILABLE)
        policy = trust.policies.get(policy_id)
        return None if policy is None or not self._serves(policy, now) else policy

    def _policy(self, policy_id: str, now: UnixSeconds) -> Policy:
        policy = self._in_force(policy_id, now)
        if policy is None:
            raise ServiceError(Code.UNKNOWN_POLICY)
        return policy

    def _verify(
        self, item: verify.Item, *, request_hashes: tuple[bytes, ...] | None, now: UnixSeconds
    ) -> model.Shown | model.Refused:
        trust = self._knowledge.trust()
        if trust is None:
            raise ServiceError(Code.UNAVAILABLE)
        presentation, policy, audience, nonce = item
        if audience != self._identity.client_id:
            return _FOR_ANOTHER
        if len(presentation) > MAX_PRESENTATION:
            return _REFUSED
        try:
            accepted = verify.verify_presentation(
                presentation,
                policy=policy,
                audience=audience,
                nonce=nonce,
                trust=trust,
                status=self._knowledge,
                now=now,
                request_hashes=request_hashes,
            )
        except verify.PresentationRefused as refused:
            return _verdict(refused, None)
        return _verdict(accepted, self._knowledge.unchecked_since(now=now))

    def _judge(
        self,
        request: model.OpenRequest,
        answer: openid4vp_answer.PlainAnswer | openid4vp_answer.Declined,
        now: UnixSeconds,
    ) -> model.Verdict:
        if isinstance(answer, openid4vp_answer.Declined):
            return model.NothingShown(error=answer.error)
        try:
            presentation = openid4vp_answer.presentation_in(answer)
        except Malformed:
            return _REFUSED
        policy = self._in_force(request.policy, now)
        if policy is None or request.credential_format not in policy.formats:
            # it went out of force since the question
            return model.Refused(code=model.public_code(Refusal.POLICY))
        asked = replace(policy, formats=(request.credential_format,))
        item = verify.Item(presentation, asked, self._identity.client_id, request.nonce)
        return self._verify(item, request_hashes=request.served, now=now)

    def _find(self, identifier: str, absent: Code) -> _Found:
        try:
            secret = protocol.parse_secret(identifier)
            sealed = self._store.request(protocol.request_key(secret))
            if sealed is None:
                raise ServiceError(absent)
            request = protocol.open_request(sealed, secret)
        except CryptoError as error:
            raise ServiceError(absent) from error
        if self._clock.now() >= request.expires:
            raise ServiceError(absent)
        return _Found(secret, sealed, request)

    def _check_metadata(self, text: str, request: model.OpenRequest) -> None:
        try:
            protocol.check_wallet_metadata(
                text,
                client_id=self._identity.client_id,
                credential_format=request.credential_format,
            )
        except Malformed as error:
            raise ServiceError(Code.INVALID_REQUEST) from error

    def _count(self, now: UnixSeconds) -> None:
        minute = now // 60
        if minute != self._minute:
            self._minute, self._started = minute, 0
        self._started += 1
        if self._started > REQUESTS_PER_MINUTE:
            raise ServiceError(Code.BUSY)


_REFUSED: Final = model.Refused(code=model.public_code(Refusal.MALFORMED))
_FOR_ANOTHER: Final = model.Refused(code=model.public_code(Refusal.WRONG_AUDIENCE))


def _verdict(
    result: verify.Accepted | verify.PresentationRefused, unchecked_since: date | None
) -> model.Shown | model.Refused:
    if isinstance(result, verify.PresentationRefused):
        return model.Refused(code=model.public_code(result.code))
    return model.Shown(
        policy=result.policy,
        facts=result.facts,
        status_age_s=result.status_age_s,
        pseudonym=result.pseudonym,
        not_checked_since=unchecked_since,
    )


def _digest(response_code: str) -> bytes:
    return hashlib.sha256(response_code.encode()).digest()
