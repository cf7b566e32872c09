import pytest

from crypto.errors import Malformed
from crypto.status import reference
from crypto.status.reference import Reference

URI = "https://issuer.example/v1/status/resident_sd_jwt/11"
ENTRY = {"idx": 7, "uri": URI}


def test_sec6_2_a_reference_is_read_back() -> None:
    given = Reference(uri=URI, index=7)
    assert reference.parse({"status": reference.claim(given)}) == given


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"status": None},
        {"status": []},
        {"status": {}},
        {"status": {"status_list": None}},
        {"status": {"status_list": {"idx": 7}}},
        {"status": {"status_list": {"uri": URI}}},
        {"status": {"status_list": {**ENTRY, "more": 1}}},
        {"status": {"status_list": ENTRY, "other_mechanism": {}}},
        *({"status": {"status_list": {**ENTRY, "idx": index}}} for index in (-1, 2**32 - 1, 2**53)),
        *({"status": {"status_list": {**ENTRY, "idx": index}}} for index in (7.0, "7", True, None)),
        *(
            {"status": {"status_list": {**ENTRY, "uri": uri}}}
            for uri in (
                None,
                7,
                "",
                "ftp://a/b",
                URI + "?who=1",
                URI + "#x",
                URI + "\n",
                "https://",
            )
        ),
    ],
)
def test_another_status_claim_is_malformed(claims: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        reference.parse(claims)
