"""Mail over SMTP, to a server on this machine that takes it, refuses it, stalls or hangs up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from assay.adapters.local import mail as mail_module
from assay.adapters.local.mail import SmtpMailer
from assay.adapters.sqlite.alerts import SqliteAlertStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.alerts.config import load_config
from assay.alerts.ports import Undelivered
from assay.alerts.records import MAIL, Filter, State
from assay.errors import SettingsError
from functions.alerts.bootstrap import open_mailer
from functions.alerts.channels import Mails
from functions.alerts.consumer import AlertRecorder
from functions.alerts.delivery import Delivery
from functions.alerts.mails import Writer
from tests.harness.alerts import MINUTE, Clock, events, scored

TO = ("a@x.example", "b@x.example")


class Server:
    """What a mail server says to each command; `250 OK` where nothing is set."""

    def __init__(self, **answers: str | list[str]) -> None:
        """`rcpt_a`: to the recipient a@..; a list: one answer after the other, then OK."""
        self.answers = answers
        self.got: list[Envelope] = []

    def _next(self, command: str) -> str:
        answer = self.answers.get(command, "250 OK")
        return answer if isinstance(answer, str) else answer.pop(0) if answer else "250 OK"

    async def handle_MAIL(self, _s: Any, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:  # noqa: N802
        answer = self._next("mail")
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(self, _s: Any, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:  # noqa: N802
        answer = self._next(f"rcpt_{address[0]}")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._next("data")
        if answer == "stall":
            await asyncio.Event().wait()
        if answer == "hang up":
            assert server.transport is not None
            server.transport.abort()
        if answer.startswith("250"):
            self.got.append(envelope)
        return answer

    async def handle_QUIT(self, server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802
        if self.answers.get("quit") == "hang up":
            assert server.transport is not None
            server.transport.abort()
        return "221 Bye"


@asynccontextmanager
async def listening(server: Server, **options: Any) -> AsyncIterator[int]:
    """The port."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: SMTP(server, loop=loop, **options), "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


def letter() -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Message-ID"] = "assay@bank.example", ", ".join(TO), "<msg_1@bank.example>"
    mail.set_content("Grüße\n.\n", cte="quoted-printable")
    return mail


def send(server: Server, **options: Any) -> dict[str, tuple[str, bool]]:
    """What was refused, and whether for good; `*`: the whole mail."""

    async def main() -> dict[str, tuple[str, bool]]:
        async with listening(server, **options) as port:
            try:
                failures = await SmtpMailer("127.0.0.1", port).send(letter(), TO)
            except Undelivered as error:
                return {"*": (str(error), error.is_permanent)}
        return {name: (str(failure), failure.is_permanent) for name, failure in failures.items()}

    return asyncio.run(main())


def test_a_mail_arrives_as_it_is() -> None:
    server = Server()
    assert send(server) == {}
    (envelope,) = server.got
    assert (envelope.mail_from, envelope.rcpt_tos) == ("assay@bank.example", list(TO))
    assert isinstance(envelope.content, bytes)
    got = message_from_bytes(envelope.content, policy=policy.default)
    assert got["Message-ID"] == "<msg_1@bank.example>"
    assert got.get_content().replace("\r\n", "\n") == "Grüße\n.\n"


@pytest.mark.parametrize(
    ("answers", "failures", "arrived"),
    [
        ({"rcpt_a": "550 No such user"}, {TO[0]: ("SMTP 550", True)}, 1),
        ({"rcpt_a": "452 Mailbox full"}, {TO[0]: ("SMTP 452", False)}, 1),
        ({"rcpt_a": "550 No", "rcpt_b": "451 Later"}, {TO[0]: ("SMTP 550", True), TO[1]: ("SMTP 451", False)}, 0),
        ({"data": "554 Spam"}, {"*": ("SMTP 554", True)}, 0),
        ({"data": "451 Later"}, {"*": ("SMTP 451", False)}, 0),
        ({"mail": "550 Not you"}, {"*": ("SMTP 550", False)}, 0),
        ({"data": "hang up"}, {"*": ("the mail server: SMTPServerDisconnected", False)}, 0),
        ({"quit": "hang up"}, {}, 1),
    ],
)
def test_what_a_server_refuses(answers: dict[str, str], failures: dict[str, tuple[str, bool]], arrived: int) -> None:
    server = Server(**answers)
    assert send(server) == failures
    assert len(server.got) == arrived


def test_a_server_that_stalls_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "TIMEOUT_S", 0.2)
    assert send(Server(data="stall")) == {"*": ("the mail server: timed out", False)}


def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "TIMEOUT_S", 0.2)

    async def main() -> None:
        silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(3600), "127.0.0.1", 0)
        with pytest.raises(Undelivered, match="timed out"):
            await SmtpMailer("127.0.0.1", silent.sockets[0].getsockname()[1]).send(letter(), TO)
        silent.close()

    asyncio.run(main())


def test_no_server_at_all() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mailer = SmtpMailer("127.0.0.1", probe.getsockname()[1])
        with pytest.raises(Undelivered) as failure:
            asyncio.run(mailer.send(letter(), TO))
    assert not failure.value.is_permanent


def test_a_password_is_never_sent_in_clear() -> None:
    asked = []

    def authenticate(*given: object) -> AuthResult:
        asked.append(given)
        return AuthResult(success=True)

    async def main() -> None:
        async with listening(Server(), authenticator=authenticate, auth_require_tls=False) as port:
            with pytest.raises(Undelivered) as failure:
                await SmtpMailer("127.0.0.1", port, "user", "secret").send(letter(), TO)
        assert not failure.value.is_permanent

    asyncio.run(main())
    assert asked == []


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("smtp://mail.example:2525", ("mail.example", 2525, "", False)),
        ("smtp://mail.example", ("mail.example", 25, "", False)),
        ("smtps://me%40bank@mail.example", ("mail.example", 465, "me@bank", True)),
    ],
)
def test_where_a_mail_server_is(url: str, found: tuple[str, int, str, bool]) -> None:
    mailer = open_mailer(url, "secret")
    assert isinstance(mailer, SmtpMailer)
    assert (mailer._host, mailer._port, mailer._user, mailer._use_tls) == found


@pytest.mark.parametrize(
    "url", ["smtp://", "smtp://host:x", "smtp://me:secret@host", "smtp://host/path", "smtp://[::1"]
)
def test_what_is_no_mail_server_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        open_mailer(url)
    assert "secret" not in str(refused.value)


def delivered(tmp_path: Path, server: Server, look: Callable[[Delivery, SqliteAlertStore, Clock], Awaitable[None]]):
    """Two alerts of a route with two people on duty, through the server."""
    config = load_config(b"routes: [{name: a, when: [{decisions: [DECLINE]}], to: [a@x.example, b@x.example]}]")

    async def main() -> None:
        ledger, clock = SqliteLedger(tmp_path / "assay.db"), Clock()
        store = SqliteAlertStore(ledger)
        async with listening(server) as port:
            mails = Mails(Writer("assay@bank.example", None), SmtpMailer("127.0.0.1", port))
            await AlertRecorder(store, config, clock).handle(events(scored(1)))
            await look(Delivery(store, {MAIL: mails}, clock), store, clock)
        await ledger.close()

    asyncio.run(main())


async def state(store: SqliteAlertStore) -> tuple[State, int, str]:
    ((listed),) = await store.page(Filter(), None, 10)
    (message,) = listed.messages
    return message.state, message.attempts, message.error


def test_a_mail_that_is_put_off_arrives_later_once_for_each(tmp_path: Path) -> None:
    server = Server(rcpt_b=["451 Later", "451 Later"], data=["250 OK"])

    async def look(delivery: Delivery, store: SqliteAlertStore, clock: Clock) -> None:
        await delivery.run()
        assert await state(store) == (State.PENDING, 1, "SMTP 451")
        for _ in range(5):
            clock.pass_by(MINUTE)
            await delivery.run()
        assert await state(store) == (State.SENT, 3, "")

    delivered(tmp_path, server, look)
    assert [envelope.rcpt_tos for envelope in server.got] == [["a@x.example"], ["b@x.example"]]


def test_an_address_that_is_refused_is_given_up_at_once(tmp_path: Path) -> None:
    server = Server(rcpt_b=["550 No such user"])

    async def look(delivery: Delivery, store: SqliteAlertStore, clock: Clock) -> None:
        await delivery.run()
        assert await state(store) == (State.DEAD, 1, "SMTP 550")
        await store.redrive(clock.now)
        await delivery.run()
        assert (await state(store))[0] is State.SENT

    delivered(tmp_path, server, look)
    assert [envelope.rcpt_tos for envelope in server.got] == [["a@x.example"], ["b@x.example"]]


def test_a_server_that_takes_and_drops_looks_like_one_that_delivers(tmp_path: Path) -> None:
    """It cannot be known: what counts is that it took the mail."""

    class Dropping(Server):
        async def handle_DATA(self, *_: object) -> str:  # noqa: N802
            return "250 Thank you"

    async def look(delivery: Delivery, store: SqliteAlertStore, _clock: Clock) -> None:
        await delivery.run()
        assert (await state(store))[0] is State.SENT

    delivered(tmp_path, Dropping(), look)
