"""How codes leave, where customers are reached in more than one way."""

from __future__ import annotations

from collections.abc import Sequence

from assay.alerts.ports import Undelivered
from assay.challenges.ports import CodeMessage, Contact, OtpSender


class FirstThatReaches:
    """The contact decides: each code goes by the first of the senders that can bring it."""

    def __init__(self, senders: Sequence[OtpSender]) -> None:
        self._senders = senders

    def channel(self, contact: Contact | None) -> str | None:
        """The sender's."""
        sender = self._sender(contact)
        return None if sender is None else sender.channel(contact)

    async def send(self, message: CodeMessage, contact: Contact | None) -> None:
        """Raises `Undelivered`."""
        sender = self._sender(contact)
        if sender is None:
            raise Undelivered("nothing to send it by", is_permanent=True)
        await sender.send(message, contact)

    def _sender(self, contact: Contact | None) -> OtpSender | None:
        return next((sender for sender in self._senders if sender.channel(contact) is not None), None)
