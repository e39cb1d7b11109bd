"""What the alerts need from outside, as Protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Protocol

from assay.alerts.records import Alert, Filter, Listed, Message, NewAlert, Position
from assay.errors import AssayError


class Undelivered(AssayError):  # noqa: N818 - named for what happened
    """A message was not taken. The text is a few words without any value: a status, `timed out`."""

    def __init__(self, reason: str, *, is_permanent: bool = False, wait_s: float = 0.0) -> None:
        """`is_permanent`: no other attempt would fare better. `wait_s`: none should be made sooner."""
        super().__init__(reason)
        self.is_permanent = is_permanent
        self.wait_s = wait_s


class AlertStore(Protocol):
    """Alerts and the messages that carry them. Every method raises `StorageError`."""

    async def record(self, alerts: Sequence[NewAlert]) -> int:
        """Keeps those not known by their id, each with the messages and the window of its `plan`; how many were new.

        An alert joins a digest only while nobody has claimed it: `plan(.., is_claimed=True)` finds another window.
        """
        ...

    async def claim(self, channel: str, now: int, until: int, limit: int) -> list[Message]:
        """Pending messages of the channel that are due, oldest first. Each is nobody else's until `until`.

        A claim counts an attempt and makes the message due again at `until`, should this process die.
        """
        ...

    async def carried(self, message: Message, limit: int) -> tuple[list[Alert], int]:
        """The oldest alerts that the message is about, and how many there are in all."""
        ...

    async def settle(self, message: Message) -> None:
        """Keeps what became of a claimed message, unless it was claimed again meanwhile (other `attempts`)."""
        ...

    async def page(self, wanted: Filter, after: Position | None, limit: int) -> list[Listed]:
        """The alerts after the position, newest first; fewer than `limit` only when there are no more."""
        ...

    async def redrive(self, now: int) -> int:
        """Makes dead messages pending and due, with no attempts, to whom they did not reach (`refused`); how many."""
        ...


class Mailer(Protocol):
    """Hands mails over to a mail system."""

    async def send(self, mail: EmailMessage, recipients: Sequence[str]) -> Mapping[str, Undelivered]:
        """The recipients that were not taken, each with the reason; the others were.

        The sender is the mail's `From`. Raises `Undelivered` when the mail was taken for none of them.
        """
        ...


class Webhooks(Protocol):
    """Calls the webhooks of the configuration."""

    async def send(self, webhook: str, message_id: str, body: bytes) -> None:
        """One attempt: a signed POST to the webhook of this name. Raises `Undelivered`."""
        ...
