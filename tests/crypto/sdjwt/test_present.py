import pytest

from crypto.errors import Malformed
from crypto.sdjwt import present, sd_jwt, verify
from tests.fakes import sd_jwts


def issued(text: str) -> sd_jwt.SdJwt:
    found = sd_jwt.parse(text)
    assert isinstance(found, sd_jwt.SdJwt)
    return found


CREDENTIAL = issued(sd_jwts.credential())
VISIBLE = {"iss", "vct", "nbf", "exp", "status", "cnf", "address"}


def shown(*paths: tuple[str | int, ...]) -> dict[str, object]:
    text = present.present(CREDENTIAL, paths=paths)
    return {**verify.verify_issued(issued(text), issuer_key=sd_jwts.ISSUER_KEY).claims}


def test_sec7_2_only_the_chosen_claims_are_shown() -> None:
    claims = shown(("resident",))
    assert claims.keys() == VISIBLE | {"resident"}
    assert claims["address"] == {}


def test_sec7_2_an_inner_claim_brings_what_holds_it() -> None:
    assert shown(("languages", 2))["languages"] == ["es", "ht"]
    assert shown(("languages",))["languages"] == ["es"]
    assert shown(("languages", 0), ("languages", 2))["languages"] == ["en", "es", "ht"]


def test_members_of_a_visible_object_are_chosen_one_by_one() -> None:
    assert shown(("address", "locality"))["address"] == {"locality": "Springfield"}
    assert shown(("address",))["address"] == {}


def test_visible_claims_may_be_named_and_nothing_shows_nothing() -> None:
    assert shown(("vct",), ("status", "status_list", "idx")).keys() == VISIBLE
    assert shown().keys() == VISIBLE


def test_the_order_is_the_issuers_not_the_choosers() -> None:
    one = present.present(CREDENTIAL, paths=[("resident",), ("given_name",)])
    other = present.present(CREDENTIAL, paths=[("given_name",), ("resident",)])
    assert one == other


def test_a_path_that_leads_nowhere_is_our_own_mistake() -> None:
    for path in (("street",), ("address", "street"), ("languages", 3), ("_sd",), ("_sd_alg",)):
        with pytest.raises(ValueError, match="no claim"):
            present.present(CREDENTIAL, paths=[path])


def test_the_disclosable_paths_are_the_frame() -> None:
    paths = present.disclosable(CREDENTIAL)
    assert set(paths) == sd_jwts.FRAME.disclosable
    assert paths.index(("languages",)) < paths.index(("languages", 0))


@pytest.mark.parametrize(
    "text",
    [
        sd_jwts.issued({"_sd": "x"}),
        sd_jwts.issued({"_sd": None}),
        sd_jwts.issued(b"[]"),
        sd_jwts.issued({"_sd": [sd_jwts.digest("e30")]}, ["e30"]),
        sd_jwts.issued(
            {"_sd": [sd_jwts.digest(sd_jwts.disclose("s", 1))]}, [sd_jwts.disclose("s", 1)]
        ),
        sd_jwts.issued(
            {"a": [{"...": sd_jwts.digest(sd_jwts.disclose("s", "n", 1))}]},
            [sd_jwts.disclose("s", "n", 1)],
        ),
    ],
)
def test_an_ill_made_credential_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        present.disclosable(issued(text))


def test_undisclosed_and_unreferenced_parts_are_passed_over() -> None:
    stray = sd_jwts.disclose("s", "n", 1)
    text = sd_jwts.issued({"_sd": ["x", 5], "a": [{"...": "y"}, 1]}, [stray])
    assert present.disclosable(issued(text)) == ()
    assert present.present(issued(text), paths=[("a", 1)]) == sd_jwts.issued(
        {"_sd": ["x", 5], "a": [{"...": "y"}, 1]}
    )


def test_a_long_chain_of_disclosures_is_malformed() -> None:
    texts: list[str] = []
    value: object = 1
    for at in range(400):
        texts.append(sd_jwts.disclose(f"s{at}", "n", value))
        value = {"_sd": [sd_jwts.digest(texts[-1])]}
    with pytest.raises(Malformed):
        present.disclosable(issued(sd_jwts.issued({"top": value}, texts)))
