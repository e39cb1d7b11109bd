"""Mail by SMTP, or into a folder to look at."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from assay.alerts.ports import Undelivered
from assay.errors import SettingsError
from assay.release.files import replace

TIMEOUT_S = 10.0
"""For one mail, from the connection to the end."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtp": 25, "smtps": 465}
WRONG_URL = "a mail server is given as smtp://host:port, smtps://host:port, or with user@ before the host"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


class FolderMailer:
    """One `.eml` file per mail, named after its Message-ID: sent again, it takes its own place."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made with its first mail."""
        self._folder = folder

    async def send(self, mail: EmailMessage, recipients: Sequence[str]) -> Mapping[str, Undelivered]:
        """On the disk when this returns, whole or not at all."""
        name = _NOT_IN_A_NAME.sub("", mail["Message-ID"].partition("@")[0])
        try:
            await asyncio.to_thread(self._write, f"{name}.eml", mail.as_bytes())
        except OSError as error:
            raise Undelivered(f"the mailbox folder: {error.strerror}") from error
        return {}

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(self._folder / name, content)


class SmtpMailer:
    """A mail server. Each mail has a connection of its own."""

    def __init__(self, host: str, port: int, user: str = "", password: str = "", *, use_tls: bool = False) -> None:
        """`use_tls`: from the first byte on. Else STARTTLS where the server offers it (not on this machine itself).

        With a user it is TLS or nothing: the password must not be read on the way.
        """
        self._host = host
        self._port = port
        self._user = user
        self._password = password
        self._use_tls = use_tls

    @classmethod
    def at(cls, url: str, password: str = "") -> SmtpMailer:
        """Of `smtp://[user@]host[:port]` or `smtps://..`. Raises `SettingsError`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SettingsError(WRONG_URL) from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.password or parts.path.strip("/") or parts.query:
            raise SettingsError(WRONG_URL)
        use_tls = parts.scheme == "smtps"
        return cls(
            parts.hostname, port or _PORTS[parts.scheme], unquote(parts.username or ""), password, use_tls=use_tls
        )

    async def send(self, mail: EmailMessage, recipients: Sequence[str]) -> Mapping[str, Undelivered]:
        """One attempt, of at most `TIMEOUT_S`.

        A refusal is for good where it is about the address or the mail (5xx), not where it is about us.
        """
        server = self._connection()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await server.connect()
                refused, _ = await server.sendmail(parseaddr(mail["From"])[1], list(recipients), mail.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as error:
            return {refusal.recipient: _refused(refusal.code) for refusal in error.recipients}
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error.code) from error
        except aiosmtplib.SMTPResponseException as error:
            raise Undelivered(f"SMTP {error.code}") from error
        except TimeoutError as error:
            raise Undelivered("the mail server: timed out") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered(f"the mail server: {type(error).__name__}") from error
        else:
            await _quit(server)
        finally:
            server.close()
        return {address: _refused(response.code) for address, response in refused.items()}

    def _connection(self) -> aiosmtplib.SMTP:
        if self._use_tls or (self._host in _LOOPBACK and not self._user):
            start_tls: bool | None = False
        else:
            start_tls = True if self._user else None
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user or None,
            password=self._password or None,
            timeout=TIMEOUT_S,
            use_tls=self._use_tls,
            start_tls=start_tls,
        )


def _refused(code: int) -> Undelivered:
    return Undelivered(f"SMTP {code}", is_permanent=code >= 500)


async def _quit(server: aiosmtplib.SMTP) -> None:
    """The mail is taken: how the connection ends changes nothing."""
    with suppress(aiosmtplib.SMTPException, OSError):
        await server.quit(timeout=1.0)
