"""Which addresses are on this machine: where `http` may be spoken and the clock moved."""

import pytest

from idservice import loopback


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://127.8.8.8/x", "http://[::1]:1/", "http://LOCALHOST"]
)
def test_this_machine(url: str) -> None:
    assert loopback.holds(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://127.0.0.1@city.example",
        "http://city.example/127.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::1",
        "127.0.0.1",
        "",
    ],
)
def test_another_machine_or_none(url: str) -> None:
    assert not loopback.holds(url)
