"""The served OpenAPI document, held against the running counter by generated requests."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fakes import verifier_office as offices

OFFICE = offices.make()
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", OFFICE.app())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@SCHEMA.parametrize()
@settings(
    max_examples=8, derandomize=True, deadline=None, suppress_health_check=QUIET, database=None
)
def test_every_answer_is_documented(case: schemathesis.Case) -> None:
    OFFICE.clock.time += 1
    case.call_and_validate(
        headers={"Authorization": f"Bearer {offices.API_KEY}"},
        checks=[*CHECKS, negative_data_rejection] if "verify" in case.path else CHECKS,
    )


@pytest.mark.long
@SCHEMA.parametrize()
@settings(
    max_examples=12_500, derandomize=True, deadline=None, suppress_health_check=QUIET, database=None
)
def test_every_answer_is_documented_in_a_hundred_thousand_cases(case: schemathesis.Case) -> None:
    OFFICE.clock.time += 1
    case.call_and_validate(headers={"Authorization": f"Bearer {offices.API_KEY}"}, checks=CHECKS)
