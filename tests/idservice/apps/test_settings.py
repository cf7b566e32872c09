"""What a process is told: which addresses it may have, and which databases."""

from pathlib import Path

import pytest

from idservice.apps import settings
from idservice.apps.settings import UnusableSettings


@pytest.mark.parametrize(
    "address",
    ["https://id.example", "https://id.example:8443/city", "http://127.0.0.1:1", "http://[::1]:80"],
)
def test_a_base_address_that_may_be(address: str) -> None:
    settings.check_base_url(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://[",
        "https://id.example:99999",
        "https://id.example:0",
        "https://id.example:x",
        "https://id example",
        "https://id.example\n",
        "https://\u00e9.example",
        "https://id.example?",
        "https://id.example#",
        "https://me@id.example",
        "https://id.example/",
        "https://",
        "http://id.example",
        "ftp://id.example",
    ],
)
def test_a_base_address_that_may_not_be_is_refused(address: str) -> None:
    with pytest.raises(UnusableSettings):
        settings.check_base_url(address)


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:////folder/name.db",
        "postgresql+psycopg://issuer:pass:/word[@host/issuer",
        "postgresql+psycopg://issuer@/name?host=/folder",
        "postgresql://[::1]:5432/name",
    ],
)
def test_a_database_is_the_one_that_the_environment_names(tmp_path: Path, address: str) -> None:
    environ = {settings.DATABASE: address}
    assert settings.lasting_database(tmp_path, environ=environ) == address


@pytest.mark.parametrize(
    "address",
    [
        "mysql://host/secret",
        "postgresql+other://host/secret",
        "postgresql://host:port/secret",
        "sqlite:///",
        "sqlite:///:memory:",
        "secret",
    ],
)
def test_a_database_of_another_kind_is_refused_and_not_repeated(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(UnusableSettings, match=settings.DATABASE) as refused:
        settings.lasting_database(tmp_path, environ={settings.DATABASE: address})
    assert "secret" not in str(refused.value)
