"""Presentation requests and answers as messages (OpenID4VP 1.0, sections 5 and 8)."""

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Expired, Malformed, NotYetValid, Refused, Untrusted
from crypto.instant import UnixSeconds
from crypto.jose import jwk, jws
from crypto.x509.profile import Role
from idservice.verification import dcql, openid4vp, openid4vp_answer
from idservice.verification.openid4vp import ResponseMode
from idservice.verification.openid4vp_answer import Declined, WalletError
from tests.fakes import certificates

ROOT = certificates.root()
LEAF = certificates.der(certificates.leaf(ROOT, Role.VERIFIER))
SIGNER = jws.es256_signer(certificates.p256("leaf"))
NOW = certificates.NOW
PASSING = certificates.p256("passing")
KEY = openid4vp.EncryptionKey(
    key=PASSING.public_key(), kid="answer", encryptions=openid4vp.ENCRYPTIONS
)
REQUEST = openid4vp.Request(
    client_id=openid4vp.client_id_for_certificate(LEAF),
    response_uri="https://bar.example/v1/responses/abc",
    response_mode=ResponseMode.DIRECT_POST,
    nonce="n-0S6_WzA2Mj",
    state="st~te.1",
    query=dcql.for_facts(vct="https://issuer.example/vct", required=["resident"], optional=[]),
    policy="bar-door",
    encryption=None,
    wallet_nonce=None,
)
BY_NAME = replace(REQUEST, client_id="x509_san_dns:bar.example")
ENCRYPTED = replace(REQUEST, response_mode=ResponseMode.DIRECT_POST_JWT, encryption=KEY)


@dataclass
class Wallet:
    """What the wallet knows when it opens a request."""

    client_id: str = REQUEST.client_id
    wallet_nonce: str | None = None
    now: UnixSeconds = NOW
    root: str = "root"

    def opens(self, token: str) -> openid4vp.Request:
        return openid4vp.authenticate(
            token,
            invitation=openid4vp.Invitation(
                client_id=self.client_id, request_uri="https://bar.example/r", post=True
            ),
            wallet_nonce=self.wallet_nonce,
            root=certificates.root(self.root).certificate,
            now=self.now,
        )


def sign(request: openid4vp.Request = REQUEST) -> str:
    return openid4vp.sign_request(request, path=(LEAF,), signer=SIGNER)


def sign_changed(
    change: Callable[[JsonObject], object], *, header: JsonObject | None = None
) -> str:
    payload = openid4vp.write_request(REQUEST)
    change(payload)
    x5c = [base64.b64encode(LEAF).decode()]
    full: JsonObject = {"alg": "ES256", "typ": openid4vp.REQUEST_TYPE, "x5c": x5c}  # type: ignore[dict-item]
    return jws.sign(
        header={**full, **(header or {})},
        payload=canonical_json.serialize(payload),
        signer=SIGNER,
    )


TRACELESS = replace(
    REQUEST,
    query=dcql.for_facts(
        vct="https://issuer.example/vct",
        required=["resident"],
        optional=[],
        credential_format="jwp+bbs",
    ),
)


def test_a_request_says_the_one_format_that_it_asks_for() -> None:
    for request, name in ((REQUEST, "dc+sd-jwt"), (TRACELESS, "jwp+bbs")):
        payload = openid4vp.write_request(request)
        metadata, asked = payload["client_metadata"], payload["dcql_query"]
        assert isinstance(metadata, dict)
        assert isinstance(asked, dict)
        supported = metadata["vp_formats_supported"]
        assert isinstance(supported, dict)
        assert list(supported) == [name]
        assert [each.format for each in dcql.parse(asked).credentials] == [name]


def test_a_request_in_a_format_that_the_verifier_does_not_read_is_malformed() -> None:
    payload = openid4vp.write_request(TRACELESS)
    other = openid4vp.write_request(REQUEST)["client_metadata"]
    with pytest.raises(Malformed):
        openid4vp.parse_request({**payload, "client_metadata": other})


@pytest.mark.parametrize(
    "request_",
    [REQUEST, BY_NAME, ENCRYPTED, TRACELESS],
    ids=["hash", "name", "jwt", "bbs"],
)
def test_signed_request_is_read_back_by_the_wallet(request_: openid4vp.Request) -> None:
    assert Wallet(client_id=request_.client_id).opens(sign(request_)) == request_


def test_payload_says_what_section_5_asks_for() -> None:
    payload = openid4vp.write_request(ENCRYPTED)
    metadata = payload["client_metadata"]
    assert isinstance(metadata, dict)
    assert payload["aud"] == "https://self-issued.me/v2"
    assert payload["response_type"] == "vp_token"
    assert payload["verifier_info"] == [
        {"format": "idservice-policy", "data": {"policy": "bar-door"}}
    ]
    assert metadata["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
    assert metadata["jwks"] == {
        "keys": [
            {**jwk.public_jwk(KEY.key), "kid": "answer", "use": "enc", "alg": "ECDH-ES"},
        ]
    }
    assert "redirect_uri" not in payload


def test_same_inputs_give_the_same_request_object() -> None:
    assert sign() == sign()


def test_wallet_nonce_is_echoed_and_compared() -> None:
    token = sign(replace(REQUEST, wallet_nonce="fresh"))
    assert Wallet(wallet_nonce="fresh").opens(token).wallet_nonce == "fresh"
    for other in ("Fresh", "fresh ", "stale"):
        with pytest.raises(Refused):
            Wallet(wallet_nonce=other).opens(token)
    with pytest.raises(Refused):
        Wallet(wallet_nonce="fresh").opens(sign())


def test_request_signed_for_another_client_is_refused() -> None:
    with pytest.raises(Refused):
        Wallet(client_id="x509_san_dns:bar.example").opens(sign())


def test_certificate_of_another_verifier_is_refused() -> None:
    other = replace(REQUEST, client_id="x509_hash:" + base64url.encode(bytes(32)))
    with pytest.raises(Refused):
        Wallet(client_id=other.client_id).opens(sign(other))
    named = replace(REQUEST, client_id="x509_san_dns:bank.example")
    with pytest.raises(Refused):
        Wallet(client_id=named.client_id).opens(sign(named))


def test_sec5_9_3_response_uri_on_another_host_than_the_name_is_refused() -> None:
    elsewhere = replace(BY_NAME, response_uri="https://collector.example/v1")
    with pytest.raises(Refused):
        Wallet(client_id=BY_NAME.client_id).opens(sign(elsewhere))


def test_certificate_of_another_city_or_role_or_out_of_date_is_refused() -> None:
    with pytest.raises(Untrusted):
        Wallet(root="another root").opens(sign())
    issuer = certificates.der(certificates.leaf(ROOT, Role.ISSUER))
    token = openid4vp.sign_request(
        replace(REQUEST, client_id=openid4vp.client_id_for_certificate(issuer)),
        path=(issuer,),
        signer=SIGNER,
    )
    with pytest.raises(Untrusted):
        Wallet(client_id=openid4vp.client_id_for_certificate(issuer)).opens(token)
    with pytest.raises(Expired):
        Wallet(now=UnixSeconds(NOW + 5000)).opens(sign())


def test_times_in_a_request_are_obeyed() -> None:
    assert Wallet().opens(sign_changed(lambda p: p.update(exp=NOW + 1, nbf=NOW)))
    with pytest.raises(Expired):
        Wallet().opens(sign_changed(lambda p: p.update(exp=NOW)))
    with pytest.raises(NotYetValid):
        Wallet().opens(sign_changed(lambda p: p.update(nbf=NOW + 1)))
    with pytest.raises(Malformed):
        Wallet().opens(sign_changed(lambda p: p.update(exp="soon")))


CHANGES: dict[str, Callable[[JsonObject], object]] = {
    "other audience": lambda p: p.update(aud="https://wallet.example"),
    "no audience": lambda p: p.pop("aud"),
    "other response type": lambda p: p.update(response_type="code"),
    "other response mode": lambda p: p.update(response_mode="fragment"),
    "list as response mode": lambda p: p.update(response_mode=["direct_post"]),
    "redirect_uri": lambda p: p.update(redirect_uri="https://bar.example"),
    "scope": lambda p: p.update(scope="openid"),
    "transaction_data": lambda p: p.update(transaction_data=["e30"]),
    "no nonce": lambda p: p.pop("nonce"),
    "nonce with line end": lambda p: p.update(nonce="a\r\nb"),
    "nonce no text": lambda p: p.update(nonce=1),
    "empty state": lambda p: p.update(state=""),
    "no response_uri": lambda p: p.pop("response_uri"),
    "response_uri over http": lambda p: p.update(response_uri="http://bar.example/r"),
    "response_uri with user": lambda p: p.update(response_uri="https://a@bar.example/r"),
    "response_uri no address": lambda p: p.update(response_uri="https://[::1"),
    "no query": lambda p: p.pop("dcql_query"),
    "no metadata": lambda p: p.pop("client_metadata"),
    "other format": lambda p: p.update(client_metadata={"vp_formats_supported": {}}),
    "no client_id": lambda p: p.pop("client_id"),
    "unprefixed client_id": lambda p: p.update(client_id="bar.example"),
    "redirect_uri client_id": lambda p: p.update(client_id="redirect_uri:https://bar.example"),
    "no verifier_info array": lambda p: p.update(verifier_info={}),
    "two policies": lambda p: p.update(verifier_info=[p["verifier_info"][0]] * 2),  # type: ignore[index, call-overload]
    "policy no text": lambda p: p.update(
        verifier_info=[{"format": "idservice-policy", "data": {"policy": 1}}]
    ),
    "jwt without keys": lambda p: p.update(response_mode="direct_post.jwt"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_request_that_says_something_else_is_refused(
    change: Callable[[JsonObject], object],
) -> None:
    with pytest.raises(CryptoError):
        Wallet().opens(sign_changed(change))


def jwks(*keys: JsonObject, **others: object) -> Callable[[JsonObject], object]:
    def change(payload: JsonObject) -> None:
        payload["response_mode"] = "direct_post.jwt"
        payload["client_metadata"] = {
            "vp_formats_supported": {"dc+sd-jwt": {}},
            "jwks": {"keys": list(keys)},
            **others,  # type: ignore[dict-item]
        }

    return change


PUBLIC: JsonObject = {**jwk.public_jwk(KEY.key), "kid": "k", "alg": "ECDH-ES"}


def test_first_usable_key_is_chosen_and_encryption_defaults_to_a128gcm() -> None:
    okp: JsonObject = {"kty": "OKP", "crv": "X25519", "kid": "o", "alg": "ECDH-ES", "x": "AA"}
    off_the_curve: JsonObject = {**PUBLIC, "x": PUBLIC["y"]}
    nameless = {name: value for name, value in PUBLIC.items() if name != "kid"}
    opened = Wallet().opens(sign_changed(jwks(okp, off_the_curve, nameless, PUBLIC)))
    assert opened.encryption is not None
    assert (opened.encryption.kid, opened.encryption.encryptions) == ("k", ("A128GCM",))


@pytest.mark.parametrize(
    "change",
    [
        jwks(),
        jwks(*[PUBLIC] * 9),
        jwks({**PUBLIC, "alg": "ECDH-ES+A128KW"}),
        jwks({**PUBLIC, "d": PUBLIC["x"]}),
        jwks({name: value for name, value in PUBLIC.items() if name != "kid"}),
        jwks(PUBLIC, encrypted_response_enc_values_supported=["A128CBC-HS256"]),
        jwks(PUBLIC, encrypted_response_enc_values_supported="A128GCM"),
    ],
    ids=["none", "many", "wrapped", "private", "no kid", "other encryption", "no array"],
)
def test_unusable_encryption_keys_are_refused(change: Callable[[JsonObject], object]) -> None:
    with pytest.raises(Malformed):
        Wallet().opens(sign_changed(change))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"x5c": []},
        {"x5c": None},
        {"x5c": ["AAAA"]},
        {"crit": ["b64"], "b64": False},
    ],
    ids=str,
)
def test_request_with_another_header_is_refused(header: JsonObject) -> None:
    with pytest.raises(CryptoError):
        Wallet().opens(sign_changed(lambda _: None, header=header))


def test_unsigned_stripped_or_changed_request_is_refused() -> None:
    head, body, signature = sign().split(".")
    none = base64url.encode(b'{"alg":"none","typ":"oauth-authz-req+jwt"}')
    for token in (
        f"{none}.{body}.",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body[:-4]}AAAA.{signature}",
        sign() + "A" * openid4vp.MAX_REQUEST,
    ):
        with pytest.raises(CryptoError):
            Wallet().opens(token)


def test_invitation_is_read_back() -> None:
    for post in (True, False):
        invitation = openid4vp.Invitation(
            client_id=REQUEST.client_id, request_uri="https://bar.example/r/1?a=b&c", post=post
        )
        text = openid4vp.write_invitation(invitation)
        assert text.startswith("openid4vp://?client_id=x509_hash%3A")
        assert openid4vp.parse_invitation(text, loopback=False) == invitation


@pytest.mark.parametrize(
    "text",
    [
        "https://bar.example",
        "openid4vp://?client_id=x",
        "openid4vp://?request_uri=https%3A%2F%2Fbar.example",
        "openid4vp://?client_id=x&client_id=y&request_uri=https%3A%2F%2Fbar.example",
        "openid4vp://?client_id=x&request_uri=http%3A%2F%2Fbar.example",
        "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fbar.example&request_uri_method=put",
        "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fbar.example&request=eyJ",
        "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fbar.example%23frag",
        "openid4vp://?client_id=%ff&request_uri=https%3A%2F%2Fbar.example",
        "openid4vp://?client_id&request_uri",
        "openid4vp://",
        "openid4vp://[",
        "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fbar.example%3A99999",
        "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fbar.example%2F%0Ar",
        "openid4vp://?client_id=x&request_uri=%20https%3A%2F%2Fbar.example%2Fr",
        "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fb%C3%A4r.example%2Fr",
        "openid4vp://?" + "a" * 5000,
    ],
)
def test_malformed_invitation_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        openid4vp.parse_invitation(text, loopback=True)


def test_http_is_accepted_on_this_machine_and_in_a_demonstration_only() -> None:
    local = "openid4vp://?client_id=x&request_uri=http%3A%2F%2F127.0.0.1%3A8000%2Fr"
    invitation = openid4vp.parse_invitation(local, loopback=True)
    assert invitation.request_uri == "http://127.0.0.1:8000/r"
    with pytest.raises(Malformed):
        openid4vp.parse_invitation(local, loopback=False)


def write(request: openid4vp.Request) -> dict[str, str]:
    return openid4vp_answer.write_answer(request, "a~b~c", random_bytes=os.urandom)


def test_plain_answer_is_read_back() -> None:
    answer = openid4vp_answer.parse_answer(write(REQUEST))
    assert isinstance(answer, openid4vp_answer.PlainAnswer)
    assert answer.state == REQUEST.state
    assert openid4vp_answer.presentation_in(answer) == "a~b~c"


def test_encrypted_answer_is_read_back_and_says_nothing_in_the_clear() -> None:
    form = write(ENCRYPTED)
    assert form.keys() == {"response"}
    answer = openid4vp_answer.parse_answer(form)
    assert isinstance(answer, openid4vp_answer.EncryptedAnswer)
    opened = openid4vp_answer.decrypt_answer(answer, private_key=PASSING, kid="answer")
    assert isinstance(opened, openid4vp_answer.PlainAnswer)
    assert opened.state == REQUEST.state
    assert openid4vp_answer.presentation_in(opened) == "a~b~c"
    with pytest.raises(Refused):
        openid4vp_answer.decrypt_answer(answer, private_key=PASSING, kid="other")
    with pytest.raises(Refused):
        openid4vp_answer.decrypt_answer(
            answer, private_key=certificates.p256("other"), kid="answer"
        )


def test_answers_without_state_carry_none() -> None:
    assert write(replace(REQUEST, state=None)).keys() == {"vp_token"}
    assert openid4vp_answer.write_refusal(replace(REQUEST, state=None)).keys() == {"error"}
    answer = openid4vp_answer.parse_answer(write(replace(ENCRYPTED, state=None)))
    assert isinstance(answer, openid4vp_answer.EncryptedAnswer)
    opened = openid4vp_answer.decrypt_answer(answer, private_key=PASSING, kid="answer")
    assert opened.state is None


def test_refusal_is_one_text_for_every_reason() -> None:
    form = openid4vp_answer.write_refusal(ENCRYPTED)
    assert form == {"error": "access_denied", "state": REQUEST.state}
    assert openid4vp_answer.parse_answer(form) == Declined(
        error=WalletError.ACCESS_DENIED, state=REQUEST.state
    )


def test_error_codes_are_a_closed_list() -> None:
    for told, kept in (
        ("wallet_unavailable", WalletError.WALLET_UNAVAILABLE),
        ("Maria Muster was here\r\n<b>", WalletError.OTHER),
    ):
        form = {"error": told, "error_description": "Maria Muster", "state": "s"}
        assert openid4vp_answer.parse_answer(form) == Declined(error=kept, state="s")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"state": "s"},
        {"vp_token": "{}", "error": "access_denied"},
        {"vp_token": "{}", "response": "a.b.c.d.e"},
        {"vp_token": "not json"},
        {"vp_token": '{"a":1,"a":2}'},
        {"vp_token": "[]"},
        {"vp_token": "{}", "state": ""},
        {"vp_token": "{}", "state": "a b"},
        {"vp_token": "{}", "state": "a" * 1024},
    ],
    ids=str,
)
def test_malformed_answer_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        openid4vp_answer.parse_answer(form)


@pytest.mark.parametrize(
    "vp_token",
    [
        "{}",
        '{"other":["p"]}',
        '{"resident":["p"],"other":["p"]}',
        '{"resident":[]}',
        '{"resident":["p","p"]}',
        '{"resident":"p"}',
        '{"resident":[{}]}',
    ],
)
def test_vp_token_with_other_credentials_than_asked_for_is_refused(vp_token: str) -> None:
    answer = openid4vp_answer.parse_answer({"vp_token": vp_token, "state": "s"})
    assert isinstance(answer, openid4vp_answer.PlainAnswer)
    with pytest.raises(Malformed):
        openid4vp_answer.presentation_in(answer)
