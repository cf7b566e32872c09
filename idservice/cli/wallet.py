"""`idservice wallet`: receive, list, show, present, renew, withdraw and forget the own cards.

DESIGN section 4, roads 2 to 4, from the holder's side. Arguments in, text out, exit code: what
is decided is decided in `wallet/service.py`. Exit codes: 0 done, 1 refused by either side,
2 misuse, an unreadable file, or nobody answering.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from crypto.encoding.canonical_json import JsonObject, JsonValue
from idservice import catalogue, period
from idservice.cli import complain, holder
from idservice.cli.holder import Access
from idservice.clients import openid
from idservice.period import Period
from idservice.storage import wallet as storage
from idservice.verification import openid4vp
from idservice.wallet import consent
from idservice.wallet import service as acts
from idservice.wallet.model import (
    FORMAT_OF,
    AllShown,
    Card,
    Declined,
    Receipt,
    Unusable,
    WalletError,
)
from idservice.wallet.question import Objection, Question
from idservice.wallet.service import WalletService

app = typer.Typer(help="Hold, show, renew and withdraw your own card.", no_args_is_help=True)

Receipts = Annotated[
    str | None, typer.Option(help="on: keep receipts from now on; off: keep none.")
]
Share = Annotated[
    list[str] | None, typer.Option(help="An optional claim to show as well; repeatable.")
]
Pseudonym = Annotated[
    bool,
    typer.Option(
        "--pseudonym", help="Let this policy recognise you again; never done unless you say so."
    ),
]
Yes = Annotated[bool | None, typer.Option("--yes/--no", help="Decide without asking.")]
Languages = Annotated[list[str] | None, typer.Option("--language", help="Your languages, e.g. es.")]
PeriodNumber = Annotated[
    int | None,
    typer.Option("--period", help="Number of the card's period, as `wallet list` prints it."),
]
Kind = Annotated[
    str | None,
    typer.Option("--format", help="Which kind of card, where you hold both.", metavar="FORMAT"),
]

_SENT = (
    "Sent. If the issuer knows the slip, the next status list, signed every night, says so: whoever"
    " has fetched it refuses every copy issued on it, and no list counts for more than seven days."
    " A card that can be shown any number of times is on no list: it ends with the last"
    " period that was fetched, at most 32 days from now. The issuer never says whether it knew the"
    " slip."
)


@app.command(
    epilog="Example: idservice wallet receive OFFER --trust bundle.json --root '1f3a 9c...'"
)
@holder.sharing
def receive(
    access: Access,
    offer: Annotated[str, typer.Argument(help="What the offer's QR code says; - reads a line.")],
    *,
    transaction_code: Annotated[
        str | None, typer.Option(help="The clerk's code; left out, you are asked for it.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="Fingerprint of the city root, from the enrolment sheet.")
    ] = None,
    charter: Annotated[
        str | None, typer.Option(help="Fingerprint of the city's charter, from the same sheet.")
    ] = None,
) -> None:
    """Pick up the card that a clerk offers; refuse it if anything in it could mark you."""
    with holder.opened(access, root=root, charter=charter) as service:
        card = service.receive(
            holder.line_or_stdin(offer),
            transaction_code=lambda: transaction_code or holder.ask("Transaction code"),
        )
        text = f"Received. {_line(service, card)}"
        holder.say(_card(service, card), text, as_json=access.as_json)


@app.command("list", epilog="Example: idservice wallet list --json")
@holder.sharing
def list_cards(access: Access, *, receipts: Receipts = None) -> None:
    """List the cards in the wallet, and receipts if you keep any."""
    with holder.opened(access) as service:
        _switch_receipts(service, receipts)
        wallet = service.wallet()
        lines = [_line(service, card) for card in wallet.cards] or ["The wallet is empty."]
        lines += [_receipt_line(receipt) for receipt in wallet.receipts]
        kept: list[JsonValue] = [_receipt(receipt) for receipt in wallet.receipts]
        value = _cards(service, wallet.cards) | {
            "receipts_on": wallet.receipts_on,
            "receipts": kept,
        }
        holder.say(value, "\n".join(lines), as_json=access.as_json)


@app.command(epilog="Example: idservice wallet show")
@holder.sharing
def show(access: Access, *, which: PeriodNumber = None, kind: Kind = None) -> None:
    """Show to yourself what the card says."""
    with holder.opened(access) as service:
        card = _chosen(service, which, _configuration(kind))
        claims = service.says(card)
        lines = [f"{consent.label(name):<38}{_value(name, claims[name])}" for name in claims]
        value = _card(service, card) | {"claims": claims}
        text = "\n".join([*lines, "", _line(service, card)])
        holder.say(value, text, as_json=access.as_json)


@app.command(epilog="Example: idservice wallet present 'openid4vp://?client_id=...' --yes")
@holder.sharing
def present(
    access: Access,
    request: Annotated[str, typer.Argument(help="What the verifier's QR code or link says.")],
    *,
    share: Share = None,
    pseudonym: Pseudonym = False,
    yes: Yes = None,
    reuse: Annotated[bool, typer.Option(help="Show a copy again when all were shown.")] = False,
    language: Languages = None,
    receipts: Receipts = None,
) -> None:
    """Read who asks for what and why, and show it or not."""
    _check_decision(access, yes)
    with holder.opened(access) as service:
        _switch_receipts(service, receipts)
        asked = service.ask(holder.line_or_stdin(request))
        if isinstance(asked, Objection):
            _object(service, asked, as_json=access.as_json)
        choice = _Choice(shared=share, pseudonym=pseudonym, reuse=reuse)
        if not access.as_json:
            typer.echo(_screen(service, asked, choice, language))
        choice = choice if yes is not None else _asked_for(asked, choice)
        if not (holder.agreed("Show this?") if yes is None else yes):
            _decline(service, asked.request, as_json=access.as_json)
        redirect = _answer(service, asked, choice, as_json=access.as_json)
        value = _shown(asked, choice) | {"redirect_uri": redirect}
        text = "Shown." if redirect is None else f"Shown. Go on at {redirect}"
        holder.say(value, text, as_json=access.as_json)


@app.command(
    epilog="Example: idservice wallet hand-over library-card --client-id x509_san_dns:a.example"
    " --nonce 3a9f... | idservice verify - ..."
)
@holder.sharing
def hand_over(
    access: Access,
    policy: Annotated[str, typer.Argument(help="Which policy of the bundle you answer.")],
    *,
    client_id: Annotated[str, typer.Option(help="The verifier, as its policy names it.")],
    nonce: Annotated[str, typer.Option(help="The verifier's; it uses each one once.")],
    share: Share = None,
    pseudonym: Pseudonym = False,
    yes: Yes = None,
    language: Languages = None,
) -> None:
    """Answer a verifier who gives you a nonce: print what you show, send nothing."""
    _check_decision(access, yes)
    with holder.opened(access) as service:
        asked = service.ask_directly(policy, client_id=client_id, nonce=nonce)
        if isinstance(asked, Objection):
            raise Declined(f"Not shown. {asked.sentence}")
        choice = _Choice(shared=share, pseudonym=pseudonym, reuse=False)
        if not access.as_json:
            typer.echo(_screen(service, asked, choice, language), err=True)
        choice = choice if yes is not None else _asked_for(asked, choice)
        if not (holder.agreed("Show this?") if yes is None else yes):
            raise Declined("Not shown, as you decided.")
        presentation = service.present(
            asked, shared=choice.claims, pseudonym=choice.pseudonym, reuse=False
        )
    value = _shown(asked, choice) | {"presentation": presentation}
    typer.echo(json.dumps(value, ensure_ascii=False) if access.as_json else presentation)


@app.command(epilog="Example: idservice wallet renew")
@holder.sharing
def renew(access: Access) -> None:
    """Get the next period's card; by the calendar, whether you used this one or not."""
    with holder.opened(access) as service:
        due = service.renewable() or [_newest(service)]
        cards = [service.renew(configuration) for configuration in due]
        text = "\n".join(f"Renewed. {_line(service, card)}" for card in cards)
        holder.say(_cards(service, cards), text, as_json=access.as_json)


@app.command(epilog="Example: idservice wallet withdraw --issuer https://id.example.org")
@holder.sharing
def withdraw(
    access: Access,
    *,
    slip_file: Annotated[
        Path | None, typer.Option(help="Read the slip from this file's first line.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(help="The issuer's address; needs no wallet and no passphrase.")
    ] = None,
) -> None:
    """Withdraw, with the slip, every card ever issued on it; `forget` clears this wallet."""
    if issuer is not None:
        with openid.HttpWire() as wire:
            acts.withdraw(_slip(slip_file), issuer=issuer, wire=wire)
    else:
        with holder.opened(access) as service:
            service.withdraw(_slip(slip_file))
    holder.say({"result": "sent"}, _SENT, as_json=access.as_json)


@app.command(epilog="Example: idservice wallet forget --all")
@holder.sharing
def forget(
    access: Access,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Remove the whole wallet.")] = False,
    which: PeriodNumber = None,
    kind: Kind = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove one card or everything from this device; what was issued stays valid elsewhere."""
    configuration = _configuration(kind)
    if everything is (which is not None) or (everything and kind is not None):
        raise Unusable("Say either --all or --period.")
    if not yes and not holder.agreed("Forget it for good?"):
        raise typer.Exit(1)
    if which is None:
        storage.erase(holder.expanded(access.folder))
    else:
        with holder.opened(access) as service:
            service.forget(Period(which), configuration=configuration)
    holder.say({"result": "forgotten"}, "Forgotten.", as_json=access.as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What the holder decided."""

    shared: Sequence[str] | None
    """Nothing: not decided yet."""
    pseudonym: bool
    reuse: bool

    @property
    def claims(self) -> tuple[str, ...]:
        """The optional claims that were picked."""
        return tuple(self.shared or ())


def _check_decision(access: Access, yes: bool | None) -> None:
    if access.as_json and yes is None:
        raise Unusable("With --json, say --yes or --no.")


def _screen(
    service: WalletService, asked: Question, choice: _Choice, languages: Sequence[str] | None
) -> str:
    said = consent.text(
        asked,
        shared=choice.claims,
        pseudonym=choice.pseudonym,
        languages=(*(languages or ()), "en"),
    )
    return f"{service.city()}: no real city.\n{said}" if service.trust().demonstration else said


def _asked_for(asked: Question, choice: _Choice) -> _Choice:
    """Ask for each thing that is not decided yet; a yes to one is a yes to that alone."""
    shared, pseudonym = choice.shared, choice.pseudonym
    if shared is None:
        shared = [one for one in asked.choices if holder.agreed(f"Show {consent.label(one)}?")]
    if asked.pseudonym is not None and not pseudonym:
        pseudonym = holder.agreed("Let this policy recognise you again?")
    return replace(choice, shared=shared, pseudonym=pseudonym)


def _configuration(kind: str | None) -> str | None:
    """Find what is issued in a format."""
    if kind is None:
        return None
    for configuration, credential_format in FORMAT_OF.items():
        if credential_format == kind:
            return configuration
    raise Unusable(f"--format is {' or '.join(catalogue.FORMATS)}.")


def _newest(service: WalletService) -> str:
    """Name the kind of the card whose time runs longest, or the usual one."""
    cards = service.wallet().cards
    newest = max(cards, key=lambda card: card.period, default=None)
    return catalogue.CONFIGURATION if newest is None else newest.configuration


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
    service: WalletService, asked: Question, choice: _Choice, *, as_json: bool
) -> str | None:
    answer = partial(service.answer, asked, shared=choice.claims, pseudonym=choice.pseudonym)
    try:
        return answer(reuse=choice.reuse)
    except AllShown as error:
        question = (
            f"{error} Showing one again lets verifiers who saw it before notice. Show it again?"
        )
        if not holder.interactive() or not holder.agreed(question):
            holder.say_no(f"Not shown. {error}", as_json=as_json)
            _refuse(service, asked.request)
        return answer(reuse=True)


def _shown(asked: Question, choice: _Choice) -> JsonObject:
    claims: list[JsonValue] = [*asked.needed, *choice.claims]
    return {
        "result": "shown",
        "verifier": asked.policy.verifier,
        "policy": asked.policy.id,
        "claims": claims,
        "pseudonym": choice.pseudonym,
    }


def _slip(file: Path | None) -> str:
    if file is None:
        return holder.ask("Slip", secret=True)
    lines = holder.read_file(file).decode("ascii", errors="replace").splitlines()
    return lines[0] if lines else ""


def _chosen(service: WalletService, which: int | None, configuration: str | None) -> Card:
    cards = sorted(service.wallet().cards, key=lambda card: card.period, reverse=True)
    for card in cards:
        if which in {None, card.period} and configuration in {None, card.configuration}:
            return card
    raise Unusable("There is no such card in the wallet.")


def _cards(service: WalletService, cards: Iterable[Card]) -> JsonObject:
    return {"cards": [_card(service, card) for card in cards]}


def _card(service: WalletService, card: Card) -> JsonObject:
    return {
        "configuration": card.configuration,
        "format": card.format,
        "period": card.period,
        "valid_from": period.day(card.not_before).isoformat(),
        "valid_until": period.day(card.expires).isoformat(),
        "copies": len(card.instances),
        "unshown": None if card.lasting else card.fresh(),
        "renewable_from": period.day(service.renewable_from(card)).isoformat(),
        "bundle_day": service.trust().day.isoformat(),
        "bundle_stale": service.unchecked_since() is not None,
        "demonstration": service.trust().demonstration,
    }


def _line(service: WalletService, card: Card) -> str:
    since = service.unchecked_since()
    checked = "" if since is None else f", not checked since {since}"
    left = (
        "can be shown any number of times"
        if card.lasting
        else f"{card.fresh()} copies not shown yet"
    )
    return (
        f"Resident card of {service.city()}, period {card.period}, {card.format}\n"
        f"  valid {period.day(card.not_before)} to {period.day(card.expires)}{checked}\n"
        f"  {left}; renew from {period.day(service.renewable_from(card))} on"
    )


def _receipt(receipt: Receipt) -> JsonObject:
    claims: list[JsonValue] = list(receipt.claims)
    return {
        "day": receipt.day,
        "verifier": receipt.verifier,
        "policy": receipt.policy,
        "claims": claims,
        "pseudonym": receipt.pseudonym,
    }


def _receipt_line(receipt: Receipt) -> str:
    shown = [*receipt.claims, *(["a name to be recognised by"] if receipt.pseudonym else [])]
    return f"{receipt.day}  {receipt.verifier}: {', '.join(shown)}"


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
    complain.register(app)
    root.add_typer(app, name="wallet")
