"""The documents say what is there, completely, and in the form that the auditor reads."""

import re
from pathlib import Path

import pytest

from idservice import catalogue, errors
from idservice.auditor import inventory, promises, threats
from idservice.auditor.model import Kind, Letter
from idservice.register import state
from idservice.verification.openid4vp_answer import WalletError
from idservice.verifier import model as verifier
from idservice.web import edge, problems, redaction

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MODEL = (DOCS / "threat-model.md").read_text()
THREATS = threats.parse(MODEL)
DOCUMENTS = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
DECISIONS = sorted((DOCS / "adr").glob("*.md"))
LAYOUT = re.compile(r"`((?:crypto|idservice|docs|tests|benchmarks|deploy)/[A-Za-z0-9_./-]+)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \|", re.MULTILINE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def section(text: str, heading: str) -> str:
    return text.split(f"\n## {heading}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat.ident)
def test_every_threat_is_answered_for(threat: threats.Threat) -> None:
    assert threat.letters
    assert threat.modules
    assert threat.tests or len(threat.reason) > 20
    assert "not written yet" not in threat.reason
    assert threats.check((threat,), root=ROOT, outcomes=None) == ()


def test_threat_ids_are_consecutive() -> None:
    assert [threat.ident for threat in THREATS] == [f"T{n:02}" for n in range(1, len(THREATS) + 1)]


def test_every_category_of_linddun_and_stride_is_thought_of() -> None:
    text = " ".join(threat.category for threat in THREATS)
    for names in threats.CATEGORIES.values():
        for name in names:
            assert name in text


def test_marks_name_threats_that_exist() -> None:
    known = {threat.ident for threat in THREATS}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        marked = set(re.findall(r'mark\.threat\("(T\d+)"\)', path.read_text()))
        assert marked <= known, relative(path)


def test_a_test_file_named_for_a_threat_is_listed_with_it() -> None:
    for path in sorted((ROOT / "tests" / "threats").glob("test_t*.py")):
        ident = path.name.split("_")[1].upper()
        threat = next(threat for threat in THREATS if threat.ident == ident)
        assert relative(path) in {name.partition("::")[0] for name in threat.tests}


@pytest.mark.parametrize(
    "ability",
    [
        "renewal handle",
        "enrolled_until",
        "status bits",
        "index rows",
        "withdrawn hashes",
        "suspending issuance",
        "counts",
        "policies",
        "trust bundle",
        "receipts",
        "root key",
    ],
)
def test_abilities_that_can_be_turned_are_listed_as_dual_use(ability: str) -> None:
    assert ability in section(MODEL, "Dual use")


@pytest.mark.parametrize(
    "words",
    [
        "duplicates",
        "switch to turn people off",
        "abuser with the phone",
        "herd",
        "photo",
        "retention",
        "Warrants for the future",
        "Banks",
        "Duress",
        "demand the phone",
        "stable identifier",
        "Mailing",
    ],
)
def test_tensions_are_stated(words: str) -> None:
    assert words in section(MODEL, "Tensions")


def test_every_promise_of_the_readme_has_its_letter() -> None:
    assert promises.check((ROOT / "README.md").read_text()) == ()


def test_refusals_are_listed_as_the_code_has_them() -> None:
    listed = dict(
        ROW.findall(section((DOCS / "errors.md").read_text(), "Why a presentation is refused"))
    )
    assert listed == {
        refusal.value: f"`{verifier.public_code(refusal)}`" for refusal in errors.Refusal
    }


def test_wallets_codes_are_listed_as_the_code_has_them() -> None:
    text = section((DOCS / "errors.md").read_text(), "When the wallet shows nothing")
    assert {code for code, _ in ROW.findall(text)} == {each.value for each in WalletError}


def test_errors_are_listed_as_the_code_has_them() -> None:
    text = section((DOCS / "errors.md").read_text(), "Why a request is not carried out")
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \| (.+) \|$", text, re.MULTILINE)
    assert {code: int(number) for code, number, _ in rows} == {
        code.value: problems.status(code) for code in errors.Code
    }
    for code, _, title in rows:
        assert title.encode() in problems.problem(errors.Code(code)).body


def test_reasons_of_the_register_are_listed_as_the_code_has_them() -> None:
    text = section((DOCS / "errors.md").read_text(), "Why the register does not log an entry")
    assert {reason for reason, _ in ROW.findall(text)} == {each.value for each in state.Reason}


def test_the_inventory_lists_log_fields_and_protective_headers() -> None:
    listed = inventory.load()
    assert {item.name for item in listed.of(Kind.LOG_FIELD, "log")} == set(redaction.FIELDS)
    headers = {item.name for item in listed.of(Kind.HEADER, "http")}
    assert {name.decode() for name, _ in edge.PROTECTIVE} <= headers
    assert not listed.of(Kind.METRIC, "http")
    assert not listed.of(Kind.COOKIE, "http")


def test_what_rests_on_mathematics_says_who_can_read_it() -> None:
    for item in inventory.load().items:
        if item.letter is Letter.MATHEMATICS:
            assert item.readers != "operator"


@pytest.mark.parametrize("path", DECISIONS, ids=relative)
def test_a_decision_says_context_options_choice_and_price(path: Path) -> None:
    text = path.read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Options", "Choice", "What we give up"]
    assert re.match(rf"# {path.name[:4]} \S", text)
    assert "\nStatus: " in text


def test_decisions_are_numbered_without_gaps() -> None:
    assert [path.name[:4] for path in DECISIONS] == [
        f"{n:04}" for n in range(1, len(DECISIONS) + 1)
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_paths_and_links_in_documents_exist(path: Path) -> None:
    text = path.read_text()
    named = {name for name in LAYOUT.findall(text) if "t99" not in name and name.islower()}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_documents_are_plain_text_of_readable_width(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        assert "\t" not in line, number
        assert len(line) <= 110 or line.startswith("|") or "::test_" in line, number


@pytest.mark.parametrize(
    "term",
    ["instance", "slip", "handle", "period", "index row", "offer", "policy", "trust bundle"],
)
def test_the_glossary_joins_the_words(term: str) -> None:
    text = (DOCS / "glossary.md").read_text()
    assert re.search(rf"^\| {term}[,| ]", text, re.MULTILINE)


def test_the_glossary_knows_the_credential() -> None:
    text = (DOCS / "glossary.md").read_text()
    assert f"`{catalogue.CONFIGURATION}`" in text


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_readme_gives_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text
