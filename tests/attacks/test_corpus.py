"""Every row of the corpus is played by a test, or listed with the reason why not."""

import ast
import csv
import re
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROWS = {row["id"]: row for row in csv.DictReader((HERE / "corpus.csv").read_text().splitlines())}
# Only with the corpus's own prefixes: `P-256` and `SHA-256` are no attacks.
PREFIXES = "|".join(sorted({identifier.rpartition("-")[0] for identifier in ROWS}))
IDENTIFIER = re.compile(rf"(?:{PREFIXES})-\d{{3}}")


def played() -> set[str]:
    """Collect the ids in test files that mark their tests with `attack(...)`."""
    found: set[str] = set()
    for path in HERE.parent.rglob("test_*.py"):
        text = path.read_text()
        if path == Path(__file__) or "mark.attack(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if IDENTIFIER.fullmatch(node.value) else set()
    return found


def out_of_reach() -> dict[str, str]:
    """Read the lists of rows that no test plays, with the reasons."""
    listed: dict[str, str] = {}
    for path in sorted((HERE / "out_of_reach").glob("*.toml")):
        reasons = tomllib.loads(path.read_text())
        assert list(reasons) == sorted(reasons), path.name
        assert not listed.keys() & reasons.keys(), path.name
        listed |= reasons
    return listed


def test_every_row_is_played_or_has_a_reason() -> None:
    missing = ROWS.keys() - played() - out_of_reach().keys()
    assert not missing, sorted(missing)


def test_no_row_is_both_played_and_out_of_reach() -> None:
    both = played() & out_of_reach().keys()
    assert not both, sorted(both)


def test_only_rows_of_the_corpus_are_named() -> None:
    unknown = (played() | out_of_reach().keys()) - ROWS.keys()
    assert not unknown, sorted(unknown)
    assert all(IDENTIFIER.fullmatch(identifier) for identifier in ROWS)


def test_every_reason_is_a_sentence() -> None:
    short = 20
    assert all(len(reason) >= short for reason in out_of_reach().values())
