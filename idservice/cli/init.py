"""`idservice init`: folders and keys for a city and for verifiers.

DESIGN, section 8. Nothing that exists is overwritten; what was made and what comes next is said.
The deciding and writing is done in `apps.founding`, `apps.admission` and `apps.samples`.
"""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from idservice import clock, period
from idservice.apps import admission, founding, samples, settings
from idservice.apps.founding import Chances
from idservice.apps.settings import City, UnusableSettings, Verifier
from idservice.errors import ServiceError
from idservice.verification import trust
from idservice.verification.trust import TrustBundle

app = typer.Typer(
    help="Make folders and keys for a city or a verifier; admit verifiers; announce new keys.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Offset = Annotated[
    int,
    typer.Option("--clock-offset", help="Seconds to move the clock (demonstration only)."),
]


_ADMIT = "idservice init admit CITY --request verifier.csr --policy POLICY.json"


@app.command(
    "city",
    epilog="Example: idservice init city mycity --name Exampleton --issuer https://id.example.org",
)
def init_city(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    name: Annotated[str, typer.Option(help="What people call the city.")],
    issuer: Annotated[str, typer.Option(help="The issuer's base address; http on loopback only.")],
    languages: Annotated[
        list[str] | None, typer.Option("--language", help="May be repeated; en if not given.")
    ] = None,
    residents: Annotated[
        int, typer.Option(help="How many may have a card: the size of status lists.", min=1)
    ] = 1000,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="Say everywhere that this is no real city.")
    ] = False,
    with_test_hooks: Annotated[
        bool,
        typer.Option("--with-test-hooks", help="Write sample credentials; loopback only."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a city: root, issuer keys of each format for three periods, the first trust bundle."""
    city = City(
        name=name,
        issuer=issuer,
        languages=languages or ["en"],
        demonstration=demonstration,
        test_hooks=with_test_hooks,
    )
    with _misuse_told():
        chances = _chances(0)
        bundle = founding.found_city(folder, city, residents=residents, chances=chances)
        if with_test_hooks:
            samples.make(folder, environ=os.environ, chances=chances)
    told = _bundle_told(bundle) | {"folder": str(folder), "made": _made(folder)}
    next_steps = [
        f"Print the root fingerprint on your enrolment sheets:\n  {told['root_fingerprint']}",
        f"Take {folder}/root offline; it is needed for `init admit` and `init announce` only.",
        f"idservice migrate issuer --folder {folder}/issuer",
        f"idservice serve issuer --folder {folder}/issuer",
        f"Before {_last_day(bundle)}, and every 28 days: idservice init announce {folder}",
    ]
    _tell(told, next_steps, as_json=as_json)


@app.command(
    "verifier",
    epilog="Example: idservice init verifier library --name 'City Library'"
    " --base-url https://library.example --policy library-card",
)
def init_verifier(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    name: Annotated[str, typer.Option(help="What people call the verifier.")],
    base_url: Annotated[str, typer.Option(help="Its base address; http on loopback only.")],
    policies: Annotated[
        list[str], typer.Option("--policy", help="A policy's id; may be repeated.")
    ],
    prefix: Annotated[
        Literal["x509_hash", "x509_san_dns"],
        typer.Option("--client-id-prefix", help="How wallets are told who asks."),
    ] = "x509_hash",
    redirect_uris: Annotated[
        list[str] | None,
        typer.Option("--redirect-uri", help="Where a holder's browser may be sent back to."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a verifier's key and certificate request; the key never leaves its folder."""
    wished = Verifier(
        name=name,
        base_url=base_url,
        client_id_prefix=prefix,
        policies=policies,
        api_keys=[],
        redirect_uris=redirect_uris or [],
    )
    with _misuse_told():
        chances = _chances(0)
        api_key = admission.found_verifier(folder, wished, chances=chances)
    told: dict[str, object] = {
        "folder": str(folder),
        "made": _made(folder),
        "request": str(folder / admission.REQUEST),
        "api_key": api_key,
    }
    next_steps = [
        f"Keep this API key for your counters; it is shown once:\n  {api_key}",
        f"Send {folder / admission.REQUEST} and your policies to the city, for\n  {_ADMIT}",
        f"Put the {admission.CERTIFICATE} and bundle.json that come back into {folder}.",
        f"idservice migrate verifier --folder {folder}",
        f"idservice serve verifier --folder {folder}",
    ]
    _tell(told, next_steps, as_json=as_json)


@app.command(
    "admit",
    epilog="Example: idservice init admit mycity --request library/verifier.csr"
    " --policy library-card.json",
)
def init_admit(
    folder: Annotated[Path, typer.Argument(metavar="CITY", help="The city's folder.")],
    *,
    request: Annotated[Path, typer.Option(help="The verifier's certificate request.")],
    policies: Annotated[
        list[Path], typer.Option("--policy", help="A policy as JSON; may be repeated.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Where certificate and bundle go; beside the request if not given."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of policies with the same id.")
    ] = False,
    clock_offset: Offset = 0,
    as_json: AsJson = False,
) -> None:
    """Certify a verifier and put its policies into the next trust bundle."""
    with _misuse_told():
        chances = _chances(_offset(folder, clock_offset))
        admitted = admission.admit(
            folder,
            asked=request.read_bytes(),
            wishes=[path.read_bytes() for path in policies],
            replace=replace,
            chances=chances,
        )
        where = out or request.parent
        published = (folder / "issuer" / "bundle.json").read_bytes()
        admission.hand_over(where, admitted, bundle=published)
    told = _bundle_told(admitted.bundle) | {
        "certificate": str(where / admission.CERTIFICATE),
        "client_ids": list(admitted.client_ids),
        "policies": [each.id for each in admitted.policies],
    }
    next_steps = [f"Give {admission.CERTIFICATE} and bundle.json in {where} to the verifier."]
    _tell(told, next_steps, as_json=as_json)


@app.command("announce", epilog="Example: idservice init announce mycity")
def init_announce(
    folder: Annotated[Path, typer.Argument(metavar="CITY", help="The city's folder.")],
    *,
    residents: Annotated[
        int | None, typer.Option(help="How many may have a card, if that has changed.", min=1)
    ] = None,
    clock_offset: Offset = 0,
    as_json: AsJson = False,
) -> None:
    """Make keys that are missing, of each format, two periods ahead; publish the next bundle."""
    with _misuse_told():
        chances = _chances(_offset(folder, clock_offset))
        bundle = founding.announce(folder, residents=residents, chances=chances)
        if (folder / "issuer" / samples.FOLDER).is_dir():
            samples.make(folder, environ=os.environ, chances=chances)
    told = _bundle_told(bundle) | {"folder": str(folder)}
    _tell(told, [f"Before {_last_day(bundle)}: the same again."], as_json=as_json)


@contextmanager
def _misuse_told() -> Iterator[None]:
    try:
        yield
    except (UnusableSettings, ServiceError, OSError) as error:
        typer.echo(f"Not done: {error}.", err=True)
        raise typer.Exit(2) from error


def _chances(offset: int) -> Chances:
    now = clock.SystemClock(offset=offset).now()
    return Chances(now=now, random_bytes=secrets.token_bytes)


def _offset(folder: Path, offset: int) -> int:
    """Return the offset if the city's folder may have one."""
    return settings.issuer(folder / "issuer", environ={}, clock_offset=offset).clock_offset


def _bundle_told(bundle: TrustBundle) -> dict[str, object]:
    return {
        "city": bundle.city,
        "root_fingerprint": trust.fingerprint_text(bundle.root_fingerprint),
        "bundle_version": bundle.version,
        "periods": [each.period for each in bundle.announced],
        "formats": sorted(
            {each.format for each in bundle.announced}
            | {each.format for each in bundle.announced_bbs}
        ),
        "demonstration": bundle.demonstration,
    }


def _last_day(bundle: TrustBundle) -> str:
    """The day on which the last announced period begins: from then on none is ahead."""
    newest = max(each.nbf for each in bundle.announced)
    return period.day(newest).isoformat()


def _made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _tell(told: Mapping[str, object], next_steps: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    for name, value in told.items():
        if isinstance(value, list):
            typer.echo(f"{name}:")
            for each in value:
                typer.echo(f"  {each}")
        else:
            typer.echo(f"{name}: {value}")
    typer.echo("next:")
    for number, step in enumerate(next_steps, start=1):
        typer.echo(f"  {number}. " + step.replace("\n", "\n    "))


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="init")
