"""`idservice verify`: check one presentation offline, from files alone.

DESIGN section 4, road 5. Reads the trust bundle with the register in it, the status lists and the
presentation, asks nobody, and writes nothing but the file of `--seen`. The caller drew the nonce
and uses it once. Over HTTP the same is `POST /v1/verify` of a verifier's own process.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.sdjwt import sd_jwt
from idservice import clock, period
from idservice.clients import trust_file
from idservice.register import bundle as bundles
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Known, Pinned, Told
from idservice.verification import status, trust, verify
from idservice.verification.policy import Policy
from idservice.verification.status import KeptLists
from idservice.verification.trust import TrustBundle

YES, NO, MISUSE = 0, 1, 2

_LARGEST_PINNED = 4096

_SENTENCES = {
    "malformed": "It is not a presentation, or a spoiled one.",
    "wrong_algorithm": "It is signed in a way, or of a kind, that is not accepted.",
    "issuer_signature": "The city did not sign it.",
    "untrusted_issuer": "Its key does not belong to the city's announced ones.",
    "expired": "It has run out.",
    "not_yet_valid": "It does not count yet.",
    "withdrawn": "It was withdrawn.",
    "status_unavailable": "No status list is at hand that is recent enough.",
    "holder_binding": "Its holder's answer is missing, does not fit, or is not of now.",
    "wrong_audience": "It was made for somebody else.",
    "wrong_nonce": "It answers another question.",
    "policy": "It does not show what the policy requires.",
}

Bundle = Annotated[Path, typer.Option(help="The city's trust bundle (bundle.json).")]
Root = Annotated[
    str | None, typer.Option(help="The city root's fingerprint, from the enrolment sheet.")
]
Charter = Annotated[
    str | None,
    typer.Option(help="The charter's fingerprint, from the same sheet; one of both is needed."),
]
SeenFile = Annotated[
    Path | None,
    typer.Option(
        "--seen",
        help="Keep here which bundle was read, so that an older one, another history and another"
        " charter are noticed; without it nothing is kept, and none of them can be.",
        metavar="FILE",
    ),
]
PolicyId = Annotated[str, typer.Option("--policy", help="Which policy of the bundle to apply.")]
Audience = Annotated[str, typer.Option(help="Your client identifier, as the wallet was told.")]
Nonce = Annotated[str, typer.Option(help="The nonce you asked with; use each one once.")]
Lists = Annotated[
    list[Path] | None, typer.Option("--status", help="A signed status list; may be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as POST /v1/verify does.")]
Offset = Annotated[
    int, typer.Option("--clock-offset", help="Seconds to move the clock (demonstration only).")
]
Shown = Annotated[Path, typer.Argument(help="File with the presentation; - for standard input.")]


def _misuse(sentence: str) -> NoReturn:
    typer.echo(f"Not checked: {sentence}", err=True)
    raise typer.Exit(MISUSE)


def _read(path: Path, limit: int) -> bytes:
    """Read a file, or standard input for `-`; one octet over the limit is enough to refuse."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(limit + 1)
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError:
        _misuse(f"{path} cannot be read.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """Where the bundle is, and what it is held against."""

    bundle: Path
    root: str | None
    charter: str | None
    seen: Path | None


def _known(given: _Given, now: UnixSeconds) -> Known:
    if given.root is None and given.charter is None:
        _misuse("give --root or --charter, from the enrolment sheet.")
    told = Told(
        root=_fingerprint("--root", given.root), charter=_fingerprint("--charter", given.charter)
    )
    pinned = _pinned(given.seen)
    data = _read(given.bundle, bundles.LARGEST)
    try:
        return knowledge.take(data, pinned=pinned, told=told, now=now)
    except CryptoError as error:
        _misuse(f"{given.bundle} is not a trust bundle of this city ({error}).")


def _pinned(path: Path | None) -> Pinned | None:
    if path is None or not path.exists():
        return None
    try:
        return knowledge.parse_pinned(_read(path, _LARGEST_PINNED))
    except CryptoError as error:
        _misuse(f"{path} is not what --seen has kept ({error}).")


def _keep(path: Path | None, found: Known) -> None:
    if path is None:
        return
    try:
        trust_file.write(path, knowledge.write_pinned(found.pinned))
    except OSError:
        _misuse(f"{path} cannot be written.")


def _fingerprint(option: str, text: str | None) -> bytes | None:
    try:
        return None if text is None else trust.parse_fingerprint(text)
    except CryptoError as error:
        _misuse(f"{option} is no fingerprint ({error}).")


def _policy(bundle: TrustBundle, policy_id: str, audience: str, now: UnixSeconds) -> Policy:
    policy = bundle.policies.get(policy_id)
    if policy is None:
        _misuse("the bundle has no such policy.")
    if audience not in policy.client_ids:
        _misuse("the policy is for another verifier.")
    if period.day(now) > policy.expires:
        _misuse(f"the policy has run out on {policy.expires}.")
    return policy


def _lists(paths: list[Path], bundle: TrustBundle, now: UnixSeconds) -> KeptLists:
    kept = KeptLists()
    for path in paths:
        try:
            token = _read(path, status.LARGEST_TOKEN).decode("ascii").strip()
            kept.keep(status.read(token, uri=status.address(token), trust=bundle, now=now))
        except (CryptoError, UnicodeDecodeError) as error:
            _misuse(f"{path} is not a status list of this city that counts now ({error}).")
    return kept


def _presentation(path: Path) -> str:
    """Read what was shown; what is not even text cannot be a presentation either."""
    return _read(path, 2 * sd_jwt.MAX_SIZE).decode("ascii", "replace").strip()


def _answer(answer: JsonObject, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(canonical_json.serialize(answer).decode())
    else:
        typer.echo("\n".join(lines))


def run(  # noqa: PLR0913 - Typer takes one parameter for each option
    presentation: Shown,
    *,
    bundle: Bundle,
    root: Root = None,
    charter: Charter = None,
    seen: SeenFile = None,
    policy_id: PolicyId,
    audience: Audience,
    nonce: Nonce,
    status_lists: Lists = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Check one presentation offline: 0 accepted, 1 refused, 2 could not be checked."""
    if abs(clock_offset) > clock.FARTHEST:
        _misuse("the clock moves by ten years at most.")
    now = clock.SystemClock(offset=clock_offset).now()
    taken = _known(_Given(bundle=bundle, root=root, charter=charter, seen=seen), now)
    known = taken.trust
    if clock_offset and not known.demonstration:
        _misuse("the clock moves in a demonstration only.")
    if not audience or not nonce:
        _misuse("audience and nonce may not be empty.")
    _keep(seen, taken)
    try:
        accepted = verify.verify_presentation(
            _presentation(presentation),
            policy=_policy(known, policy_id, audience, now),
            audience=audience,
            nonce=nonce,
            trust=known,
            status=_lists(status_lists or [], known, now),
            now=now,
        )
    except verify.PresentationRefused as refused:
        code = refused.code.value
        _answer(
            {"result": "refused", "code": code},
            [f"Refused ({code}). {_SENTENCES[code]}"],
            as_json=as_json,
        )
        raise typer.Exit(NO) from None
    answer: JsonObject = {
        "result": "accepted",
        "policy": accepted.policy,
        "facts": {**accepted.facts},
        "status_age_s": accepted.status_age_s,
    }
    since = taken.unchecked_since(now=now)
    if since is not None:
        answer["not_checked_since"] = since.isoformat()
    pseudonym = None
    if accepted.pseudonym is not None:
        answer["pseudonym"] = pseudonym = base64url.encode(accepted.pseudonym)
    _answer(
        answer,
        [
            f"Accepted under the policy {accepted.policy}.",
            *(f"  {name}: {_text(value)}" for name, value in accepted.facts.items()),
            *([] if pseudonym is None else [f"Known here for this period as {pseudonym}."]),
            _withdrawals(accepted.status_age_s),
            f"Keys and policies as of {known.day}{_marked(taken)}.",
            *([] if since is None else [f"Not checked since {since}: fetch a newer bundle."]),
        ],
        as_json=as_json,
    )


def _marked(taken: Known) -> str:
    return "" if taken.marked is None else f", of a {taken.marked}"


def _withdrawals(status_age_s: int | None) -> str:
    if status_age_s is None:
        return "This format has no status list: a withdrawal acts at the end of its period."
    return f"Status list of {status_age_s // 3600} h ago."


def _text(value: object) -> str:
    if value is True:
        return "yes"
    if value is False:
        return "no"
    # what a terminal would act on instead of showing it is written out
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in str(value))


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.command(
        "verify",
        epilog=(
            "Example: idservice verify --bundle bundle.json --root 3f1a... --policy library-card"
            " --audience x509_san_dns:library.example --nonce NONCE --status list.jwt shown.txt"
        ),
    )(run)
