"""Write `benchmarks/README.md` and its charts from `benchmarks/results/latest.json`.

`python -m benchmarks.report` writes the three files; a test compares them with what is generated.
The measuring stands in `run.py`, how charts are drawn in `chart`, a resident's year in `year`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import chart, year
from benchmarks.figures import BBS_PEERS, FIGURES, PEERS, Figure, Group

FOLDER = Path(__file__).parent
LATEST = FOLDER / "results" / "latest.json"
README = FOLDER / "README.md"
CHART = FOLDER / "results" / "chart.svg"
BBS_CHART = FOLDER / "results" / "bbs.svg"

Table = Mapping[str, Mapping[str, float]]

_INTRODUCTION = """\
# Benchmarks

`make bench` measures; this page and its charts are made from `results/latest.json` by
`python -m benchmarks.report`. Figures are ratios between blocks that take turns in the same run,
because ratios travel between machines and absolute times do not; the tables in milliseconds, and
the log's figures, are this machine's.
"""

_RAW2 = """\
**RAW2** is the least that any verifier of such a presentation must do: the issuer's and the
holder's P-256 signature, keys preloaded, nothing else.
"""

_FLOOR = """\
The **floor** of a verification is its own group operations: the very calls into the curve library
that it makes, on the very octets, recorded once and played again with nothing in between. What
is above 1 is hashing, parsing and Python.
"""

_ACTS = """\
Milliseconds, the least of all rounds. `sign` is what the issuer does, `check` what the holder does
at receipt (for the credential in constant time, because its secret is among what is signed),
`show` makes a proof in constant time, `verify` checks one. Of a credential that was just checked
the point that is signed is known, and `show` does not compute it again; our wallet does both each
time. arkworks has no constant-time arithmetic, so nothing is signed or shown with it.
"""

_BATCH = """\
Showings of the credential in batches, milliseconds for each one. In a batch the pairings are
settled together, so what is left is each proof's own sums.
"""

_BBS_PEERS = """\
Other implementations of base BBS on the same 10 messages, 3 of them shown, in the same run;
milliseconds of the main thread's processor time.
"""

_YEAR = """\
Computed, not measured: sizes of this run, periods of 28 days, a portrait of 16 KiB in each
credential. A showing has three facts and no portrait. Bundles and documents that everybody
fetches are left out, and so are the status lists of `dc+sd-jwt`: verifiers fetch those.
"""

_HTTP = """\
Presentations a second by HTTP over those in-process, one worker on one core. Higher is better; 1
would mean that HTTP costs nothing.
"""

_LOG = """\
Absolute. The log is on this machine's disk, every step synced, without witnesses, whose answers
cost what the network costs.
"""

_METHOD = """\
## How it is measured

- Each round runs every block once, in an order that turns; a block verifies all presentations
  once. A figure is the median of the per-round ratios, its spread the quartiles. Time is
  `time.thread_time` (for Node the main thread's processor time, read from the kernel).
- Everything on: certificate path (kept by the exact `x5c`, its validity looked at in each call),
  both signatures, disclosures, key binding, times, type, status list, policy. Nothing of a
  holder is kept between calls: each presentation has its own holder key, salts and index.
- Signatures stubbed: the two signature checks, and the loading of the holder's key that only
  they need, do nothing; all else runs.
- No verifier keeps a holder's key, so each one is loaded, and used for the first time, inside the
  call: RAW2 with the holder's key loaded anew says what that alone costs.
- Peers are compared with our call without status and policy, the issuer's key given to them; what
  they leave out beside that makes them faster than they would otherwise be.
- BBS: credentials with every slot of the schema, under the announced header, shown with the
  presentation header that `POST /v1/verify` asks for; as many distinct showings as are verified.
  Key, generators and the header's domain are prepared before, as in a running service. The
  container is taken apart inside `verify_presentation` only.
- The batch's own group operations are all calls that it makes but Miller loops and final
  exponentiation; without its weighted sums, they are those of the proofs alone.
- The peers' calls for BBS have no place for a prepared key or generators: both make them anew.
- HTTP: one worker pinned to one core, `wrk` on another (16 connections, 4 for batches), the
  in-process figure taken in the same run on the server's core, while the server is idle.
- The log: three rounds of 2,000 entries by 64 callers at once, who for the second figure come at
  250 a second whether or not they were answered; the spread is the least and the most. The
  wallet's check is a signed request authenticated up to the city root, then held against its
  policy; the bundle with the register inside it was loaded before, at the cost stated below it.
- Issuance: `credential_over_sign` is the format alone, from claims to the signed text;
  `batch20_over_raw20` adds what a wallet's 20 key proofs cost.
"""


def read(path: Path = LATEST) -> dict[str, Any]:
    """Read one run."""
    run: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return run


def readme(run: Mapping[str, Any]) -> str:
    """Write the page."""
    about = run["about"]
    parts = [
        _INTRODUCTION,
        _section(Group.SD_JWT, run, _RAW2),
        _where_it_goes(run),
        "![What one verification costs, in units of RAW2](results/chart.svg)\n",
        _peers(about),
        _section(Group.BBS, run, _FLOOR),
        _where_bbs_goes(run),
        *_bbs(about),
        _year(about),
        _section(Group.HTTP, run, _HTTP),
        _section(Group.ISSUANCE, run),
        _section(Group.LOG, run, _LOG),
        _METHOD,
        "## This run\n",
        _about(about),
    ]
    return "\n".join(part for part in parts if part)


def _section(group: Group, run: Mapping[str, Any], words: str = "") -> str:
    rows = ["| what | figure | spread | bar | |", "| --- | --- | --- | --- | --- |"]
    missing: dict[str, list[str]] = {}
    for figure in FIGURES:
        if figure.group is not group:
            continue
        value = run[figure.id]
        bar = f"{figure.sign} {_number(figure.bar)}" if figure.bar is not None else ""
        if value is None:
            rows.append(f"| {figure.title} | - | | {bar} | not measured |")
            missing.setdefault(run["about"]["reasons"][figure.id], []).append(f"`{figure.id}`")
            continue
        spread = run["about"]["spread"][figure.id]
        rows.append(
            f"| {figure.title} | {_number(value)} | {_number(spread['low'])} to"
            f" {_number(spread['high'])} | {bar} | {_verdict(figure, value)} |"
        )
    notes = [
        f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} not measured: {reason}.\n"
        for reason, names in missing.items()
    ]
    return "\n".join([f"## {group.value}\n", *([words] if words else []), *rows, "", *notes])


def _number(value: float) -> str:
    """Write a figure with as many places as it is worth."""
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _where_it_goes(run: Mapping[str, Any]) -> str:
    """Take the first figure apart."""
    whole, fresh, rest = (
        run[f"sdjwt.{name}"]
        for name in ("verify_over_raw2", "fresh_holder_over_raw2", "overhead_over_raw2")
    )
    return (
        f"Of the {whole:.2f} that a verification costs, {fresh:.2f} are the two signatures with a\n"
        f"holder's key never seen before, {rest:.2f} is everything else when it runs alone, and\n"
        f"{whole - fresh - rest:.2f} is what both lose by taking turns: interpreted code and curve"
        " arithmetic\nevict each other from one core's caches and branch predictors.\n"
    )


def _where_bbs_goes(run: Mapping[str, Any]) -> str:
    """Take apart what the credential costs beyond its floor."""
    whole = run["bbs.real_credential_over_floor"]
    alone = run["bbs.real_credential_overhead_over_floor"]
    if whole is None or alone is None:
        return ""
    return (
        f"Of the {whole:.2f} that a showing of the credential costs, 1 is the floor, {alone:.2f} is"
        " hashing, parsing\nand Python when they run alone, and"
        f" {whole - 1 - alone:.2f} is what they lose by taking turns with\ncurve arithmetic.\n"
    )


def _verdict(figure: Figure, value: float) -> str:
    if figure.bar is None:
        return ""
    return "reached" if figure.reached(value) else "**missed**"


def _peers(about: Mapping[str, Any]) -> str:
    rows = ["| peer | version | what this call does not check |", "| --- | --- | --- |"]
    rows += [
        f"| {peer.name} | {about['versions'].get(peer.version, 'not run')} | {peer.omits} |"
        for peer in PEERS
    ]
    return "\n".join([*rows, ""])


def _bbs(about: Mapping[str, Any]) -> list[str]:
    """Write what stands below the figures: the tables of this machine."""
    tables: Mapping[str, Table] = about["tables"]
    parts = []
    if "bbs_batch_ms" in tables and "bbs_ms" in tables:
        parts.append("![What one showing costs, alone and in a batch](results/bbs.svg)\n")
    if "bbs_ms" in tables:
        names = {
            "sign": "sign",
            "verify": "check",
            "prove": "show",
            "verify_proof": "verify",
            "floor": "its floor",
            "arkworks": "verify, arkworks",
        }
        parts += [_ACTS, _grid(tables["bbs_ms"], names, corner="")]
    if "bbs_batch_ms" in tables:
        libraries = {"blst": "blst", "arkworks": "arkworks"}
        parts += [_BATCH, _grid(tables["bbs_batch_ms"], libraries, corner="in a batch of")]
    if "bbs_peers_ms" in tables:
        parts += [_BBS_PEERS, _bbs_peers(about, tables)]
    return parts


def _grid(rows: Table, columns: Mapping[str, str], *, corner: str) -> str:
    lines = [
        f"| {corner} | " + " | ".join(columns.values()) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for name, cells in rows.items():
        numbers = [f"{cells[key]:.2f}" if key in cells else "" for key in columns]
        lines.append(f"| {name} | " + " | ".join(numbers) + " |")
    return "\n".join([*lines, ""])


def _bbs_peers(about: Mapping[str, Any], tables: Mapping[str, Table]) -> str:
    acts = ("sign", "verify", "prove", "verify_proof")
    rows = ["| who | sign | check | show | verify | |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    known = [("idservice", tables.get("bbs_ms", {}).get("base 10/3", {}), "")]
    for peer in BBS_PEERS:
        version = about["versions"].get(peer.name, "")
        known.append(
            (f"`{peer.name}` {version}", tables["bbs_peers_ms"].get(peer.table, {}), peer.note)
        )
    for name, cells, note in known:
        if cells:
            numbers = " | ".join(f"{cells[act]:.2f}" for act in acts)
            rows.append(f"| {name} | {numbers} | {note} |")
    return "\n".join([*rows, ""])


def _year(about: Mapping[str, Any]) -> str:
    octets: year.Sizes | None = about["tables"].get("octets")
    if octets is None:
        return ""
    names = {
        "credential": "a credential",
        "request": "what is sent for it",
        "showing": "a showing",
        "named showing": "with a pseudonym",
        "renewal": "renewal",
    }
    lines = ["| octets | " + " | ".join(names.values()) + " |", "| --- |" + " ---: |" * len(names)]
    for format_, cells in octets.items():
        numbers = [f"{cells[key]:,}" if key in cells else "" for key in names]
        lines.append(f"| `{format_}` | " + " | ".join(numbers) + " |")
    return "\n".join(["## A resident's year\n", _YEAR, year.table(octets), *lines, ""])


def _about(about: Mapping[str, Any]) -> str:
    material = about["material"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        (
            f"- Measured on {about['day']}: {about['machine']['processor']},"
            f" {about['machine']['cores']} cores, {about['machine']['system']}"
            f" ({about['machine']['note']})."
        ),
        f"- {versions}.",
        (
            f"- {material['presentations']} distinct presentations of {material['octets']} octets"
            f" in the mean: {material['claims']} claims, {material['disclosed']} disclosed, `x5c`"
            f" of {material['certificates']}, status, key binding."
        ),
        f"- RAW2 took {about['raw2_us']:.0f} microseconds here.",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page and both charts."""
    run = read()
    README.write_text(readme(run), "utf-8")
    CHART.write_text(chart.sd_jwt(run), "utf-8")
    BBS_CHART.write_text(chart.bbs(run), "utf-8")


if __name__ == "__main__":
    main()
