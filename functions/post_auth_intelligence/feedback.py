"""Takes labels: of known transactions only, from whoever may, and not too many of one sender in a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from assay import moments
from assay.features.windows import MINUTE
from assay.labels.contracts import LabelRequest
from assay.labels.ports import LabelStore, Subjects
from assay.labels.records import Opinion, Sent, Subject, Taken
from assay.moments import microseconds
from assay.policy import Feedback as Limits

AHEAD = 5 * MINUTE
"""Clocks differ."""


class Refusal(StrEnum):
    """Why a label is not taken. The text is what the sender reads."""

    UNKNOWN = "The client has no such transaction"
    NO_CLIENT = "A person names the client that sent the transaction"
    AHEAD = "labelled_at is ahead of this server's clock"
    EARLY = "labelled_at is earlier than the transaction"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who labels."""

    id: str
    is_person: bool


class Feedback:
    """Labels of transactions."""

    def __init__(
        self, subjects: Subjects, store: LabelStore, limits: Limits, now: Callable[[], int] = moments.now
    ) -> None:
        """`now`: in microseconds."""
        self._subjects = subjects
        self.store = store
        self.limits = limits
        """Of the release that decides: another may be set at any time."""
        self._now = now

    async def take(self, sender: Sender, requests: Sequence[LabelRequest]) -> list[Taken | Refusal]:
        """What becomes of each, in their order. Raises `StorageError`."""
        checked = [await self._check(sender, request) for request in requests]
        taken = iter(await self.store.take([found for found in checked if isinstance(found, Sent)]))
        return [next(taken) if isinstance(found, Sent) else found for found in checked]

    async def _check(self, sender: Sender, request: LabelRequest) -> Sent | Refusal:
        client_id = request.client_id or (None if sender.is_person else sender.id)
        if client_id is None:
            return Refusal.NO_CLIENT
        # Another's transaction is, to a client, one that is not there.
        is_foreign = not sender.is_person and client_id != sender.id
        subject = None if is_foreign else await self._subjects.find(client_id, request.transaction_id)
        if subject is None:
            return Refusal.UNKNOWN
        return self._sent(sender, request, subject)

    def _sent(self, sender: Sender, request: LabelRequest, subject: Subject) -> Sent | Refusal:
        now, dated = self._now(), request.labelled_at
        labelled_at = now if dated is None else microseconds(dated)
        if labelled_at > now + AHEAD:
            return Refusal.AHEAD
        if dated is not None and labelled_at < subject.time:
            return Refusal.EARLY
        limits = self.limits
        return Sent(
            subject=subject,
            opinion=Opinion(request.label, sender.id, now, labelled_at, request.note),
            is_dated=dated is not None,
            by_person=sender.is_person,
            allowance=limits.per_person_and_day if sender.is_person else limits.per_client_and_day,
        )
