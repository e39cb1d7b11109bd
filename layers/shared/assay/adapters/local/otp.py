"""One-time codes into a folder of this machine, and the key that goes with them."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path

from assay.alerts.ports import Undelivered
from assay.challenges.ports import CodeMessage, Contact
from assay.challenges.sealing import KEY_BYTES, InstallationKey
from assay.challenges.texts import text_of
from assay.moments import now
from assay.release.files import sync_folder, write_new

KEY_FILE = "installation.key"


class MailboxSender:
    """One text file per code, for development and tests: named after the account and the moment it was sent."""

    channel = "mailbox"

    def __init__(self, folder: Path) -> None:
        """`folder` is made with its first code."""
        self._folder = folder

    def reaches(self, _: Contact | None) -> bool:
        """Always: whoever can read the folder is the customer."""
        return True

    async def send(self, message: CodeMessage, _: Contact | None) -> None:
        """There when this returns, whole or not at all; a power cut may take it, as its five minutes do."""
        name = f"{message.account_id}.{now()}.txt"
        try:
            await asyncio.to_thread(self._write, name, text_of(message).encode())
        except OSError as error:
            raise Undelivered(f"the mailbox folder: {error.strerror}") from error

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._folder / f".{secrets.token_hex(8)}"
        temporary.write_bytes(content)
        temporary.replace(self._folder / name)


def installation_key(folder: Path) -> InstallationKey:
    """The key in the folder, made when there is none; only its owner can read it. Raises `SealError` or `OSError`."""
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
    return InstallationKey(path.read_bytes())


def _make(path: Path) -> None:
    """Whole or not at all; of two processes that make it at once, the one's stays."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_new(temporary, secrets.token_bytes(KEY_BYTES), 0o600)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    sync_folder(path.parent)
