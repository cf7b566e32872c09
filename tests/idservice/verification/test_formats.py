"""The one place that joins a format's name with the functions of `crypto`."""

import pytest

from crypto.errors import HolderBinding, Malformed, WrongAlgorithm
from idservice.verification import formats
from tests.fakes import city as cities
from tests.fakes import showing

CITY = cities.make()


def test_a_shown_sd_jwt_is_taken_apart() -> None:
    shown = formats.parse(showing.show(CITY, "resident"))
    formats.check_type(shown.sd_jwt.issuer.header)


def test_a_credential_that_nobody_shows_is_refused() -> None:
    credential = CITY.issue(cities.RESIDENT, cities.holder_key().public_key(), 1)
    with pytest.raises(HolderBinding):
        formats.parse(credential)


def test_the_usual_header_is_the_one_that_our_issuer_writes() -> None:
    shown = showing.show(CITY, "resident")
    text = formats.usual_header([*CITY.announced.x5c_text])
    assert shown.startswith(text + ".")


def test_another_type_is_refused_before_any_key_is_looked_for() -> None:
    shown = showing.show(CITY, "resident", header={"typ": "vc+sd-jwt"})
    with pytest.raises(WrongAlgorithm):
        formats.check_type(formats.parse(shown).sd_jwt.issuer.header)


@pytest.mark.parametrize("text", ["", "o2d2ZXJzaW9u", "{}", "a.b.c"])
def test_an_unknown_format_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        formats.parse(text)
