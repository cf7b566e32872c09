"""Groups of commands of which some stand in modules of their own, loaded when they are called for.

Loading all of them would make every call wait for libraries that it does not use.
"""

import importlib

import typer
from typer._click import Command, Context  # Typer's own copy of Click; it has no public name
from typer.core import TyperGroup
from typing_extensions import override


def later(*names: str) -> type[TyperGroup]:
    """Return a kind of group that finds these commands in `idservice.cli`, each by its name.

    Such a module has a `register(typer.Typer)` that puts its command below the group.
    """

    class _Parts(TyperGroup):
        @override
        def list_commands(self, ctx: Context) -> list[str]:
            """Name the commands, the later ones last."""
            return [*super().list_commands(ctx), *names]

        @override
        def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
            """Load one command."""
            if cmd_name not in names:
                return super().get_command(ctx, cmd_name)
            part = typer.Typer(rich_markup_mode=None, add_completion=False)
            importlib.import_module(f"idservice.cli.{cmd_name}").register(part)
            command = typer.main.get_command(part)
            return command.commands[cmd_name] if isinstance(command, TyperGroup) else command

    return _Parts
