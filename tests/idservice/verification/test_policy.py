from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError, Malformed, Refused
from idservice import catalogue
from idservice.catalogue import Purpose
from idservice.verification import policy

GOOD: JsonObject = {
    "id": "bank-account",
    "verifier": "Exampleton Savings Bank",
    "client_ids": ["x509_hash:" + "A" * 43, "x509_san_dns:bank.example"],
    "purpose": "account_opening",
    "place": "in the branch",
    "vct": "https://issuer.example/vct/resident/1",
    "formats": ["dc+sd-jwt"],
    "required": ["given_name", "age_over_18"],
    "optional": ["address.locality", "portrait"],
    "status_max_age_s": None,
    "retention": "none",
    "erase": "https://bank.example/erase",
    "notice": {"en": "To open an account.", "pt-BR": "Para abrir uma conta."},
    "expires": "2027-12-31",
}


def test_a_policy_is_read_and_written_back() -> None:
    parsed = policy.parse(GOOD)
    assert policy.write(parsed) == GOOD
    assert parsed.purpose is Purpose.ACCOUNT_OPENING
    assert parsed.expires == date(2027, 12, 31)
    assert parsed.required == ("given_name", "age_over_18")


def test_a_list_may_be_two_days_old_where_the_policy_says_nothing() -> None:
    silent = {name: value for name, value in GOOD.items() if name != "status_max_age_s"}
    assert policy.parse(silent).status_max_age_s == 48 * 3600
    assert policy.parse({**GOOD, "status_max_age_s": 60}).status_max_age_s == 60


def test_a_pseudonym_is_spelled_out_only_where_there_is_one() -> None:
    bbs = {**GOOD, "formats": ["jwp+bbs", "dc+sd-jwt"], "pseudonym": "member"}
    assert policy.write(policy.parse(bbs)) == bbs
    assert policy.parse(bbs).pseudonym == "member"
    assert policy.parse({**bbs, "pseudonym": None}).pseudonym is None
    assert "pseudonym" not in policy.write(policy.parse({**bbs, "pseudonym": None}))


def test_formats_keep_their_order_of_preference() -> None:
    for order in (["dc+sd-jwt", "jwp+bbs"], ["jwp+bbs", "dc+sd-jwt"], ["jwp+bbs"]):
        assert policy.parse({**GOOD, "formats": order}).formats == tuple(order)


@pytest.mark.parametrize("missing", sorted(GOOD.keys() - {"status_max_age_s"}))
def test_a_policy_without_one_member_is_malformed(missing: str) -> None:
    with pytest.raises(Malformed):
        policy.parse({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.threat("T40")
@pytest.mark.parametrize("purpose", catalogue.BARRED_PURPOSES)
def test_a_barred_purpose_is_refused_by_name(purpose: str) -> None:
    with pytest.raises(Refused, match=f"barred purpose: {purpose}"):
        policy.parse({**GOOD, "purpose": purpose})


@pytest.mark.threat("T39")
@pytest.mark.parametrize("purpose", Purpose)
def test_no_purpose_may_ask_beyond_its_list(purpose: Purpose) -> None:
    allowed = catalogue.ALLOWED[purpose]
    for claim in (*catalogue.CLAIMS, "nationality", "address", "_sd"):
        asking: JsonObject = {
            **GOOD,
            "purpose": purpose.value,
            "required": [min(allowed - set(catalogue.ADDRESS_CLAIMS) - {claim})],
            "optional": [claim],
        }
        age_twice = claim.startswith("age_over") and asking["required"][0].startswith("age_over")
        if claim in allowed and not age_twice:
            assert claim in policy.parse(asking).optional
        else:
            with pytest.raises(Refused):
                policy.parse(asking)


_REFUSED = {
    "nothing required": {"required": [], "optional": ["portrait"]},
    "a claim twice": {"required": ["given_name", "given_name"]},
    "required and optional": {"optional": ["given_name"]},
    "address required": {"required": ["address.locality"], "optional": []},
    "address as a whole": {"optional": ["address"]},
    "two thresholds": {"optional": ["age_over_21"]},
    "issuer only": {"optional": ["renewal_handle"]},
    "issuer only, required": {"required": ["enrolled_until"]},
    "unknown purpose": {"purpose": "marketing"},
    "unknown format": {"formats": ["dc+sd-jwt", "mso_mdoc"]},
    "no format": {"formats": []},
    "a format twice": {"formats": ["jwp+bbs", "jwp+bbs"]},
    "withdrawal faster than BBS": {"formats": ["jwp+bbs"], "status_max_age_s": 2_764_799},
    "a pseudonym without BBS": {"pseudonym": "member"},
}


@pytest.mark.parametrize("name", _REFUSED)
def test_a_policy_that_may_not_be_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        policy.parse({**GOOD, **_REFUSED[name]})


_MALFORMED: list[tuple[str, object]] = [
    ("more", 1),
    ("id", ""),
    ("id", "Bank"),
    ("id", "a" * 65),
    ("id", "bank\n"),
    ("id", 7),
    ("verifier", ""),
    ("verifier", "  "),
    ("verifier", "x" * 121),
    ("verifier", "The \u202eknaB"),
    ("verifier", "The\x00Bank"),
    ("verifier", "The\nBank"),
    ("verifier", "The \u2028Bank"),
    ("verifier", "The \ue000Bank"),
    ("verifier", "\u3164"),
    ("place", "Bank\u034f"),
    ("retention", "kept" + "\u00a0" * 60 + "nothing"),
    ("notice", {"en": "To open it." + "\u0301" * 5}),
    ("client_ids", []),
    ("client_ids", "x509_hash:" + "A" * 43),
    ("client_ids", ["x509_hash:" + "A" * 43] * 2),
    ("client_ids", [f"x509_san_dns:{number}.example" for number in range(17)]),
    ("client_ids", ["bank.example"]),
    ("client_ids", ["redirect_uri:https://bank.example"]),
    ("client_ids", ["x509_hash:" + "A" * 42]),
    ("client_ids", ["x509_hash:" + "A" * 44]),
    ("client_ids", ["x509_san_dns:"]),
    ("client_ids", ["x509_san_dns:*.example"]),
    ("client_ids", ["x509_san_dns:Bank.example"]),
    ("client_ids", ["X509_HASH:" + "A" * 43]),
    ("purpose", None),
    ("place", 1),
    ("vct", "resident"),
    ("vct", "https://issuer.example/ vct"),
    ("formats", None),
    ("formats", [1]),
    ("pseudonym", ""),
    ("pseudonym", "Member"),
    ("pseudonym", "m" * 33),
    ("pseudonym", "member\n"),
    ("pseudonym", 1),
    ("required", "given_name"),
    ("required", [1]),
    ("optional", None),
    ("status_max_age_s", 0),
    ("status_max_age_s", -1),
    ("status_max_age_s", 1.5),
    ("status_max_age_s", True),
    ("status_max_age_s", "60"),
    ("retention", None),
    ("retention", "x" * 1001),
    ("erase", "http://bank.example/erase"),
    ("erase", "javascript:alert(1)"),
    ("erase", ""),
    ("notice", {}),
    ("notice", []),
    ("notice", {"EN": "text"}),
    ("notice", {"en": ""}),
    ("notice", {"en": None}),
    ("expires", "2027-13-01"),
    ("expires", "20271231"),
    ("expires", "2027-12-31T00:00:00"),
    ("expires", 20271231),
]


@pytest.mark.parametrize(("member", "value"), _MALFORMED)
def test_a_badly_spelled_policy_is_malformed(member: str, value: object) -> None:
    with pytest.raises(Malformed):
        policy.parse({**GOOD, member: value})


@pytest.mark.parametrize("value", [None, [], "policy", 1])
def test_what_is_no_object_is_malformed(value: object) -> None:
    with pytest.raises(Malformed):
        policy.parse(value)


def test_names_in_many_scripts_can_be_shown() -> None:
    for name in (
        "Öffentliche Bücherei",
        "\u0633\u0627\u0644\u0646\u200c\u06a9\u062a\u0627\u0628",
        "पुस्तकालय",
        "図書館",
    ):
        assert policy.parse({**GOOD, "verifier": name}).verifier == name


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(st.sampled_from(sorted(GOOD)), json_values)
def test_what_is_accepted_is_written_back_as_it_was(member: str, value: object) -> None:
    given = {**GOOD, member: value}
    try:
        parsed = policy.parse(given)
    except CryptoError:
        return
    assert policy.write(parsed) == given
