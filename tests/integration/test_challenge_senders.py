"""What brings codes to customers: the mailbox folder, and mail over SMTP to a server on this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope

from assay.alerts.ports import Undelivered
from assay.challenges.ports import CodeMessage, Contact
from assay.errors import SettingsError
from functions.challenges.bootstrap import open_sender

MESSAGE = CodeMessage("acct-1", "25.50 EUR to bakery-12", "012345", 5)
CONTACT = Contact(email="ama@example.org")


class Server:
    """A mail server that takes every mail but to one address."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802
        if address.startswith("nobody@"):
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.got.append(envelope)
        return "250 OK"


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(server, loop=loop), "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


def test_a_code_by_mail() -> None:
    server = Server()

    async def scenario() -> None:
        async with listening(server) as port:
            sender = open_sender(f"smtp://127.0.0.1:{port}", "Bank <codes@bank.example>")
            assert sender.channel(CONTACT) == "mail"
            assert sender.channel(None) is None
            assert sender.channel(Contact(phone="+4915112345678")) is None
            await sender.send(MESSAGE, CONTACT)
            with pytest.raises(Undelivered, match="SMTP 550"):
                await sender.send(MESSAGE, Contact(email="nobody@example.org"))

    asyncio.run(scenario())
    (envelope,) = server.got
    assert (envelope.mail_from, envelope.rcpt_tos) == ("codes@bank.example", ["ama@example.org"])
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy.default)
    text = mail.get_content()
    assert "Code: 012345" in text
    assert "25.50 EUR to bakery-12" in text
    assert "012345" not in mail["Subject"]
    assert mail["Message-ID"].endswith("@bank.example>")


def test_a_server_that_is_not_there_and_one_that_cannot_be() -> None:
    async def scenario() -> None:
        async with listening(Server()) as port:
            sender = open_sender(f"smtp://127.0.0.1:{port}")
        with pytest.raises(Undelivered):
            await sender.send(MESSAGE, CONTACT)

    asyncio.run(scenario())
    with pytest.raises(SettingsError):
        open_sender("smtp://host:port:1")


def test_a_code_into_the_mailbox_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mailbox" / "codes"
    sender = open_sender(str(folder))
    assert sender.channel(None) == "mailbox"

    async def scenario() -> None:
        await asyncio.gather(*(sender.send(MESSAGE, None) for _ in range(3)))

    asyncio.run(scenario())
    files = list(folder.iterdir())
    assert len(files) == 3
    assert folder.stat().st_mode & 0o077 == 0
    for file in files:
        assert re.fullmatch(r"acct-1\.[0-9]+\.txt", file.name)
        assert file.read_text().startswith("Code: 012345\n")


def test_a_mailbox_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sender = open_sender(str(tmp_path / "file" / "codes"))
    with pytest.raises(Undelivered):
        asyncio.run(sender.send(MESSAGE, None))
