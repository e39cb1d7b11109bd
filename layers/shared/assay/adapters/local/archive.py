"""An archive in a folder of this machine."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path

from assay.archive_keys import checked, folder_of
from assay.errors import StorageError
from assay.release.files import sync_folder, write_new


class FolderArchive:
    """One file per object; any number of processes may share the folder.

    A key cannot also be the folder of another key. A process that dies while it writes may leave a file behind whose
    name begins with a dot: nobody reads it.
    """

    def __init__(self, root: Path) -> None:
        """`root` is made with its first object."""
        self._root = root

    async def put(self, key: str, body: bytes) -> bool:
        """Keeps the object; it is on the disk when this returns. False when there is one: that one stays."""
        path = self._root / checked(key)
        try:
            return await asyncio.to_thread(self._put, path, body)
        except OSError as error:
            raise StorageError(f"{key}: not kept: {error.strerror}") from error

    async def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        path = self._root / checked(key)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as error:
            raise StorageError(f"{key}: cannot be read: {error.strerror}") from error

    async def keys(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with the prefix and come after the given one, sorted."""
        folder = self._root / folder_of(prefix)
        try:
            keys = await asyncio.to_thread(self._keys, folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"{prefix}: cannot be listed: {error.strerror}") from error
        return sorted(key for key in keys if key.startswith(prefix) and key > after)

    async def discard(self, key: str) -> None:
        """Removes an object, if there is one: for what can be made again. Raises `StorageError`."""
        path = self._root / checked(key)
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as error:
            raise StorageError(f"{key}: not removed: {error.strerror}") from error

    def _put(self, path: Path, body: bytes) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(16)}")
        try:
            write_new(temporary, body)
            created = _link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        self._sync(path.parent)
        return created

    def _sync(self, folder: Path) -> None:
        """Waits for the folder's entry and those above it: any of them may be new, here or by another process."""
        while True:
            sync_folder(folder)
            if folder == self._root:
                return
            folder = folder.parent

    def _keys(self, folder: Path) -> list[str]:
        return [
            (Path(parent) / name).relative_to(self._root).as_posix()
            for parent, _, names in os.walk(folder, onerror=_raise)
            for name in names
            if not name.startswith(".")
        ]


def _link(temporary: Path, path: Path) -> bool:
    """Gives the file its name at once, unless the name is taken: a rename would replace what is there."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _raise(error: OSError) -> None:
    """`os.walk` would leave out what it cannot read."""
    raise error
