"""A city's folder on disk: the root, the bundle in force, and one command at a time.

DESIGN, sections 3 and 8 (`init`). A new folder appears whole or not at all. What goes into it is
decided in `founding` and `admission`; the bundle is published in `register.publication`.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from crypto.x509.issue import Authority
from idservice.apps import key_files, keys, settings
from idservice.apps.settings import City, UnusableSettings
from idservice.verification import trust
from idservice.verification.trust import TrustBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The city root with its key, which signs certificates and bundles."""

    certificate: x509.Certificate
    key: ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def authority(self) -> Authority:
        """The same, as who signs certificates."""
        return Authority(certificate=self.certificate, key=self.key)


def current_bundle(folder: Path) -> TrustBundle:
    """Read the bundle that the city publishes."""
    data = keys.read_bundle(folder / "issuer" / keys.BUNDLE)
    return trust.parse(data, root_fingerprint=None, at_least_version=None)


def read_root(folder: Path) -> Root:
    """Read the city root with its key."""
    return Root(
        certificate=keys.read_certificate(folder / "root" / "root.crt"),
        key=key_files.read_ed25519(folder / "root" / "root.key"),
    )


@contextmanager
def alone(folder: Path) -> Iterator[City]:
    """Hold a city's folder against other commands that would change its bundle."""
    city = settings.issuer(folder / "issuer", environ={}).city
    descriptor = os.open(folder / "city.json", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield city
    except BlockingIOError as error:
        raise UnusableSettings("another command is at work in this folder") from error
    finally:
        os.close(descriptor)


@contextmanager
def new(folder: Path) -> Iterator[Path]:
    """Lend a folder to fill, which gets its name when everything in it is done."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UnusableSettings(f"{folder} is there already and not empty; nothing was changed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    try:
        unfinished.mkdir(mode=0o700)
    except FileExistsError as error:
        raise UnusableSettings(
            f"{unfinished} was left behind by a run that did not end; remove it first"
        ) from error
    try:
        yield unfinished
        unfinished.replace(folder)
    except BaseException:
        # nothing in it was ever published or used
        shutil.rmtree(unfinished)
        raise
