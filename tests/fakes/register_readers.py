"""Whoever reads a bundle, each asked the same: is this policy in force?

The city's register is there from the beginning; each reader may have seen its first bundle.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import typer
from click.testing import Result
from typer.testing import CliRunner

from crypto.encoding.canonical_json import JsonValue
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from idservice import clock
from idservice.apps import verifier
from idservice.apps.settings import UnusableSettings
from idservice.cli import verify
from idservice.clients.status_lists import NotFetched
from idservice.register.reading import knowledge
from idservice.verification import trust
from idservice.wallet.model import Declined
from tests.fakes import city as cities
from tests.fakes import holders, registers, verifier_folder
from tests.fakes.registers import City
from tests.fakes.verifier_office import FakeClock
from tests.fakes.wallet_store import MemoryStore
from tests.fakes.wire import FakeWire

MADE = cities.make(demonstration=True)
FIRST = MADE.bundle
REGISTER = MADE.register.city
SIZE = len(REGISTER.entries)

app = typer.Typer()
verify.register(app)
app.command("other")(lambda: None)  # a second command, so that the first keeps its name


def copied() -> City:
    """Return the register as it stands, to be continued."""
    more = City(charter=REGISTER.charter, founding=REGISTER.founding, now=REGISTER.now)
    more.entries[:] = REGISTER.entries[:SIZE]
    return more


def published(register: City, *policies: JsonValue, version: int = 8) -> bytes:
    """Let the root sign that these policies are in force as well, and add the register."""
    before = MADE.payload["policies"]
    assert isinstance(before, list)
    payload = {**MADE.payload, "version": version, "policies": [*before, *policies]}
    return registers.bundled(MADE, register, payload=payload, earlier=[SIZE])


def _nobody(_url: str, _media_type: str, _limit: int) -> bytes:
    raise NotFetched


def starting_office(folder: Path, data: bytes, name: str, now: int) -> bool:
    """Start a verifier on a folder with the bundle."""
    verifier_folder.write(folder, MADE)
    (folder / "bundle.json").write_bytes(data)
    try:
        parts = assemble(folder, FakeClock(now))
    except UnusableSettings:
        return False
    parts.close()
    known = parts.knowledge.trust()
    return known is not None and name in known.policies


def running_office(folder: Path, data: bytes, name: str, now: int) -> bool:
    """Let a running verifier fetch the bundle; what it knew it keeps."""
    verifier_folder.write(folder, MADE)
    (folder / "bundle.json").write_bytes(FIRST)
    hands = FakeClock(MADE.now)
    parts = assemble(folder, hands, fetch=lambda *_: data)
    hands.time = now
    parts.knowledge.refresh(now=UnixSeconds(now), everything=True)
    parts.close()
    known = parts.knowledge.trust()
    assert known is not None
    assert "library-card" in known.policies
    return name in known.policies


def new_wallet(_folder: Path, data: bytes, name: str, now: int) -> bool:
    """Pin the bundle in a wallet that knows no city."""
    holder = _holder(now)
    try:
        known = holder.service.pin(data, root_fingerprint=MADE.trust.root_fingerprint)
    except Declined:
        return False
    return name in known.policies


def used_wallet(_folder: Path, data: bytes, name: str, now: int) -> bool:
    """Bring the bundle to a wallet that has the first one; what it knew it keeps."""
    holder = _holder(MADE.now)
    holder.service.pin(FIRST, root_fingerprint=MADE.trust.root_fingerprint)
    holder.clock.time = UnixSeconds(now)
    try:
        holder.service.pin(data, root_fingerprint=None)
    except Declined:
        assert holder.service.trust() == MADE.trust
    try:
        holder.service.ask_directly(name, client_id="x509_san_dns:library.example", nonce="n")
    except Declined:
        return False
    return True


def offline(folder: Path, data: bytes, name: str, now: int, *options: str) -> bool:
    """Check nonsense under the policy: refused if the policy counts, not checked if not."""
    result = checked_offline(folder, data, name, now, *options)
    assert result.exit_code in {verify.NO, verify.MISUSE}, result.output
    return result.exit_code == verify.NO


def offline_after_another(folder: Path, data: bytes, name: str, now: int) -> bool:
    """Do the same where the first bundle was read before."""
    seen = ("--seen", str(folder / "seen.json"))
    assert offline(folder, FIRST, "library-card", MADE.now, *seen)
    kept = (folder / "seen.json").read_bytes()
    believed = offline(folder, data, name, now, *seen)
    assert believed is ((folder / "seen.json").read_bytes() != kept)
    return believed


def own_office(_folder: Path, data: bytes, name: str, now: int) -> bool:
    """Read the bundle as the city's issuer does at start."""
    try:
        return name in knowledge.own(data, now=UnixSeconds(now)).trust.policies
    except CryptoError:
        return False


Reader = Callable[[Path, bytes, str, int], bool]
READERS: Mapping[str, Reader] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            starting_office,
            running_office,
            new_wallet,
            used_wallet,
            offline,
            offline_after_another,
            own_office,
        )
    }
)


def assemble(
    folder: Path, hands: FakeClock, *, fetch: verifier.status_lists.Fetch = _nobody
) -> verifier.Parts:
    """Put a verifier's process together without HTTP."""
    return verifier.assemble(
        verifier_folder.read(folder), clock=hands, random_bytes=cities.chance(), fetch=fetch
    )


def checked_offline(
    folder: Path, data: bytes, name: str, now: int, *options: str, shown: str = "nonsense"
) -> Result:
    """Run `idservice verify`."""
    (folder / "offered.json").write_bytes(data)
    words: Sequence[str] = (
        "verify",
        *("--bundle", str(folder / "offered.json")),
        *("--root", trust.fingerprint_text(MADE.trust.root_fingerprint)),
        *("--policy", name),
        *("--audience", "x509_san_dns:library.example"),
        *("--nonce", "nonce"),
        *("--clock-offset", str(now - clock.SystemClock().now())),
        *options,
        "-",
    )
    result: Result = CliRunner().invoke(app, [*words], input=shown)
    return result


def _holder(now: int) -> holders.Holder:
    return holders.Holder(
        city=MADE,
        wire=FakeWire(city=MADE),
        store=MemoryStore(),
        clock=holders.FixedClock(UnixSeconds(now)),
    )
