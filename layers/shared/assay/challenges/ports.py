"""What challenges need from outside, as Protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assay.challenges.records import Challenge, Enrolment, Sends
from assay.schemas.event import Event


@dataclass(frozen=True, slots=True)
class Contact:
    """Where an account's customer is reached."""

    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class CodeMessage:
    """A code on its way to a customer."""

    account_id: str
    confirms: str
    """`codes.told`, so that the customer knows what the code is for."""
    code: str
    minutes: int
    """How long it is good for still, rounded up."""

    def __repr__(self) -> str:
        """Without the code: it must not get into a log."""
        return f"CodeMessage({self.account_id})"


class OtpSender(Protocol):
    """Brings codes to customers."""

    def channel(self, contact: Contact | None) -> str | None:
        """By what codes get there, for the event (`sms`, `mail` ..); None: they do not."""
        ...

    async def send(self, message: CodeMessage, contact: Contact | None) -> None:
        """One attempt, where there is a channel. Raises `Undelivered`."""
        ...


class ChallengeStore(Protocol):
    """Challenges, and how often accounts were sent codes. Every method raises `StorageError`."""

    async def get(self, challenge_id: str) -> Challenge | None:
        """The challenge with this id."""
        ...

    async def sends(self, client_id: str, account_id: str) -> Sends:
        """The account's; of version 0 when there were none."""
        ...

    async def save(
        self,
        challenge: Challenge,
        *,
        sends: Sends | None = None,
        enrolment: Enrolment | None = None,
        events: Sequence[Event] = (),
    ) -> bool:
        """Puts each record in the place of its version before (of version 1: where there is none), with the events.

        False when any of them is not of that version any more; then nothing is kept.
        """
        ...

    async def overdue(self, now: int, limit: int) -> list[Challenge]:
        """Pending ones whose time is over, oldest first."""
        ...

    async def stalled(self, now: int, limit: int) -> list[Challenge]:
        """Pending ones with a code to be sent that nobody is sending any more."""
        ...


class FactorStore(Protocol):
    """How customers are reached and what they have. What is sealed stays so. Every method raises `StorageError`."""

    async def contact(self, client_id: str, account_id: str) -> bytes | None:
        """The account's contact, sealed."""
        ...

    async def put_contact(self, client_id: str, account_id: str, sealed: bytes, event: Event) -> None:
        """Keeps it in the place of the one before."""
        ...

    async def remove_contact(self, client_id: str, account_id: str, event: Event) -> bool:
        """False when there is none."""
        ...

    async def enrolment(self, client_id: str, account_id: str) -> Enrolment | None:
        """The account's authenticator app, confirmed or not."""
        ...

    async def enrol(self, enrolment: Enrolment, event: Event) -> bool:
        """Keeps it, in the place of one that was never confirmed. False when the account has one that was."""
        ...

    async def change_enrolment(self, enrolment: Enrolment, events: Sequence[Event]) -> bool:
        """Puts it in the place of its version before. False when that is not there any more."""
        ...

    async def remove_enrolment(self, client_id: str, account_id: str, event: Event) -> bool:
        """False when there is none."""
        ...
