"""A city with three verifiers, founded by what `idservice init` calls.

The same town serves the demonstration and the tests that need running processes. Its offices
are processes of their own; only the founding happens in this one.
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from idservice import clock, period
from idservice.apps import admission, city_folder, samples
from idservice.apps.admission import Admitted, Joining
from idservice.apps.founding import Chances
from idservice.apps.settings import City, Verifier
from idservice.demonstration import cast
from idservice.demonstration.stage import Stage
from idservice.verification import trust

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
class _Asking:
    """A verifier before there is a city."""

    folder: Path
    wished: Verifier
    api_key: str
    joining: Joining

    def counter(self, name: str, admitted: Admitted) -> Counter:
        """Return what it has become."""
        return Counter(
            name=name,
            base_url=self.wished.base_url,
            folder=self.folder,
            api_key=self.api_key,
            policy=self.wished.policies[0],
            client_id=admitted.client_ids[0],
        )


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
        wanted = ("issuer", *self.counters) if names is None else tuple(names)
        for name in wanted:
            kind, folder = (
                ("issuer", self.issuer_folder)
                if name == "issuer"
                else ("verifier", self.counters[name].folder)
            )
            self.stage.start(name, kind, folder, clock_offset=clock_offset)
        self.stage.ready(*wanted)

    def move_clock(self, offset: int, *names: str) -> None:
        """Stop offices and start them again at another time of day."""
        self.stage.stop(*names)
        self.start(clock_offset=offset, names=names)


def found(
    stage: Stage, *, verifiers: Sequence[str] = cast.VERIFIERS, test_hooks: bool = False
) -> Town:
    """Make the city; its verifiers are in its charter's founding, so they may ask at once.

    Each office makes its own databases.
    """
    chances = Chances(now=clock.SystemClock().now(), random_bytes=secrets.token_bytes)
    city = City(
        name=NAME,
        issuer=stage.reserve("issuer"),
        languages=["en", "es"],
        demonstration=True,
        test_hooks=test_hooks,
    )
    folder = stage.folder / "city"
    asking = [_ask(stage, name, chances) for name in verifiers]
    together = admission.found_city(
        folder, city, [each.joining for each in asking], residents=1000, chances=chances
    )
    newest = (folder / "issuer" / "bundle.json").read_bytes()
    counters = {}
    for name, each, admitted in zip(verifiers, asking, together, strict=True):
        admission.hand_over(each.folder, admitted, bundle=newest)
        counters[name] = each.counter(name, admitted)
    if test_hooks:
        samples.make(folder, environ=os.environ, chances=chances)
    bundle = city_folder.current_bundle(folder)
    return Town(
        stage=stage,
        city=folder,
        issuer=city.issuer,
        root_fingerprint=trust.fingerprint_text(bundle.root_fingerprint),
        counters=counters,
    )


def _ask(stage: Stage, name: str, chances: Chances) -> _Asking:
    """Let a verifier make its key, and ask to be admitted with one policy."""
    expires = period.day(chances.now) + POLICY_LIFETIME
    policy = cast.policy(name, expires=expires)
    folder = stage.folder / name
    wished = Verifier(
        name=str(policy["verifier"]),
        base_url=stage.reserve(name),
        client_id_prefix="x509_hash",
        policies=[str(policy["id"])],
        api_keys=[],
        redirect_uris=[],
    )
    api_key = admission.found_verifier(folder, wished, chances=chances)
    asked = (folder / admission.REQUEST).read_bytes()
    return _Asking(
        folder=folder,
        wished=wished,
        api_key=api_key,
        joining=Joining(asked=asked, wishes=[json.dumps(policy).encode()]),
    )
