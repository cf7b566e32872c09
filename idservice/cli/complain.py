"""`idservice wallet complain`: write down, with proof, that a verifier asks for too much.

DESIGN section 5. The request is fetched as for showing, held against the pinned bundle, and written
into a file only if its verifier's own signature proves the complaint. Nothing of the card is in
it, nothing is sent, and the verifier is not answered. What the file proves is decided by
`idservice.complaints`; handing it in is `idservice register complaint send`.
"""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from crypto.encoding import base64url
from idservice.cli import holder
from idservice.cli.holder import Access
from idservice.clients import openid
from idservice.clock import SystemClock
from idservice.complaints import over_asking
from idservice.verification import openid4vp
from idservice.wallet import question
from idservice.wallet.model import Declined, Unusable, understood

_NONCE_LENGTH = 16


@holder.sharing
def complain(
    access: Access,
    request: Annotated[str, typer.Argument(help="What the verifier's QR code or link says.")],
    *,
    out: Annotated[Path, typer.Option(help="The file to write; it must not exist.")],
    yes: Annotated[bool | None, typer.Option("--yes/--no", help="Decide without asking.")] = None,
) -> None:
    """Write a file that proves that a verifier asks for more than the city lets it."""
    with holder.opened(access) as service:
        bundle = service.trust()
    now = SystemClock(offset=access.clock_offset).now()
    with understood("The request"):
        invitation = openid4vp.parse_invitation(
            holder.line_or_stdin(request), loopback=bundle.demonstration
        )
    nonce = base64url.encode(secrets.token_bytes(_NONCE_LENGTH)) if invitation.post else None
    with openid.HttpWire() as wire:
        response = wire.send(question.fetch(invitation, wallet_nonce=nonce))
    with understood("The complaint"):
        file = over_asking.complaint(
            question.request_object(response),
            root=bundle.root,
            policies=tuple(bundle.policies.values()),
            now=now,
        )
    typer.echo(over_asking.WARNING, err=True)
    if not (holder.agreed("Write it?") if yes is None else yes):
        raise Declined("Nothing was written, as you decided.")
    try:
        with out.open("xb") as written:
            written.write(file)
    except OSError as error:
        raise Unusable(f"The file {out.name} exists already, or cannot be written.") from error
    text = f"Written to {out.name}. Anybody can check it: idservice register complaint verify"
    holder.say({"file": str(out)}, text, as_json=access.as_json)


def register(app: typer.Typer) -> None:
    """Put the command below `idservice wallet`."""
    example = "Example: idservice wallet complain 'openid4vp://?client_id=...' --out complaint.json"
    app.command("complain", epilog=example)(complain)
