"""The one place that joins a format's name with the functions of `crypto`."""

import pytest

from crypto.errors import Malformed, WrongAlgorithm
from crypto.sdjwt.sd_jwt import SdJwt, SdJwtWithKeyBinding
from idservice.verification import formats
from tests.fakes import city as cities
from tests.fakes import showing

CITY = cities.make()


def test_an_sd_jwt_is_taken_apart_with_and_without_the_holders_answer() -> None:
    credential = CITY.issue(cities.RESIDENT, cities.holder_key().public_key(), 1)
    issued = formats.parse(credential)
    shown = formats.parse(showing.show(CITY, "resident"))
    assert isinstance(issued.body, SdJwt)
    assert isinstance(shown.body, SdJwtWithKeyBinding)
    assert issued.format == shown.format == "dc+sd-jwt"
    assert issued.header == shown.header
    formats.check_type(shown)


def test_another_type_is_refused_before_any_key_is_looked_for() -> None:
    shown = showing.show(CITY, "resident", header={"typ": "vc+sd-jwt"})
    with pytest.raises(WrongAlgorithm):
        formats.check_type(formats.parse(shown))


@pytest.mark.parametrize("text", ["", "o2d2ZXJzaW9u", "{}", "a.b.c"])
def test_an_unknown_format_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        formats.parse(text)
