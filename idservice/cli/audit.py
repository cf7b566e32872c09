"""`idservice audit`: does the machine hold what the documents say, and no more?"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from idservice.apps import settings
from idservice.apps.settings import UnusableSettings
from idservice.auditor import comparison, folder, inventory, promises, results, schema, threats
from idservice.auditor.model import Finding, Inventory, Kind, Problem, Trouble
from idservice.cli import parts
from idservice.web import redaction

app = typer.Typer(
    cls=parts.later("counts", "linkability"),
    help="Compare the documents with the machine. Exit code 1: they differ.",
    no_args_is_help=True,
)

HTTP: Final = "http"
LOG: Final = "log"
_TIME_LIMIT: Final = 10.0

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(
    "inventory",
    epilog="Example: idservice audit inventory --folder city --base-url http://127.0.0.1:8080",
)
def audit_inventory(
    *,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--folder", help="A city's, verifier's or wallet's folder; may be repeated."),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Address of an office's database, with --office.")
    ] = None,
    office: Annotated[
        str, typer.Option(help="issuer, verifier, transparency, witness or governance.")
    ] = "issuer",
    base_urls: Annotated[
        list[str] | None,
        typer.Option("--base-url", help="A running office; its answers' headers are compared."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--inventory", help="Another inventory than the shipped one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the data inventory with log fields, databases, files and headers.

    The log's allow-list is always compared; databases are opened for reading only.
    """
    listed = inventory.load(file)
    looked = ["log fields"]
    findings = [*_log(listed)]
    for path in folders or ():
        looked.append(str(path))
        findings += _folder(path, listed)
    if database is not None:
        looked.append(f"the {office}'s database")
        findings += _database(database, office, listed)
    for url in base_urls or ():
        looked.append(url)
        findings += _headers(url, listed)
    _report_findings(findings, looked=looked, listed=len(listed.items), as_json=as_json)


def _log(listed: Inventory) -> Sequence[Finding]:
    return comparison.compare(redaction.FIELDS, listed, kind=Kind.LOG_FIELD, places=(LOG,))


def _folder(path: Path, listed: Inventory) -> list[Finding]:
    findings: list[Finding] = []
    for part in folder.parts(path):
        findings += comparison.compare(part.files, listed, kind=Kind.FILE, places=(part.place,))
        for place, sqlite in part.databases.items():
            findings += _columns(f"sqlite:///{sqlite.resolve()}", (place,), listed)
    return findings


def _database(url: str, office: str, listed: Inventory) -> Sequence[Finding]:
    places = tuple(f"{office}.{stem}" for stem in folder.DATABASES.get(office, ()))
    if not places:
        raise UnusableSettings(f"--office is {' or '.join(folder.DATABASES)}")
    return _columns(settings.database_address(url, told_by="--database"), places, listed)


def _columns(url: str, places: tuple[str, ...], listed: Inventory) -> Sequence[Finding]:
    engine = schema.open_for_reading(url)
    try:
        return schema.check_schema(schema.columns(engine), listed, *places)
    finally:
        engine.dispose()


def _headers(base_url: str, listed: Inventory) -> Sequence[Finding]:
    """Ask everything that can be asked without saying anything, and note the headers' names."""
    try:
        answers, metrics = _asked(base_url)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UnusableSettings("at --base-url no office answers") from error
    names = {name.lower() for answer in answers for name in answer.headers}
    cookies = {name for answer in answers for name in answer.cookies}
    found = [
        *comparison.compare(names, listed, kind=Kind.HEADER, places=(HTTP,)),
        *comparison.compare(cookies, listed, kind=Kind.COOKIE, places=(HTTP,)),
    ]
    if metrics.is_success:
        found += comparison.compare({"/metrics"}, listed, kind=Kind.METRIC, places=(HTTP,))
    return found


def _asked(base_url: str) -> tuple[Sequence[httpx.Response], httpx.Response]:
    with httpx.Client(base_url=base_url, timeout=_TIME_LIMIT, trust_env=False) as client:
        document = client.get("/openapi.json")
        paths = _paths(document.json()) if document.is_success else {}
        asked = [path for path, acts in paths.items() if "get" in acts and "{" not in path]
        answers = [document, *(client.get(path) for path in (*asked, "/absent"))]
        answers += [client.post(path) for path, acts in paths.items() if "post" in acts]
        return answers, client.get("/metrics")


def _paths(described: object) -> Mapping[str, Container[str]]:
    """Read which paths an OpenAPI document knows, and the acts of each."""
    match described:
        case {"paths": dict(paths)}:
            return {path: acts for path, acts in paths.items() if isinstance(acts, dict)}
        case _:
            return {}


def _report_findings(
    findings: Sequence[Finding], *, looked: Sequence[str], listed: int, as_json: bool
) -> None:
    if as_json:
        body = {
            "agrees": not findings,
            "looked_at": list(looked),
            "listed": listed,
            "findings": [
                {"trouble": item.trouble, "kind": item.kind, "place": item.place, "name": item.name}
                for item in findings
            ],
        }
        typer.echo(json.dumps(body, indent=2))
    else:
        for trouble in Trouble:
            for item in findings:
                if item.trouble is trouble:
                    typer.echo(f"{trouble:18} {item.kind:10} {item.place:16} {item.name!a}")
        verdict = f"{len(findings)} findings" if findings else "nothing unlisted, nothing absent"
        typer.echo(f"{listed} lines in the inventory, compared with {', '.join(looked)}: {verdict}")
    if findings:
        raise typer.Exit(1)


@app.command("threats", epilog="Example: idservice audit threats --results results.xml")
def audit_threats(
    *,
    root: Annotated[Path, typer.Option(help="A copy of the project.")] = Path(),
    results_file: Annotated[
        Path | None, typer.Option("--results", help="JUnit XML of a run of all tests.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the listed tests now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that each threat has tests that passed or a reason, and each promise its letter."""
    listed = threats.parse(_read(root / "docs" / "threat-model.md"))
    readme = _read(root / "README.md")
    outcomes = None
    if run:
        names = sorted({name for item in listed for name in item.tests})
        outcomes = _run(root, [name for name in names if _is_there(root, name)])
    elif results_file is not None:
        outcomes = results.parse(_read(results_file))
    problems = [
        *threats.check(listed, root=root, outcomes=outcomes),
        *promises.check(readme),
    ]
    tested = sum(bool(item.tests) for item in listed)
    _report_problems(
        problems, total=len(listed), tested=tested, ran=outcomes is not None, as_json=as_json
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _is_there(root: Path, test: str) -> bool:
    """Say whether pytest could find a test; one that it cannot find stops the whole run."""
    path, _, name = test.partition("::")
    return (root / path).is_file() and (not name or f"def {name}(" in _read(root / path))


def _run(root: Path, tests: list[str]) -> results.Outcomes:
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "results.xml"
        options = ["-q", "-m", "not long", "-p", "no:cacheprovider", f"--junitxml={report}"]
        done = subprocess.run(  # noqa: S603, our own interpreter and the paths of our own document
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=root,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        typer.echo(done.stdout + done.stderr, err=True)
        return results.parse(_read(report))


def _report_problems(
    problems: Sequence[Problem], *, total: int, tested: int, ran: bool, as_json: bool
) -> None:
    if as_json:
        body = {
            "holds": not problems,
            "threats": total,
            "with_tests": tested,
            "with_reason_only": total - tested,
            "results_read": ran,
            "problems": [{"where": item.where, "what": item.what} for item in problems],
        }
        typer.echo(json.dumps(body, indent=2))
    else:
        for problem in problems:
            typer.echo(f"{problem.where:8} {problem.what}")
        how = "their tests passed" if ran else "their tests exist (not run; see --results, --run)"
        typer.echo(f"{total} threats: {tested} with tests, {total - tested} with a reason why not.")
        typer.echo(f"{len(problems)} problems." if problems else f"All hold: {how}.")
    if problems:
        raise typer.Exit(1)


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="audit")
