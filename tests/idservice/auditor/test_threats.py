"""A threat is answered for by tests that passed or by a reason; a promise by its letter."""

from pathlib import Path

import pytest

from idservice.auditor import promises, results, threats
from idservice.auditor.model import Letter, Outcome

ENTRY = """## Threats

### T01 Somebody looks

- Who: anybody
- Category: LINDDUN Linking, Identifying
- Letter: M, C
- Mitigation: Something
  that takes two lines.
- Module: `a.py`
- Residual risk: Some.
- Tests: `tests/test_a.py`, `tests/test_b.py::test_one`
"""
REASON = ENTRY.replace("T01", "T02").split("- Tests")[0] + "- Not tested: cannot be.\n"
RESULTS = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_x"/>
<testcase classname="tests.test_a.TestClass" name="test_y"/>
<testcase classname="tests.test_b" name="test_one[a]"/>
<testcase classname="tests.test_b" name="test_one[b]"><skipped/></testcase>
<testcase classname="tests.test_b" name="test_other"><failure/></testcase>
<testcase classname="tests.test_c" name="test_z"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    for name in ("a.py", "tests/test_a.py", "tests/test_b.py"):
        (tmp_path / name).touch()
    return tmp_path


def test_an_entry_is_read_with_its_continued_lines() -> None:
    one, two = threats.parse(ENTRY + REASON)
    assert one.letters == (Letter.MATHEMATICS, Letter.CODE)
    assert one.mitigation == "Something that takes two lines."
    assert one.tests == ("tests/test_a.py", "tests/test_b.py::test_one")
    assert (two.tests, two.reason) == ((), "cannot be.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ENTRY + ENTRY,
        ENTRY.replace("- Letter: M, C\n", ""),
        ENTRY.replace("Letter: M, C", "Letter: X"),
        ENTRY.replace("LINDDUN Linking", "LINDDUN Spoofing"),
        ENTRY.replace("LINDDUN ", ""),
        ENTRY.replace("- Who: anybody\n", "- Who: anybody\n- Who: again\n"),
        ENTRY.replace("- Who", "- Colour: red\n- Who"),
        ENTRY.split("- Tests", maxsplit=1)[0],
    ],
)
def test_an_incomplete_entry_is_refused(text: str) -> None:
    with pytest.raises(threats.UnusableModel):
        threats.parse(text)


def test_passed_tests_hold(root: Path) -> None:
    listed = threats.parse(ENTRY + REASON)
    assert threats.check(listed, root=root, outcomes=None) == ()
    assert threats.check(listed, root=root, outcomes=results.parse(RESULTS)) == ()


def test_an_absent_test_or_module_is_a_problem(root: Path) -> None:
    (root / "a.py").unlink()
    (root / "tests" / "test_a.py").unlink()
    problems = threats.check(threats.parse(ENTRY), root=root, outcomes=None)
    assert [item.what for item in problems] == ["a.py is absent", "tests/test_a.py is absent"]


@pytest.mark.parametrize(
    ("test", "word"),
    [
        ("tests/test_b.py", "failed"),
        ("tests/test_b.py::test_other", "failed"),
        ("tests/test_b.py::test_on", "was not run"),
        ("tests/test_c.py", "skipped"),
    ],
)
def test_a_test_that_did_not_pass_is_a_problem(root: Path, test: str, word: str) -> None:
    (root / "tests" / "test_c.py").touch()
    text = ENTRY.replace("`tests/test_a.py`, `tests/test_b.py::test_one`", f"`{test}`")
    problems = threats.check(threats.parse(text), root=root, outcomes=results.parse(RESULTS))
    assert [item.what for item in problems] == [f"{test} {word}"]


def test_outcomes_are_per_file_or_per_test() -> None:
    outcomes = results.parse(RESULTS)
    assert results.of("tests/test_a.py", outcomes) is Outcome.PASSED
    assert results.of("tests/test_b.py", outcomes) is Outcome.FAILED
    assert results.of("tests/test_b.py::test_one", outcomes) is Outcome.PASSED
    assert results.of("tests/test.py", outcomes) is None


@pytest.mark.parametrize("text", ["", "<a/>", "<!DOCTYPE a><a/>"])
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(results.UnusableResults):
        results.parse(text)


def test_promises_carry_letters() -> None:
    text = (
        f"# X\n\n{promises.SECTION}\n\n- **M** this\n- **C, P** that\n  goes on\n\n## Next\n- x\n"
    )
    assert promises.check(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "# X\n",
        f"{promises.SECTION}\n\n",
        f"{promises.SECTION}\n- this\n",
        f"{promises.SECTION}\n- **X** this\n",
        f"{promises.SECTION}\n- **M** this\n- **M**\n",
    ],
)
def test_a_promise_without_a_letter_is_a_problem(text: str) -> None:
    assert promises.check(text)
