"""The encrypted file of the reference wallet.

DESIGN section 2: credentials and keys are with the resident and nowhere else. One file: a
header with the cost and the salt of Argon2id (RFC 9106), then a libsodium secretbox over JSON
that is filled up to a multiple of four MiB, so that an empty wallet and a full one look the
same. Each save writes a new file, syncs it, and puts it in the place of the old one; a lock
keeps a second process out. Overwriting at `erase` is best effort: what a flash memory or a
snapshot kept of an older file stays encrypted under the passphrase.
"""

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nacl.exceptions
import nacl.pwhash.argon2id
import nacl.secret
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.bbs.jwp import HolderSecret
from crypto.encoding import base64url, canonical_json
from crypto.encoding.canonical_json import JsonObject, JsonValue
from crypto.entropy import RandomBytes
from crypto.errors import CryptoError
from crypto.instant import UnixSeconds
from crypto.jose import jwk
from idservice.period import Period
from idservice.register.reading import knowledge
from idservice.register.reading.knowledge import Pinned
from idservice.wallet.model import (
    Card,
    Committed,
    Instance,
    Pending,
    Receipt,
    Unusable,
    Use,
    Wallet,
)

FILE: Final = "wallet.sealed"
BUCKET: Final = 4 * 1024 * 1024
"""Two periods' cards with the largest portrait fit in one."""

SHORTEST_PASSPHRASE: Final = 8
"""Octets; asked for when a wallet is made."""

_MAGIC = b"idservice-wallet-1\n"
_HEADER = struct.Struct(f">{len(_MAGIC)}sII16s")
_NONCE_LENGTH = 24
_KEY_LENGTH = 32
_LONGEST_FILE = 256 * 1024 * 1024
_MEMORY_LIMIT = 1 << 30
_PASSES_LIMIT = 16
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one guess at a passphrase costs."""

    passes: int = 3
    memory: int = 64 * 1024 * 1024
    """Octets: the second recommendation of RFC 9106, section 4, on one lane."""


class WalletFile:
    """One wallet's file, opened by its passphrase and locked against a second process."""

    def __init__(self, *, path: Path, header: bytes, key: bytes, random_bytes: RandomBytes) -> None:
        self._path = path
        self._header = header
        self._box = nacl.secret.SecretBox(key)
        self._random_bytes = random_bytes
        self._kept: Wallet | None = None
        """What the file holds; nobody else writes it while we have the lock."""

    def load(self) -> Wallet:
        """Return what was saved last, or an empty wallet."""
        if self._kept is None:
            self._kept = self._read()
        return self._kept

    def _read(self) -> Wallet:
        if not self._path.exists():
            return Wallet()
        sealed = _read(self._path)[_HEADER.size :]
        try:
            padded = self._box.decrypt(sealed)
        except (nacl.exceptions.CryptoError, ValueError) as error:
            raise Unusable("The passphrase is wrong, or the wallet file is damaged.") from error
        (length,) = _LENGTH.unpack_from(padded)
        return parse(padded[_LENGTH.size : _LENGTH.size + length])

    def save(self, wallet: Wallet) -> None:
        """Put `wallet` in the place of the last one; it survives a crash once this returns."""
        content = write(wallet)
        framed = _LENGTH.pack(len(content)) + content
        padded = framed + bytes(-len(framed) % BUCKET)
        sealed = self._box.encrypt(padded, self._random_bytes(_NONCE_LENGTH))
        try:
            _replace(self._path, self._header + sealed)
        except OSError as error:
            raise Unusable("The wallet file could not be written; nothing was sent.") from error
        self._kept = wallet


@contextmanager
def opened(
    folder: Path, *, passphrase: bytes, random_bytes: RandomBytes, cost: Cost | None = None
) -> Iterator[WalletFile]:
    """Open the wallet in `folder`, or make one there, and keep others out until done.

    Raises:
        Unusable: the folder cannot be used, the file is not a wallet, or another process has it.
    """
    with _locked(folder):
        path = folder / FILE
        header = _header(path, passphrase=passphrase, cost=cost, random_bytes=random_bytes)
        key = _derive(header, passphrase)
        yield WalletFile(path=path, header=header, key=key, random_bytes=random_bytes)


def erase(folder: Path) -> None:
    """Overwrite the wallet's file and remove it; no passphrase is needed to forget.

    So goes what a crash left of a save. A link in their place is removed, and nothing behind it.
    """
    path = folder / FILE
    with _locked(folder):
        for each in (path, path.with_suffix(".new")):
            with suppress(FileNotFoundError):
                if stat.S_ISREG(each.lstat().st_mode):
                    _overwrite(each)
                each.unlink()
        _sync_folder(folder)


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "r+b") as file:
        file.write(bytes(os.fstat(descriptor).st_size))
        file.flush()
        os.fsync(file.fileno())


def exists(folder: Path) -> bool:
    """Say whether there is a wallet in the folder."""
    return (folder / FILE).exists()


def write(wallet: Wallet) -> bytes:
    """Write a wallet as canonical JSON."""
    root = wallet.root_fingerprint
    value: JsonObject = {
        "root": None if root is None else base64url.encode(root),
        "pinned": _write_pinned(wallet.pinned),
        "bundle": base64url.encode(wallet.bundle),
        "cards": [_write_card(card) for card in wallet.cards],
        "pending": [_write_pending(pending) for pending in wallet.pending],
        "receipts_on": wallet.receipts_on,
        "receipts": [_write_receipt(receipt) for receipt in wallet.receipts],
    }
    return canonical_json.serialize(value)


def parse(data: bytes) -> Wallet:
    """Read what `write` wrote."""
    try:
        reader = _Reader(canonical_json.parse_canonical(data))
        root = reader.value.get("root")
        return Wallet(
            root_fingerprint=None if root is None else base64url.decode(reader.text("root")),
            pinned=_parse_pinned(reader),
            bundle=base64url.decode(reader.text("bundle")),
            cards=tuple(_parse_card(card) for card in reader.children("cards")),
            pending=tuple(_parse_pending(one) for one in reader.children("pending")),
            receipts_on=reader.value.get("receipts_on") is True,
            receipts=tuple(_parse_receipt(one) for one in reader.children("receipts")),
        )
    except (CryptoError, TypeError, ValueError) as error:
        raise Unusable("The wallet file holds something else than a wallet.") from error


def _write_pinned(pinned: Pinned | None) -> JsonValue:
    return None if pinned is None else canonical_json.parse(knowledge.write_pinned(pinned))


def _parse_pinned(reader: "_Reader") -> Pinned | None:
    found = reader.value.get("pinned")
    return None if found is None else knowledge.parse_pinned(canonical_json.serialize(found))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads members of the expected type; anything else is a damaged file."""

    value: JsonObject = field(repr=False)

    def text(self, name: str) -> str:
        found = self.value.get(name)
        if not isinstance(found, str):
            raise TypeError("a text is missing")
        return found

    def number(self, name: str) -> int:
        found = self.value.get(name)
        if isinstance(found, bool) or not isinstance(found, int):
            raise TypeError("a number is missing")
        return found

    def child(self, name: str) -> "_Reader":
        return _reader(self.value.get(name))

    def children(self, name: str) -> "Iterator[_Reader]":
        found = self.value.get(name)
        if not isinstance(found, list):
            raise TypeError("a list is missing")
        return iter([_reader(entry) for entry in found])

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.value.get(name)
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise TypeError("a list of texts is missing")
        return tuple(str(one) for one in found)


def _reader(value: JsonValue) -> _Reader:
    if not isinstance(value, dict):
        raise TypeError("an object is missing")
    return _Reader(value)


def _write_key(key: ec.EllipticCurvePrivateKey | HolderSecret) -> JsonObject:
    if isinstance(key, HolderSecret):
        return {"nym": base64url.encode(key.nym), "blind": base64url.encode(key.blind)}
    return {**jwk.private_jwk(key)}


def _parse_key(reader: _Reader) -> ec.EllipticCurvePrivateKey | HolderSecret:
    return _parse_secret(reader) if "nym" in reader.value else jwk.parse_private(reader.value)


def _parse_secret(reader: _Reader) -> HolderSecret:
    return HolderSecret(
        nym=base64url.decode(reader.text("nym")), blind=base64url.decode(reader.text("blind"))
    )


def _write_card(card: Card) -> JsonObject:
    return {
        "configuration": card.configuration,
        "vct": card.vct,
        "period": card.period,
        "nbf": card.not_before,
        "exp": card.expires,
        "instances": [
            {
                "credential": one.credential,
                "key": _write_key(one.key),
                "use": one.use.value,
                "showings": one.showings,
            }
            for one in card.instances
        ],
    }


def _parse_card(reader: _Reader) -> Card:
    return Card(
        configuration=reader.text("configuration"),
        vct=reader.text("vct"),
        period=Period(reader.number("period")),
        not_before=UnixSeconds(reader.number("nbf")),
        expires=UnixSeconds(reader.number("exp")),
        instances=tuple(
            Instance(
                credential=one.text("credential"),
                key=_parse_key(one.child("key")),
                use=Use(one.text("use")),
                showings=one.number("showings"),
            )
            for one in reader.children("instances")
        ),
    )


def _write_pending(pending: Pending) -> JsonObject:
    written: JsonObject = {
        "code": pending.code,
        "configuration": pending.configuration,
        "access_token": pending.access_token,
        "until": pending.until,
    }
    match pending.keys:
        case Committed(secret=secret, commitment=commitment):
            written["secret"] = _write_key(secret)
            written["commitment"] = base64url.encode(commitment)
        case keys:
            written["keys"] = [_write_key(key) for key in keys]
    return written


def _parse_pending(reader: _Reader) -> Pending:
    return Pending(
        code=reader.text("code"),
        configuration=reader.text("configuration"),
        access_token=reader.text("access_token"),
        keys=_parse_pending_keys(reader),
        until=UnixSeconds(reader.number("until")),
    )


def _parse_pending_keys(reader: _Reader) -> tuple[ec.EllipticCurvePrivateKey, ...] | Committed:
    if "secret" not in reader.value:
        return tuple(jwk.parse_private(key.value) for key in reader.children("keys"))
    return Committed(
        secret=_parse_secret(reader.child("secret")),
        commitment=base64url.decode(reader.text("commitment")),
    )


def _write_receipt(receipt: Receipt) -> JsonObject:
    return {
        "day": receipt.day,
        "verifier": receipt.verifier,
        "policy": receipt.policy,
        "claims": list(receipt.claims),
        "pseudonym": receipt.pseudonym,
        "until": receipt.until,
    }


def _parse_receipt(reader: _Reader) -> Receipt:
    return Receipt(
        day=reader.text("day"),
        verifier=reader.text("verifier"),
        policy=reader.text("policy"),
        claims=reader.texts("claims"),
        pseudonym=reader.value.get("pseudonym") is True,
        until=UnixSeconds(reader.number("until")),
    )


def _header(
    path: Path, *, passphrase: bytes, cost: Cost | None, random_bytes: RandomBytes
) -> bytes:
    if path.exists():
        return _read(path)[: _HEADER.size]
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise Unusable(f"A new wallet's passphrase has at least {SHORTEST_PASSPHRASE} characters.")
    chosen = cost or Cost()
    salt = random_bytes(nacl.pwhash.argon2id.SALTBYTES)
    return _HEADER.pack(_MAGIC, chosen.passes, chosen.memory, salt)


def _derive(header: bytes, passphrase: bytes) -> bytes:
    magic, passes, memory, salt = _HEADER.unpack(header)
    if magic != _MAGIC or passes > _PASSES_LIMIT or memory > _MEMORY_LIMIT:
        raise Unusable("The file in the wallet's folder is not a wallet.")
    try:
        return nacl.pwhash.argon2id.kdf(
            _KEY_LENGTH, passphrase, salt, opslimit=passes, memlimit=memory
        )
    except (nacl.exceptions.CryptoError, ValueError) as error:
        raise Unusable("The file in the wallet's folder is not a wallet.") from error


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(_LONGEST_FILE)
    except OSError as error:
        raise Unusable("The wallet file cannot be read.") from error
    if len(data) < _HEADER.size:
        raise Unusable("The file in the wallet's folder is not a wallet.")
    return data


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "wallet.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unusable("The wallet's folder cannot be used.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise Unusable("Another process has this wallet open.") from error
    try:
        yield
    finally:
        os.close(lock)


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    with suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
