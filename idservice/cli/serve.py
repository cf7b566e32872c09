"""`idservice serve`: one office, one process, one port."""

import gc
import importlib
import os
import secrets
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from idservice import clock
from idservice.apps import settings
from idservice.web.one_write import OneWrite

app = typer.Typer(
    help="Run one office. All offices side by side run in the demonstration only.",
    no_args_is_help=True,
)

BACKLOG = 256
"""Connections that may wait to be served."""
GRACE = 10
"""Seconds that a stopping process gives to what it has begun."""

Folder = Annotated[Path, typer.Option(help="The office's folder, made by `idservice init`.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
Descriptor = Annotated[
    int | None, typer.Option("--fd", help="Listen on this inherited socket instead.", min=3)
]
Offset = Annotated[
    int, typer.Option("--clock-offset", help="Seconds to move the clock (demonstration only).")
]


def run(office: FastAPI, *, host: str, port: int, descriptor: int | None) -> None:
    """Serve until a signal; nothing but our own fault lines is ever logged."""
    listening = _listening(host, port, descriptor)
    config = uvicorn.Config(
        office,
        http=OneWrite,
        loop="uvloop" if os.name == "posix" else "asyncio",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)

    def stop(_number: int, _frame: FrameType | None) -> None:
        """Have the server stop by itself, and the process end with 0."""
        server.should_exit = True

    for graceful in (signal.SIGTERM, signal.SIGINT):
        # the server takes these over only once it runs, and raises them again when it has stopped
        signal.signal(graceful, stop)
    # What is loaded by now stays: no collection need walk over it again while answers wait.
    gc.collect()
    gc.freeze()
    if descriptor is None:
        typer.echo(f"Listening on {host}, port {listening.getsockname()[1]}.")
    server.run(sockets=[listening])
    if not server.started:
        raise typer.Exit(2)


def _listening(host: str, port: int, descriptor: int | None) -> socket.socket:
    """Bind the port, or take the inherited socket.

    As a TCP socket: taken by its number, Uvicorn would believe it a Unix socket, leave Nagle's
    algorithm on, and each answer would wait 40 milliseconds for an acknowledgement.

    Raises:
        UnusableSettings: the address is taken or not ours, or the descriptor is no TCP socket.
    """
    try:
        if descriptor is not None:
            inherited = socket.socket(fileno=descriptor)
            if inherited.family in {socket.AF_INET, socket.AF_INET6}:
                return inherited
            raise settings.UnusableSettings("--fd is not a TCP socket")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise settings.UnusableSettings(f"cannot listen: {error.strerror}") from error


def _refuse(error: Exception) -> typer.Exit:
    typer.echo(f"Not started: {error}.", err=True)
    return typer.Exit(2)


def _create(office: str, told: settings.IssuerSettings | settings.VerifierSettings) -> FastAPI:
    """Load one office; a verifier's process never holds the issuer's code."""
    module = importlib.import_module(f"idservice.apps.{office}")
    created: FastAPI = module.create_app(
        told,
        clock=clock.SystemClock(offset=told.clock_offset),
        random_bytes=secrets.token_bytes,
    )
    return created


@app.command("issuer", epilog="Example: idservice serve issuer --folder city/issuer --port 8080")
def serve_issuer(
    *,
    folder: Folder,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    descriptor: Descriptor = None,
    clock_offset: Offset = 0,
) -> None:
    """Issue, renew and withdraw credentials; publish lists, types and the trust bundle."""
    try:
        told = settings.issuer(folder, environ=os.environ, clock_offset=clock_offset)
        run(_create("issuer", told), host=host, port=port, descriptor=descriptor)
    except settings.UnusableSettings as error:
        raise _refuse(error) from error


@app.command("verifier", epilog="Example: idservice serve verifier --folder library --port 8081")
def serve_verifier(
    *,
    folder: Folder,
    host: Host = "127.0.0.1",
    port: Port = 8081,
    descriptor: Descriptor = None,
    clock_offset: Offset = 0,
) -> None:
    """Check credentials for one verifier, on its own machine; keep nothing."""
    try:
        told = settings.verifier(folder, environ=os.environ, clock_offset=clock_offset)
        run(_create("verifier", told), host=host, port=port, descriptor=descriptor)
    except settings.UnusableSettings as error:
        raise _refuse(error) from error


@app.command("log", epilog="Example: idservice serve log --folder log --port 8082")
def serve_log(
    *,
    folder: Annotated[Path, typer.Option(help="The log's folder, made by `idservice log create`.")],
    host: Host = "127.0.0.1",
    port: Port = 8082,
    descriptor: Descriptor = None,
) -> None:
    """Publish the register's log and have it cosigned; nothing is appended over HTTP."""
    module = importlib.import_module("idservice.apps.transparency.log")
    try:
        office = module.from_folder(folder, environ=os.environ, clock=clock.SystemClock())
        run(office, host=host, port=port, descriptor=descriptor)
    except settings.UnusableSettings as error:
        raise _refuse(error) from error


@app.command("register", epilog="Example: idservice serve register --folder city --port 8083")
def serve_register(
    *,
    folder: Annotated[Path, typer.Option(help="The register's folder.")],
    host: Host = "127.0.0.1",
    port: Port = 8083,
    descriptor: Descriptor = None,
    clock_offset: Offset = 0,
) -> None:
    """Take proposals, comments and votes; show what is in force; publish the log below /log."""
    module = importlib.import_module("idservice.apps.governance.process")
    try:
        office = module.from_folder(
            folder,
            environ=os.environ,
            clock_offset=clock_offset,
            random_bytes=secrets.token_bytes,
        )
        run(office, host=host, port=port, descriptor=descriptor)
    except settings.UnusableSettings as error:
        raise _refuse(error) from error


def register(root: typer.Typer) -> None:
    """Put the command below `idservice`."""
    root.add_typer(app, name="serve")
