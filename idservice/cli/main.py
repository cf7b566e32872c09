"""`idservice`: one command, a module for each of its parts, loaded when it is called for.

What goes wrong outside of this program and is told nowhere nearer ends here, in one sentence and
exit code 2. Faults of the program itself (`ValueError` and `TypeError` among them) are left to be
seen.
"""

import importlib
import os
import resource
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer._click import Context  # Typer's own copy of Click; it has no public name
from typing_extensions import override

from idservice.cli import parts
from idservice.errors import Code, ServiceError

COMMANDS: Final = (
    "demo",
    "init",
    "migrate",
    "serve",
    "enrol",
    "wallet",
    "verify",
    "register",
    "log",
    "audit",
)

MISUSE: Final = 2


class Commands(parts.later(*COMMANDS)):  # type: ignore[misc]  # a class that is made by a call
    """All commands, and what is told of them when nobody else tells it."""

    @override
    def main(self, *given: Any, **named: Any) -> Any:
        """Run one command; most hold a key or a secret, so none dumps a core."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.stdin is None:  # it was closed: nobody is there to be asked
            sys.stdin = Path(os.devnull).open()  # noqa: SIM115, for as long as the process lives
        try:
            return super().main(*given, **named)
        except Exception as error:
            told = _told(error)
            if told is None:
                raise
            outcome = "Not done"
            if _is_of_the_answer(error):
                outcome = "Perhaps done, but the answer cannot be shown"
                sys.stdout = None  # else Python tries the rest once more, and ends with 120
            typer.echo(f"{outcome}: {told}.", err=True)
            sys.exit(MISUSE)

    @override
    def invoke(self, ctx: Context) -> Any:
        """Let Ctrl-C end a prompt as it ends everything else; Typer makes another error of it."""
        try:
            return super().invoke(ctx)
        except typer.Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            raise

    @override
    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Take text alone: what is no UTF-8 could be written nowhere."""
        if any("\udc80" <= character <= "\udcff" for each in args for character in each):
            ctx.fail("an argument is not UTF-8 text.")
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def _is_of_the_answer(error: Exception) -> bool:
    """Say whether showing failed, and not the act: that may have been done before."""
    passed = (frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__))
    return typer.echo.__code__ in passed


def _told(error: Exception) -> str | None:
    """Say what went wrong outside of this program, or nothing where it is the program's fault."""
    if isinstance(error, OSError):
        reason = error.strerror or "input or output failed"
        return reason if error.filename is None else f"{os.fsdecode(error.filename)}: {reason}"
    if isinstance(error, UnicodeError):
        return "what was given or read is not text in UTF-8"
    away = isinstance(error, ServiceError) and error.code is Code.UNAVAILABLE
    whose = type(error).__module__.partition(".")[0]  # the package; not each need ever be loaded
    if away or whose in {"sqlalchemy", "alembic"}:
        return "the database cannot be reached or is not ours"
    return str(error).rstrip(".") or None if whose in {"crypto", "idservice"} else None


app = typer.Typer(
    name="idservice",
    cls=Commands,
    help="A municipal ID service that keeps next to nothing: print, issue, hold, show, check.",
    epilog="Try: idservice demo --once",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)


def _print_version(*, value: bool) -> None:
    if value:
        curve = importlib.import_module("crypto.bls.curve").BACKEND.name
        typer.echo(f"idservice {version('idservice')} (BBS curve: {curve})")
        raise typer.Exit


@app.callback()
def main(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and the curve library in use.",
        ),
    ] = False,
) -> None:
    """A municipal ID service that keeps next to nothing."""
