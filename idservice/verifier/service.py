"""What a verifier does: check a presentation, ask for one, take the answer, hand it over once.

DESIGN sections 2 and 4. Each act is one method; HTTP is `verifier/web.py`, rows are
`storage/verifier.py`, what counts as verified is `verification/verify.py`. A question is used up
by `Store.conclude`, in the transaction that keeps its sealed answer. Nothing of a presentation
outlives the call; there is no counter of answers and no log of them.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from crypto.encoding import canonical_json
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError, Malformed
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from crypto.jose.jws import Signer
from idservice import catalogue, period
from idservice.clock import Clock
from idservice.errors import Code, Refusal, ServiceError
from idservice.verification import dcql, openid4vp, openid4vp_answer, verify
from idservice.verification.openid4vp import ResponseMode
from idservice.verification.policy import Policy
from idservice.verifier import model, ports, protocol

REQUESTS_PER_MINUTE: Final = 600
"""Questions that one process starts; whoever asks is not counted apart."""

MAX_PRESENTATION: Final = 64 * 1024
MAX_WALLET_NONCE: Final = 256
MAX_WALLET_METADATA: Final = 16 * 1024

_KID: Final = "answer"
_METADATA_DEMANDS: Final = (
    ("request_object_signing_alg_values_supported", "ES256"),
    ("response_types_supported", "vp_token"),
)


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
        """Check one presentation and forget it; the caller uses its nonce once.

        Raises:
            ServiceError: `unknown_policy`, or `unavailable` while there is no trust bundle.
        """
        now = self._clock.now()
        policy = self._policy(policy_id, now)
        return self._verify(policy, presentation, nonce=nonce, audience=audience, now=now)

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
            ServiceError: `unknown_policy`; `policy_violation` for a policy of somebody else or a
                redirect address that is not on the list; `busy`; `unavailable`.
        """
        now = self._clock.now()
        trust = self._knowledge.trust()
        policy = self._in_force(ask.policy, now)
        if policy is None:
            known = trust is not None and ask.policy in trust.policies
            raise ServiceError(Code.POLICY_VIOLATION if known else Code.UNKNOWN_POLICY)
        if ask.redirect_uri is not None and ask.redirect_uri not in self._identity.redirect_uris:
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
            response_mode=ask.response_mode,
            nonce=nonce,
            state=state,
            expires=expires,
            answer_key=creator.public_key,
            passing_key=jwk.generate(random_bytes=self._random_bytes) if encrypted else None,
            redirect_uri=ask.redirect_uri,
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
            ServiceError: `not_found` for an unknown id; `invalid_request` for a nonce or
                metadata past their limits, or a wallet that cannot read this request.
        """
        _, request = self._find(identifier, Code.NOT_FOUND)
        if wallet_nonce is not None and not 0 < len(wallet_nonce) <= MAX_WALLET_NONCE:
            raise ServiceError(Code.INVALID_REQUEST)
        if wallet_metadata is not None:
            self._check_metadata(wallet_metadata)
        policy = self._in_force(request.policy, self._clock.now())
        if policy is None:
            raise ServiceError(Code.NOT_FOUND)
        asked = openid4vp.Request(
            client_id=self._identity.client_id,
            response_uri=f"{self._identity.base_url}/v1/responses/{identifier}",
            response_mode=request.response_mode,
            nonce=request.nonce,
            state=request.state,
            query=dcql.for_facts(
                vct=policy.vct, required=policy.required, optional=policy.optional
            ),
            policy=policy.id,
            encryption=_announced(request.passing_key),
            wallet_nonce=wallet_nonce,
        )
        return openid4vp.sign_request(asked, path=self._identity.x5c, signer=self._signer)

    def respond(self, identifier: str, form: Mapping[str, str]) -> str | None:
        """Take a wallet's answer, use the question up, and keep the verdict for its creator.

        The wallet learns nothing of the verdict.

        Returns:
            Where the wallet sends its holder, in a flow on one device.

        Raises:
            ServiceError: `invalid_request` for whatever is not an answer to this question; it
                stays open then.
        """
        secret, request = self._find(identifier, Code.INVALID_REQUEST)
        now = self._clock.now()
        try:
            answer = _read_answer(request, form)
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
        self, policy: Policy, presentation: str, *, nonce: str, audience: str, now: UnixSeconds
    ) -> model.Shown | model.Refused:
        trust = self._knowledge.trust()
        if trust is None:
            raise ServiceError(Code.UNAVAILABLE)
        if len(presentation) > MAX_PRESENTATION:
            return model.Refused(code=model.public_code(Refusal.MALFORMED))
        try:
            accepted = verify.verify_presentation(
                presentation,
                policy=policy,
                audience=audience,
                nonce=nonce,
                trust=trust,
                status=self._knowledge,
                now=now,
            )
        except verify.PresentationRefused as refused:
            return model.Refused(code=model.public_code(refused.code))
        return model.Shown(
            policy=policy.id, facts=accepted.facts, status_age_s=accepted.status_age_s
        )

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
            return model.Refused(code=model.public_code(Refusal.MALFORMED))
        policy = self._in_force(request.policy, now)
        if policy is None:  # it went out of force since the question
            return model.Refused(code=model.public_code(Refusal.POLICY))
        audience = self._identity.client_id
        return self._verify(policy, presentation, nonce=request.nonce, audience=audience, now=now)

    def _find(self, identifier: str, absent: Code) -> tuple[bytes, model.OpenRequest]:
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
        return secret, request

    def _check_metadata(self, text: str) -> None:
        if len(text) > MAX_WALLET_METADATA:
            raise ServiceError(Code.INVALID_REQUEST)
        try:
            metadata = canonical_json.parse_object(text.encode())
        except (Malformed, UnicodeEncodeError) as error:
            raise ServiceError(Code.INVALID_REQUEST) from error
        prefix = self._identity.client_id.partition(":")[0]
        demands = (*_METADATA_DEMANDS, ("client_id_prefixes_supported", prefix))
        for name, needed in demands:
            offered = metadata.get(name)
            if offered is not None and not (isinstance(offered, list) and needed in offered):
                raise ServiceError(Code.INVALID_REQUEST)
        formats = metadata.get("vp_formats_supported", {catalogue.FORMAT: {}})
        if not isinstance(formats, dict) or catalogue.FORMAT not in formats:
            raise ServiceError(Code.INVALID_REQUEST)

    def _count(self, now: UnixSeconds) -> None:
        minute = now // 60
        if minute != self._minute:
            self._minute, self._started = minute, 0
        self._started += 1
        if self._started > REQUESTS_PER_MINUTE:
            raise ServiceError(Code.BUSY)


def _announced(passing_key: ec.EllipticCurvePrivateKey | None) -> openid4vp.EncryptionKey | None:
    if passing_key is None:
        return None
    return openid4vp.EncryptionKey(
        key=passing_key.public_key(), kid=_KID, encryptions=openid4vp.ENCRYPTIONS
    )


def _read_answer(
    request: model.OpenRequest, form: Mapping[str, str]
) -> openid4vp_answer.PlainAnswer | openid4vp_answer.Declined:
    """Read the form in the mode that was asked for, and compare the state.

    Raises:
        CryptoError: not an answer to this question. A `vp_token` in the clear is none where an
            encrypted one was asked for (OpenID4VP 1.0, 8.3); an error may come in the clear.
    """
    answer = openid4vp_answer.parse_answer(form)
    if isinstance(answer, openid4vp_answer.EncryptedAnswer):
        if request.passing_key is None:
            raise Malformed("no encryption was asked for (OpenID4VP 8.3)")
        answer = openid4vp_answer.decrypt_answer(answer, private_key=request.passing_key, kid=_KID)
    elif isinstance(answer, openid4vp_answer.PlainAnswer) and request.passing_key is not None:
        raise Malformed("encryption was asked for (OpenID4VP 8.3)")
    if not hmac.compare_digest((answer.state or "").encode(), request.state.encode()):
        raise Malformed("another state (OpenID4VP 5.2)")
    return answer


def _digest(response_code: str) -> bytes:
    return hashlib.sha256(response_code.encode()).digest()
