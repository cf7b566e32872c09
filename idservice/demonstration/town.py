"""A city with three verifiers, founded by the commands that a real one would use.

The same town serves the demonstration and the tests that need running processes.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from idservice import clock, period
from idservice.demonstration import cast
from idservice.demonstration.stage import Stage, Stuck

NAME: Final = "Exampleville"
POLICY_LIFETIME: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One verifier: where it is, and the key that its counters use."""

    name: str
    base_url: str
    folder: Path
    api_key: str
    policy: str
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """What the founding has made."""

    stage: Stage
    city: Path
    issuer: str
    root_fingerprint: str
    counters: dict[str, Counter]

    @property
    def issuer_folder(self) -> Path:
        """Where the issuer's databases are."""
        return self.city / "issuer"

    @property
    def bundle(self) -> Path:
        """The trust bundle that the city publishes."""
        return self.issuer_folder / "bundle.json"

    def start(self, *, clock_offset: int = 0, names: Sequence[str] | None = None) -> None:
        """Start the issuer and the verifiers (or only those named), at a time of day."""
        wanted = set(names) if names is not None else {"issuer", *self.counters}
        if "issuer" in wanted:
            self.stage.start("issuer", "issuer", self.issuer_folder, clock_offset=clock_offset)
        for name, counter in self.counters.items():
            if name in wanted:
                self.stage.start(name, "verifier", counter.folder, clock_offset=clock_offset)
        self.stage.ready(*wanted)

    def stop(self) -> None:
        """Stop every office."""
        for name in ("issuer", *self.counters):
            self.stage.stop(name)


def found(
    stage: Stage, *, verifiers: Sequence[str] = cast.VERIFIERS, test_hooks: bool = False
) -> Town:
    """Make the city, admit its verifiers, and bring all databases up to date."""
    issuer = stage.reserve("issuer")
    addresses = {name: stage.reserve(name) for name in verifiers}
    city = stage.folder / "city"
    hooks = ("--with-test-hooks",) if test_hooks else ()
    stage.answer(
        "init", "city", str(city), "--name", NAME, "--issuer", issuer,
        "--language", "en", "--language", "es", "--demonstration", *hooks,
    )  # fmt: skip
    folders = {name: stage.folder / name for name in verifiers}
    with ThreadPoolExecutor(max_workers=2) as pool:
        api_keys = tuple(
            pool.map(lambda name: _make(stage, name, folders[name], addresses[name]), verifiers)
        )
        # one after the other: each admission makes the next bundle
        admitted = [_admit(stage, city, name, folders[name]) for name in verifiers]
        offices = [("issuer", city / "issuer"), *(("verifier", each) for each in folders.values())]
        tuple(
            pool.map(lambda one: stage.command("migrate", one[0], "--folder", str(one[1])), offices)
        )
    newest = (city / "issuer" / "bundle.json").read_bytes()
    for folder in folders.values():
        (folder / "bundle.json").write_bytes(newest)
    counters = {
        name: Counter(
            name=name,
            base_url=addresses[name],
            folder=folders[name],
            api_key=api_key,
            policy=str(_policy(name)["id"]),
            client_id=_first(told["client_ids"]),
        )
        for name, api_key, told in zip(verifiers, api_keys, admitted, strict=True)
    }
    return Town(
        stage=stage,
        city=city,
        issuer=issuer,
        root_fingerprint=str(admitted[0]["root_fingerprint"]),
        counters=counters,
    )


def _first(values: object) -> str:
    if not isinstance(values, list) or not values:
        raise Stuck("a verifier was admitted under no name")
    return str(values[0])


def _make(stage: Stage, name: str, folder: Path, base_url: str) -> str:
    told = stage.answer(
        "init", "verifier", str(folder), "--name", name, "--base-url", base_url,
        "--policy", str(_policy(name)["id"]),
    )  # fmt: skip
    return str(told["api_key"])


def _admit(stage: Stage, city: Path, name: str, folder: Path) -> dict[str, object]:
    wish = folder / "policy.json"
    wish.write_text(json.dumps(_policy(name), ensure_ascii=False, indent=1))
    return stage.answer(
        "init", "admit", str(city), "--request", str(folder / "verifier.csr"),
        "--policy", str(wish),
    )  # fmt: skip


def _policy(name: str) -> cast.Json:
    today = period.day(clock.SystemClock().now())
    return cast.policy(name, expires=today + POLICY_LIFETIME)
