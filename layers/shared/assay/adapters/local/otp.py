"""One-time codes into a folder of this machine."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from assay.alerts.ports import Undelivered
from assay.challenges.ports import CodeMessage, Contact
from assay.challenges.texts import text_of
from assay.moments import now


class MailboxSender:
    """One text file per code, for development and tests: named after the account and the moment it was sent."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made with its first code."""
        self._folder = folder

    def channel(self, _: Contact | None) -> str:
        """Always the folder: whoever can read it is the customer."""
        return "mailbox"

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
