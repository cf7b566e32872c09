"""Read the outcome of a test run from its JUnit XML, as pytest writes it."""

from collections.abc import Mapping
from types import MappingProxyType
from xml.etree import ElementTree as ET

from idservice.auditor.model import Outcome

Outcomes = Mapping[tuple[str, str], Outcome]
"""By module (`tests.threats.test_x`, with the class, if any) and name of the test."""


class UnusableResults(Exception):
    """The file is not a JUnit XML."""


def parse(text: str) -> Outcomes:
    """Read the outcomes.

    Raises:
        UnusableResults: not XML, a document type declaration, or no test in it.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnusableResults("a test result needs no document type")
    try:
        root = ET.fromstring(text)  # noqa: S314, entities are refused above; our own run wrote it
    except ET.ParseError as error:
        raise UnusableResults("the results are not XML") from error
    outcomes = {
        (case.get("classname", ""), case.get("name", "")): _outcome(case)
        for case in root.iter("testcase")
    }
    if not outcomes:
        raise UnusableResults("the results hold no test")
    return MappingProxyType(outcomes)


def _outcome(case: ET.Element) -> Outcome:
    if case.find("failure") is not None or case.find("error") is not None:
        return Outcome.FAILED
    return Outcome.SKIPPED if case.find("skipped") is not None else Outcome.PASSED


def of(test: str, outcomes: Outcomes) -> Outcome | None:
    """Return how a file, or one test in it (`path::name`), ended; nothing if it was not run.

    All of it must have passed; tests that were skipped count only if no other was run.
    """
    path, _, name = test.partition("::")
    module = path.removesuffix(".py").replace("/", ".")
    found = {
        outcome
        for (place, case), outcome in outcomes.items()
        if (place == module or place.startswith(f"{module}."))
        and (not name or case == name or case.startswith(f"{name}["))
    }
    for outcome in (Outcome.FAILED, Outcome.PASSED, Outcome.SKIPPED):
        if outcome in found:
            return outcome
    return None
