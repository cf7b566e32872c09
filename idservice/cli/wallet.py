"""`idservice wallet`: receive, list, show, present, renew, withdraw and forget the own card.

DESIGN section 4, roads 2 to 4, from the holder's side. Arguments in, text out, exit code: what
is decided is decided in `wallet/service.py`. Exit codes: 0 done, 1 refused by either side,
2 misuse, an unreadable file, or nobody answering.
"""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from crypto.encoding.canonical_json import JsonObject, JsonValue
from idservice import period
from idservice.cli import holder
from idservice.cli.holder import AsJson, Folder, Offset, PassphraseFile, TrustFile
from idservice.clients import openid
from idservice.period import Period
from idservice.storage import wallet as storage
from idservice.verification import openid4vp
from idservice.wallet import consent
from idservice.wallet import service as acts
from idservice.wallet.model import AllShown, Card, Receipt, Unusable, WalletError
from idservice.wallet.question import Objection, Question
from idservice.wallet.service import WalletService

app = typer.Typer(help="Hold, show, renew and withdraw your own card.", no_args_is_help=True)

_PERIOD_HELP = "Number of the card's period, as `wallet list` prints it."


@app.command(
    epilog="Example: idservice wallet receive OFFER --trust bundle.json --root '1f3a 9c...'"
)
def receive(
    offer: Annotated[str, typer.Argument(help="What the offer's QR code says; - reads a line.")],
    *,
    transaction_code: Annotated[
        str | None, typer.Option(help="The clerk's code; left out, you are asked for it.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="Fingerprint of the city root, from the enrolment sheet.")
    ] = None,
    trust: TrustFile = None,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Pick up the card that a clerk offers; refuse it if anything in it could mark you."""
    access = holder.Access(
        folder=folder,
        passphrase_file=passphrase_file,
        as_json=as_json,
        clock_offset=clock_offset,
        trust_file=trust,
        root=root,
    )
    with holder.exits(as_json=as_json), holder.opened(access) as service:
        card = service.receive(
            holder.line_or_stdin(offer),
            transaction_code=lambda: transaction_code or holder.ask("Transaction code"),
        )
        holder.say(_card(service, card), f"Received. {_line(service, card)}", as_json=as_json)


@app.command("list", epilog="Example: idservice wallet list --json")
def list_cards(
    *,
    receipts: Annotated[
        str | None, typer.Option(help="on: keep receipts from now on; off: keep none.")
    ] = None,
    trust: TrustFile = None,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """List the cards in the wallet, and receipts if you keep any."""
    access = holder.Access(
        folder=folder,
        passphrase_file=passphrase_file,
        as_json=as_json,
        clock_offset=clock_offset,
        trust_file=trust,
    )
    with holder.exits(as_json=as_json), holder.opened(access) as service:
        _switch_receipts(service, receipts)
        wallet = service.wallet()
        lines = [_line(service, card) for card in wallet.cards] or ["The wallet is empty."]
        lines += [_receipt_line(receipt) for receipt in wallet.receipts]
        kept: list[JsonValue] = [_receipt(receipt) for receipt in wallet.receipts]
        value: JsonObject = {
            "cards": [_card(service, card) for card in wallet.cards],
            "receipts_on": wallet.receipts_on,
            "receipts": kept,
        }
        holder.say(value, "\n".join(lines), as_json=as_json)


@app.command(epilog="Example: idservice wallet show")
def show(
    *,
    which: Annotated[int | None, typer.Option("--period", help=_PERIOD_HELP)] = None,
    trust: TrustFile = None,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Show to yourself what the card says."""
    access = holder.Access(
        folder=folder,
        passphrase_file=passphrase_file,
        as_json=as_json,
        clock_offset=clock_offset,
        trust_file=trust,
    )
    with holder.exits(as_json=as_json), holder.opened(access) as service:
        card = _chosen(service, which)
        claims = service.says(card)
        lines = [f"{consent.label(name):<38}{_value(name, claims[name])}" for name in claims]
        value = _card(service, card) | {"claims": claims}
        holder.say(value, "\n".join([*lines, "", _line(service, card)]), as_json=as_json)


@app.command(epilog="Example: idservice wallet present 'openid4vp://?client_id=...' --yes")
def present(  # noqa: PLR0913, one option for each thing that the holder may decide beforehand
    request: Annotated[str, typer.Argument(help="What the verifier's QR code or link says.")],
    *,
    share: Annotated[
        list[str] | None, typer.Option(help="An optional claim to show as well; repeatable.")
    ] = None,
    yes: Annotated[bool | None, typer.Option("--yes/--no", help="Decide without asking.")] = None,
    reuse: Annotated[bool, typer.Option(help="Show a copy again when all were shown.")] = False,
    language: Annotated[list[str] | None, typer.Option(help="Your languages, e.g. es.")] = None,
    receipts: Annotated[
        str | None, typer.Option(help="on: keep receipts from now on; off: keep none.")
    ] = None,
    trust: TrustFile = None,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Read who asks for what and why, and show it or not."""
    access = holder.Access(
        folder=folder,
        passphrase_file=passphrase_file,
        as_json=as_json,
        clock_offset=clock_offset,
        trust_file=trust,
    )
    with holder.exits(as_json=as_json), holder.opened(access) as service:
        if as_json and yes is None:
            raise Unusable("With --json, say --yes or --no.")
        _switch_receipts(service, receipts)
        asked = service.ask(holder.line_or_stdin(request))
        if isinstance(asked, Objection):
            _object(service, asked, as_json=as_json)
        shared = tuple(share or ())
        if not as_json:
            screen = consent.text(asked, shared=shared, languages=(*(language or ()), "en"))
            holder.say({}, screen, as_json=False)
        if yes is None and share is None:
            shared = tuple(
                name for name in asked.choices if holder.agreed(f"Show {consent.label(name)}?")
            )
        if not (holder.agreed("Show this?") if yes is None else yes):
            _decline(service, asked.request, as_json=as_json)
        redirect = _answer(service, asked, shared=shared, reuse=reuse, as_json=as_json)
        _say_shown(asked, shared, redirect, as_json=as_json)


@app.command(epilog="Example: idservice wallet renew")
def renew(
    *,
    trust: TrustFile = None,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    clock_offset: Offset = 0,
) -> None:
    """Get the next period's card; by the calendar, whether you used this one or not."""
    access = holder.Access(
        folder=folder,
        passphrase_file=passphrase_file,
        as_json=as_json,
        clock_offset=clock_offset,
        trust_file=trust,
    )
    with holder.exits(as_json=as_json), holder.opened(access) as service:
        card = service.renew()
        holder.say(_card(service, card), f"Renewed. {_line(service, card)}", as_json=as_json)


@app.command(epilog="Example: idservice wallet withdraw --issuer https://id.example.org")
def withdraw(
    *,
    slip_file: Annotated[
        Path | None, typer.Option(help="Read the slip from this file's first line.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(help="The issuer's address; needs no wallet and no passphrase.")
    ] = None,
    trust: TrustFile = None,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw, with the slip, every card ever issued on it; `forget` clears this wallet."""
    access = holder.Access(
        folder=folder,
        passphrase_file=passphrase_file,
        as_json=as_json,
        clock_offset=0,
        trust_file=trust,
    )
    with holder.exits(as_json=as_json):
        if issuer is not None:
            with openid.HttpWire() as wire:
                acts.withdraw(_slip(slip_file), issuer=issuer, wire=wire)
        else:
            with holder.opened(access) as service:
                service.withdraw(_slip(slip_file))
        sentence = (
            "Sent. If the issuer knows the slip, nothing issued on it verifies after the next"
            " status list; it never says whether it knew it."
        )
        holder.say({"result": "sent"}, sentence, as_json=as_json)


@app.command(epilog="Example: idservice wallet forget --all")
def forget(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Remove the whole wallet.")] = False,
    which: Annotated[int | None, typer.Option("--period", help=_PERIOD_HELP)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: Folder = holder.DEFAULT_FOLDER,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove one card or everything from this device; what was issued stays valid elsewhere."""
    access = holder.Access(
        folder=folder, passphrase_file=passphrase_file, as_json=as_json, clock_offset=0
    )
    with holder.exits(as_json=as_json):
        if everything is (which is not None):
            raise Unusable("Say either --all or --period.")
        if not yes and not holder.agreed("Forget it for good?"):
            raise typer.Exit(1)
        if which is None:
            storage.erase(folder.expanduser())
        else:
            with holder.opened(access) as service:
                service.forget(Period(which))
        holder.say({"result": "forgotten"}, "Forgotten.", as_json=as_json)


def _switch_receipts(service: WalletService, receipts: str | None) -> None:
    if receipts is None:
        return
    if receipts not in {"on", "off"}:
        raise Unusable("--receipts is on or off.")
    service.keep_receipts(on=receipts == "on")


def _object(service: WalletService, objection: Objection, *, as_json: bool) -> NoReturn:
    """Tell the holder why, and the verifier no, when the holder has read it."""
    holder.say_no(f"Not shown. {objection.sentence}", as_json=as_json)
    if holder.interactive() and not as_json:
        holder.ask("Press Enter to answer no", default="")
    _refuse(service, objection.request)


def _decline(service: WalletService, request: openid4vp.Request, *, as_json: bool) -> NoReturn:
    holder.say_no("Not shown, as you decided.", as_json=as_json)
    _refuse(service, request)


def _refuse(service: WalletService, request: openid4vp.Request) -> NoReturn:
    """Answer no; one that does not arrive leaves the verifier as wise as before."""
    with suppress(WalletError):
        service.refuse(request)
    raise typer.Exit(1)


def _answer(
    service: WalletService,
    asked: Question,
    *,
    shared: tuple[str, ...],
    reuse: bool,
    as_json: bool,
) -> str | None:
    try:
        return service.answer(asked, shared=shared, reuse=reuse)
    except AllShown as error:
        question = (
            f"{error} Showing one again lets verifiers who saw it before notice. Show it again?"
        )
        if not holder.interactive() or not holder.agreed(question):
            holder.say_no(f"Not shown. {error}", as_json=as_json)
            _refuse(service, asked.request)
        return service.answer(asked, shared=shared, reuse=True)


def _say_shown(
    asked: Question, shared: tuple[str, ...], redirect: str | None, *, as_json: bool
) -> None:
    claims: list[JsonValue] = [*asked.needed, *shared]
    value: JsonObject = {
        "result": "shown",
        "verifier": asked.policy.verifier,
        "policy": asked.policy.id,
        "claims": claims,
        "redirect_uri": redirect,
    }
    text = "Shown." if redirect is None else f"Shown. Go on at {redirect}"
    holder.say(value, text, as_json=as_json)


def _slip(file: Path | None) -> str:
    if file is None:
        return holder.ask("Slip", secret=True)
    lines = holder.read_file(file).decode("ascii", errors="replace").splitlines()
    return lines[0] if lines else ""


def _chosen(service: WalletService, which: int | None) -> Card:
    cards = sorted(service.wallet().cards, key=lambda card: card.period, reverse=True)
    for card in cards:
        if which is None or card.period == which:
            return card
    raise Unusable("There is no such card in the wallet.")


def _card(service: WalletService, card: Card) -> JsonObject:
    return {
        "configuration": card.configuration,
        "period": card.period,
        "valid_from": period.day(card.not_before).isoformat(),
        "valid_until": period.day(card.expires).isoformat(),
        "copies": len(card.instances),
        "unshown": card.fresh(),
        "renewable_from": period.day(service.renewable_from(card)).isoformat(),
        "bundle_day": service.trust().day.isoformat(),
        "bundle_stale": service.stale(),
    }


def _line(service: WalletService, card: Card) -> str:
    checked = f", not checked since {service.trust().day}" if service.stale() else ""
    return (
        f"Resident card of {service.trust().city}, period {card.period}\n"
        f"  valid {period.day(card.not_before)} to {period.day(card.expires)}{checked}\n"
        f"  {card.fresh()} copies not shown yet;"
        f" renew from {period.day(service.renewable_from(card))} on"
    )


def _receipt(receipt: Receipt) -> JsonObject:
    claims: list[JsonValue] = list(receipt.claims)
    return {
        "day": receipt.day,
        "verifier": receipt.verifier,
        "policy": receipt.policy,
        "claims": claims,
    }


def _receipt_line(receipt: Receipt) -> str:
    return f"{receipt.day}  {receipt.verifier}: {', '.join(receipt.claims)}"


def _value(name: str, value: JsonValue) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "portrait":
        return f"a JPEG, {len(str(value)) * 3 // 4} octets"
    return str(value)


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="wallet")
