"""Reading and replacing small files without following links and without half-written states."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from assay.errors import ReleaseError

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not make us wait


def read_regular(name: str, limit: int, folder: int | None = None) -> bytes:
    """Bytes of a regular file of at most `limit` bytes, relative to an open folder. ReleaseError names the file."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{Path(name).name}: cannot be read, or is a link ({_cause(error)})") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ReleaseError(f"{Path(name).name}: not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ReleaseError(f"{Path(name).name}: cannot be read ({_cause(error)})") from error
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise ReleaseError(f"{Path(name).name}: larger than {limit} bytes")
    return data


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Writes a file that must not exist yet, and waits until it is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Puts a file in the place of another at once: a reader sees the old or the new. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(temporary, data, mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def make_once(path: Path, data: bytes, mode: int) -> None:
    """Makes a file, whole or not at all; of processes that do so at once, the first one's stays. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(temporary, data, mode)
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Waits until the folder's entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cause(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
