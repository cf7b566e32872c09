"""One PostgreSQL for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.fakes import engines, postgres


@pytest.fixture(scope="package")
def postgres_server() -> Iterator[postgres.Server]:
    yield from engines.server_or_skip()
