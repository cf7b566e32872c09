import pytest

from crypto.errors import Malformed
from crypto.sdjwt import sd_jwt
from tests.fakes import sd_jwts

ISSUED = sd_jwts.credential()
SHOWN = sd_jwts.presentation()


def test_sec4_the_two_forms_have_two_types() -> None:
    issued, shown = sd_jwt.parse(ISSUED), sd_jwt.parse(SHOWN)
    assert isinstance(issued, sd_jwt.SdJwt)
    assert isinstance(shown, sd_jwt.SdJwtWithKeyBinding)
    assert sd_jwt.write(issued.issuer_jwt, issued.disclosures) == ISSUED
    assert SHOWN.startswith(shown.bound)
    assert shown.bound.endswith("~")
    assert sd_jwt.write(shown.sd_jwt.issuer_jwt, shown.sd_jwt.disclosures) == shown.bound
    assert issued.issuer_jwt == shown.sd_jwt.issuer_jwt


def test_a_caller_can_look_for_the_key_before_verifying() -> None:
    chain = ["MIIB", "MIIC"]
    text = sd_jwts.issued({}, header={**sd_jwts.HEADER, "x5c": chain})
    parsed = sd_jwt.parse(text)
    assert isinstance(parsed, sd_jwt.SdJwt)
    assert parsed.issuer.header["x5c"] == chain


JWT = ISSUED.partition("~")[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        "~~",
        JWT,
        ISSUED[:-1],
        ISSUED + "~",
        "~" + ISSUED,
        ISSUED.replace("~", "~~", 1),
        JWT + "~" * 1000,
        SHOWN.replace("~", "", 1),
        ISSUED + "x",
        ISSUED + "a.b",
        ISSUED + "e30.e30.AA.AA",
        ISSUED.replace(".", "~", 1),
        JWT + ".e30~",
        JWT.rpartition(".")[0] + "~",
        "a.b.c.d.e~",
        f" {ISSUED}",
        f"{ISSUED} ",
        f"{JWT}~é~",
        f"{JWT}~\udc80~",
    ],
)
def test_sec4_tildes_missing_or_too_many_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        sd_jwt.parse(text)


def test_limits_are_512_disclosures_and_64_kib() -> None:
    assert sd_jwt.parse(JWT + "~" + "AA~" * 512)
    with pytest.raises(Malformed):
        sd_jwt.parse(JWT + "~" + "AA~" * 513)
    room = 64 * 1024 - len(JWT) - 2
    assert sd_jwt.parse(f"{JWT}~{'A' * room}~")
    with pytest.raises(Malformed):
        sd_jwt.parse(f"{JWT}~{'A' * (room + 1)}~")
