"""`idservice init`: folders and keys for a city and for verifiers.

DESIGN, section 8. Nothing that exists is overwritten; what was made and what comes next is said.
The deciding and writing is done in `apps.founding`, `apps.admission` and `apps.samples`.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from idservice import clock, period
from idservice.apps import admission, founding, samples, settings
from idservice.apps.admission import Joining
from idservice.apps.founding import Chances
from idservice.apps.register import charters, city_log, publication
from idservice.apps.register.city_log import NotWitnessed
from idservice.apps.settings import City, UnusableSettings, Verifier
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
def init_city(  # noqa: PLR0913, one option for each thing that a city is told
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
    charter: Annotated[
        Path | None,
        typer.Option(help="The charter's terms: seats, witnesses, quorum, notice, sunset."),
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="A demonstration in which changes wait for seconds only."),
    ] = False,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="Say everywhere that this is no real city.")
    ] = False,
    with_test_hooks: Annotated[
        bool,
        typer.Option("--with-test-hooks", help="Write sample credentials; loopback only."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a city: root, issuer keys of each format for three periods, register, first bundle.

    Without a charter it is a demonstration, whose board and witnesses are keys in its folder.
    """
    city = City(
        name=name,
        issuer=issuer,
        languages=languages or ["en"],
        demonstration=demonstration,
        test_hooks=with_test_hooks,
    )
    if charter is not None and sandbox:
        raise UnusableSettings("whether a city is a sandbox says its charter")
    chances = _chances(0)
    try:
        bundle = founding.found_city(
            folder,
            city,
            residents=residents,
            chances=chances,
            terms=None if charter is None else charters.read(charter.read_bytes()),
            sandbox=sandbox,
            completing=_samples(chances) if with_test_hooks else founding.nothing,
        )
    except NotWitnessed:
        _tell_unwitnessed(folder, as_json=as_json)
        raise typer.Exit(1) from None
    register_told = _register_told(folder, chances)
    told = _bundle_told(bundle) | register_told | {"folder": str(folder), "made": _made(folder)}
    _tell(told, _after_founding(folder, bundle, told), as_json=as_json)


def _after_founding(folder: Path, bundle: TrustBundle, told: Mapping[str, object]) -> list[str]:
    return [
        f"Print the root fingerprint on your enrolment sheets:\n  {told['root_fingerprint']}",
        f"And beside it the charter fingerprint:\n  {told['charter_fingerprint']}",
        *_before_opening(folder),
        f"Before {_last_day(bundle)}, and every 28 days: idservice init announce {folder}",
    ]


def _before_opening(folder: Path) -> list[str]:
    return [
        f"Take {folder}/root offline; it is needed for `init admit` and `init announce` only.",
        f"idservice migrate issuer --folder {folder}/issuer",
        f"idservice serve issuer --folder {folder}/issuer",
    ]


def _tell_unwitnessed(folder: Path, *, as_json: bool) -> None:
    """Say what a city with a real charter waits for: witnesses that know its log."""
    log = city_log.public_key(folder)
    told = {"folder": str(folder), "log": log.text, "published": False, "made": _made(folder)}
    next_steps = [
        f"Give the log's key to the charter's witnesses, for `logs` in witness.json:\n  {log.text}",
        f"When they have it: idservice init announce {folder}",
        "Print the fingerprints of root and charter that it tells on your enrolment sheets.",
        *_before_opening(folder),
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
    """Certify a verifier, and publish those of its policies that are in force.

    In a sandbox the board in its folder decides at once. Anywhere else a policy takes the whole
    road: the change to propose is written, and 1 returned, until the register has it.
    """
    chances = _chances(_offset(folder, clock_offset))
    where = out or request.parent
    certificate = where / admission.CERTIFICATE
    admitted = admission.admit(
        folder,
        Joining(
            asked=request.read_bytes(),
            wishes=[path.read_bytes() for path in policies],
            certified=certificate.read_bytes() if certificate.exists() else None,
        ),
        replace=replace,
        chances=chances,
        wait=time.sleep,
    )
    published = (folder / "issuer" / "bundle.json").read_bytes()
    admission.hand_over(where, admitted, bundle=published)
    proposals = admission.write_proposals(where, admitted)
    register_told = _register_told(folder, chances)
    told = {
        **_bundle_told(admitted.bundle),
        **register_told,
        "certificate": str(certificate),
        "client_ids": list(admitted.client_ids),
        "policies": [each.id for each in admitted.policies],
        "not_in_force": [str(each) for each in proposals],
    }
    _tell(told, _after_admitting(folder, where, proposals), as_json=as_json)
    if proposals:
        raise typer.Exit(1)


def _after_admitting(folder: Path, where: Path, proposals: Sequence[Path]) -> list[str]:
    if not proposals:
        return [f"Give {admission.CERTIFICATE} and bundle.json in {where} to the verifier."]
    return [
        *(f"A seat of the board: idservice register propose {each}" for each in proposals),
        f"After it is enacted the same command again, or: idservice init announce {folder}",
        f"Then give {admission.CERTIFICATE} and bundle.json in {where} to the verifier.",
    ]


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
    chances = _chances(_offset(folder, clock_offset))
    bundle = founding.announce(folder, residents=residents, chances=chances)
    if (folder / "issuer" / samples.FOLDER).is_dir():
        _samples(chances)(folder)
    register_told = _register_told(folder, chances)
    told = _bundle_told(bundle) | register_told | {"folder": str(folder)}
    if bundle.announced:
        following = f"Before {_last_day(bundle)}: the same again."
    else:
        following = "Nothing can be issued: the register lets no period be announced."
    _tell(told, [following], as_json=as_json)


def _samples(chances: Chances) -> Callable[[Path], object]:
    return partial(samples.make, environ=os.environ, chances=chances)


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


def _register_told(folder: Path, chances: Chances) -> dict[str, object]:
    in_force = publication.read(folder, now=chances.now).in_force
    return {
        "charter_fingerprint": trust.fingerprint_text(in_force.charter_digest),
        "log": in_force.charter.log.text,
        "entries": in_force.size,
        "sandbox": in_force.sandbox,
        "sunset": in_force.charter.sunset.isoformat(),
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
