"""A finished PDF is put where it was asked for: whole or not at all, for its owner's eyes only.

An existing file is left alone unless the caller says otherwise, and then it is there until the
new one is whole; a link is never followed. Where the system can, the octets go to a file without a
name that gets its name when it is complete, so that a crash leaves nothing behind; while a file is
replaced, it can leave the new one as `.NAME.unfinished`, which the next try removes.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from idservice.card.refusal import CannotWrite

_MODE: Final = 0o600
_WITHOUT_NAMELESS: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})


def check(path: Path, *, replace: bool) -> None:
    """Refuse early what `write` would refuse.

    Raises:
        CannotWrite: the file exists and may not be replaced, or nothing can be written there.
    """
    if not replace and os.path.lexists(path):
        raise CannotWrite("the output file exists already; --force replaces it")
    if path.exists() and not (path.is_file() or path.is_symlink()):
        raise CannotWrite("the output file is a folder or a device")
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        nameless = _open_nameless(path.parent)
    except OSError as error:
        raise _cannot(error) from None
    if nameless is not None:
        os.close(nameless)


def write(path: Path, content: bytes, *, replace: bool) -> None:
    """Create `path` with `content`, readable by its owner alone.

    Raises:
        CannotWrite: the file exists and may not be replaced, or cannot be written.
    """
    check(path, replace=replace)
    whole = path.with_name(f".{path.name}.unfinished") if replace else path
    try:
        if replace:
            whole.unlink(missing_ok=True)
        nameless = _open_nameless(path.parent)
        if nameless is None:
            _write_named(whole, content)
        else:
            _write_nameless(nameless, whole, content)
        if replace:
            whole.replace(path)
    except FileExistsError:
        raise CannotWrite("the output file exists already; --force replaces it") from None
    except OSError as error:
        if replace:
            with suppress(OSError):
                whole.unlink(missing_ok=True)
        raise _cannot(error) from None


def _cannot(error: OSError) -> CannotWrite:
    reason = os.strerror(error.errno) if error.errno else "no reason given"
    return CannotWrite(f"the output file cannot be written: {reason}")


def _open_nameless(folder: Path) -> int | None:
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return None
    try:
        return os.open(folder, flag | os.O_WRONLY, _MODE)
    except OSError as error:
        if error.errno in _WITHOUT_NAMELESS:
            return None
        raise


def _write_nameless(descriptor: int, path: Path, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
        # a directory descriptor makes Python follow the link under /proc; the path is absolute
        os.link(f"/proc/self/fd/{descriptor}", path.absolute(), src_dir_fd=descriptor)


def _write_named(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
