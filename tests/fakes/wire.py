"""A wallet's wire with a whole city behind it: an honest issuer and its verifiers, in memory.

Each office is a few lines that answer as the specifications say; a test that wants a dishonest
one replaces one answer, by `issuing` (what the issuer signs) or `answers` (a whole response).
"""

import functools
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crypto.bbs import jwp
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.jose import jwk, jws
from crypto.sdjwt import sd_jwt, verify
from crypto.sdjwt.sd_jwt import SdJwtWithKeyBinding
from crypto.x509 import issue, x5c
from crypto.x509.issue import Validity
from crypto.x509.profile import Names, Role
from idservice import catalogue
from idservice.issuer import metadata
from idservice.verification import dcql, formats, openid4vp, openid4vp_answer
from idservice.verification import verify as check
from idservice.verification.openid4vp import Invitation, ResponseMode
from idservice.verification.trust import Announced
from idservice.wallet.model import Request, Response
from tests.fakes.city import RESIDENT, FakeCity, p256
from tests.fakes.city_verifiers import FakeVerifier

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
TRANSACTION_CODE = "493536"
CODE = "SplxlOBeZQQYbYS6WxSbIA"

Issuing = Callable[[FakeCity, int, object], str]
"""Makes the instance of one place for one holder key."""


BbsIssuing = Callable[[FakeCity, bytes], str]
"""Makes the one credential for a commitment."""


def honest(city: FakeCity, place: int, holder: object) -> str:
    return city.issue(RESIDENT, holder, 1000 + place)


def honest_bbs(city: FakeCity, commitment: bytes) -> str:
    return city.issue_bbs(RESIDENT, commitment)


@dataclass(slots=True)
class FakeWire:
    """Answers what a wallet sends, and remembers it."""

    city: FakeCity
    issuing: Issuing = honest
    bbs_issuing: BbsIssuing = honest_bbs
    answers: dict[str, Response | Exception] = field(default_factory=dict)
    """Replaces the answer at an address."""
    requests: dict[str, str] = field(default_factory=dict)
    """Request objects, by the address at which they lie."""
    make_request: dict[str, Callable[[str | None], str]] = field(default_factory=dict)
    """Makes a request object for a wallet's nonce."""
    sent: list[Request] = field(default_factory=list)
    on_post: Callable[[Request], None] = field(default=lambda _request: None)
    renewals: list[JsonObject] = field(default_factory=list)
    signed_metadata: bool = False
    redirect_uri: str | None = None

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        self.on_post(request)
        prepared = self.answers.get(request.url)
        if isinstance(prepared, Exception):
            raise prepared
        if prepared is not None:
            return prepared
        return self._answer(request)

    def _answer(self, request: Request) -> Response:
        if request.url in self.requests or request.url in self.make_request:
            return self._request_object(request)
        if not request.url.startswith(self.city.issuer):
            body = {} if self.redirect_uri is None else {"redirect_uri": self.redirect_uri}
            return as_json(body)
        path = urllib.parse.urlsplit(request.url).path
        routes: dict[str, Callable[[], Response]] = {
            "/.well-known/openid-credential-issuer": self._metadata,
            "/.well-known/oauth-authorization-server": lambda: as_json(
                metadata.authorization_server(self.city.issuer)
            ),
            "/token": lambda: self._token(form(request)),
            "/nonce": lambda: as_json({"c_nonce": "fresh-nonce"}),
            "/credential": lambda: self._credentials(canonical_json.parse_object(request.body)),
            "/v1/renew": lambda: self._renew(canonical_json.parse_object(request.body)),
            "/v1/withdraw": lambda: as_json({}),
            **{
                f"/offers/{one}/ref": functools.partial(self._offer, one)
                for one in catalogue.CONFIGURATIONS
            },
        }
        return routes[path]()

    def _offer(self, configuration: str) -> Response:
        return as_json(offer(self.city, configuration=configuration))

    def _metadata(self) -> Response:
        content = metadata.credential_issuer(
            metadata.City(issuer=self.city.issuer, name="Exampleton", languages=("en",))
        )
        supported = content["credential_configurations_supported"]
        assert isinstance(supported, dict)
        supported.setdefault(catalogue.BBS_CONFIGURATION, {"format": catalogue.BBS_FORMAT})
        if not self.signed_metadata:
            return as_json(content)
        key = p256("metadata key")
        leaf = issue.leaf_certificate(
            role=Role.METADATA,
            public_key=key.public_key(),
            authority=self.city.root,
            common_name="Exampleton metadata",
            names=Names(uris=(self.city.issuer,)),
            validity=Validity(
                not_before=self.city.announced.nbf, not_after=self.city.announced.exp
            ),
            serial=500,
        )
        token = metadata.sign(
            content,
            x5c=[str(one) for one in x5c.encode([leaf])],
            signer=jws.es256_signer(key),
            now=self.city.now,
        )
        return Response(status=200, media_type="application/jwt", body=token.encode())

    def _token(self, told: Mapping[str, str]) -> Response:
        renewed = told["pre-authorized_code"] == "renewed"
        if not renewed and told.get("tx_code") != TRANSACTION_CODE:
            return as_json({"error": "invalid_grant"}, status=400)
        return as_json({"access_token": "token", "token_type": "Bearer", "expires_in": 900})

    def _credentials(self, body: JsonObject) -> Response:
        proofs = body["proofs"]
        assert isinstance(proofs, dict)
        if body["credential_configuration_id"] == catalogue.BBS_CONFIGURATION:
            return self._bbs_credential(proofs)
        tokens = proofs["jwt"]
        assert isinstance(tokens, list)
        credentials: list[JsonValue] = []
        for place, token in enumerate(tokens):
            parsed = jws.parse(str(token))
            holder = jwk.parse_public(parsed.header["jwk"])
            jws.check_header(parsed.header, algorithm="ES256", typ="openid4vci-proof+jwt")
            jws.verify_signature(parsed, key=holder)
            claims = canonical_json.parse_object(parsed.payload)
            assert claims["aud"] == self.city.issuer
            assert claims["nonce"] == "fresh-nonce"
            assert "iss" not in claims
            credentials.append({"credential": self.issuing(self.city, place, holder)})
        return as_json({"credentials": credentials})

    def _bbs_credential(self, proofs: JsonObject) -> Response:
        assert proofs.keys() == {"bbs_commitment"}
        (text,) = proofs["bbs_commitment"]
        commitment = base64url.decode(text)
        jwp.check_request(commitment)
        credential = self.bbs_issuing(self.city, commitment)
        return as_json({"credentials": [{"credential": credential}]})

    def _renew_bbs(self, presentation: str) -> Response:
        shown = check.verify_credential(
            presentation,
            audience=self.city.issuer,
            nonce="fresh-nonce",
            trust=self.city.trust,
            now=self.city.now,
        )
        self.renewals.append(shown.claims)
        content = offer(
            self.city,
            code="renewed",
            with_code=False,
            configuration=catalogue.BBS_CONFIGURATION,
        )
        return as_json({"credential_offer": content})

    def _renew(self, body: JsonObject) -> Response:
        if formats.is_bbs(str(body["presentation"])):
            return self._renew_bbs(str(body["presentation"]))
        presented = sd_jwt.parse(str(body["presentation"]))
        assert isinstance(presented, SdJwtWithKeyBinding)
        shown = verify.verify(
            presented,
            issuer_key=self.city.issuer_keys[self.city.period].public_key(),
            audience=self.city.issuer,
            nonce="fresh-nonce",
            now=presented_at(presented),
        )
        self.renewals.append(shown.claims)
        return as_json({"credential_offer": offer(self.city, code="renewed", with_code=False)})

    def _request_object(self, request: Request) -> Response:
        if request.url in self.make_request:
            told = form(request) if request.method == "POST" else {}
            token = self.make_request[request.url](told.get("wallet_nonce"))
        else:
            token = self.requests[request.url]
        return Response(
            status=200, media_type="application/oauth-authz-req+jwt", body=token.encode()
        )


def presented_at(presented: SdJwtWithKeyBinding) -> int:
    return int(str(canonical_json.parse_object(presented.key_binding.payload)["iat"]))


def as_json(value: JsonObject, *, status: int = 200) -> Response:
    body = canonical_json.serialize(value)
    return Response(status=status, media_type="application/json", body=body)


def form(request: Request) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))


def offer(
    city: FakeCity,
    *,
    code: str = CODE,
    with_code: bool = True,
    configuration: str = catalogue.CONFIGURATION,
) -> JsonObject:
    grant: JsonObject = {"pre-authorized_code": code}
    if with_code:
        grant["tx_code"] = {"input_mode": "numeric", "length": 6}
    return {
        "credential_issuer": city.issuer,
        "credential_configuration_ids": [configuration],
        "grants": {GRANT: grant},
    }


def offer_link(content: JsonObject) -> str:
    text = canonical_json.serialize(content).decode()
    return f"openid-credential-offer://?credential_offer={urllib.parse.quote(text)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a verifier asks; each test changes one thing."""

    verifier: FakeVerifier
    policy: str | None
    query: dcql.Query
    client_id: str
    response_uri: str
    post: bool = False
    mode: ResponseMode = ResponseMode.DIRECT_POST
    encryption: openid4vp.EncryptionKey | None = None
    nonce: str = "question-1"
    state: str | None = "state-1"


def asking(verifier: FakeVerifier, **changes: object) -> Asking:
    """Ask as the verifier's policy allows."""
    told = {
        "verifier": verifier,
        "policy": verifier.policy.id,
        "query": dcql.for_facts(
            vct=verifier.policy.vct,
            required=verifier.policy.required,
            optional=verifier.policy.optional,
        ),
        "client_id": verifier.dns_client_id,
        "response_uri": f"https://{verifier.dns_name}/openid4vp/response",
    }
    return Asking(**(told | changes))


def request_of(asked: Asking, *, wallet_nonce: str | None = None) -> openid4vp.Request:
    return openid4vp.Request(
        client_id=asked.client_id,
        response_uri=asked.response_uri,
        response_mode=asked.mode,
        nonce=asked.nonce,
        state=asked.state,
        query=asked.query,
        policy=asked.policy,
        encryption=asked.encryption,
        wallet_nonce=wallet_nonce,
    )


def signed(
    asked: Asking,
    *,
    wallet_nonce: str | None = None,
    changes: Mapping[str, JsonValue] | None = None,
    header: Mapping[str, JsonValue] | None = None,
) -> str:
    """Sign a request object; `changes` and `header` replace members after the fact."""
    payload = openid4vp.write_request(request_of(asked, wallet_nonce=wallet_nonce))
    return jws.sign(
        header={
            "alg": "ES256",
            "typ": "oauth-authz-req+jwt",
            "x5c": asked.verifier.x5c,
            **(header or {}),
        },
        payload=canonical_json.serialize({**payload, **(changes or {})}),
        signer=jws.es256_signer(asked.verifier.key),
    )


def put(wire: FakeWire, asked: Asking, token: str | None = None) -> str:
    """Lay a request down at the verifier and return the text of its QR code."""
    address = f"https://{asked.verifier.dns_name}/openid4vp/request/1"
    if token is None:
        wire.make_request[address] = lambda nonce: signed(asked, wallet_nonce=nonce)
    else:
        wire.requests[address] = token
    return openid4vp.write_invitation(
        Invitation(client_id=asked.client_id, request_uri=address, post=asked.post)
    )


def shown_to(asked: Asking, request: Request, *, city: FakeCity) -> JsonObject:
    """Check what the wallet posted as a verifier would, and return the claims."""
    answer = openid4vp_answer.parse_answer(form(request))
    assert isinstance(answer, openid4vp_answer.PlainAnswer)
    assert answer.state == asked.state
    presented = sd_jwt.parse(openid4vp_answer.presentation_in(answer))
    return verify.verify(
        presented,
        issuer_key=city.issuer_keys[city.period].public_key(),
        audience=asked.client_id,
        nonce=asked.nonce,
        now=city.now,
    ).claims


def announced_for(city: FakeCity, ahead: int) -> Announced:
    """Return what is announced for a period counted from the present one."""
    return next(one for one in city.trust.announced if one.period == city.period + ahead)
