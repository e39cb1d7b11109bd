"""Everything outside, as Protocols. Each has a SQLite/folder adapter and an AWS adapter with one contract suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from assay.audit.chain import Batch, Entry, Head
from assay.features.transaction import Login, Transaction
from assay.schemas.base import FeatureValue
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.stages import StandInUsage


class ProfileStore(Protocol):
    """Windows per account, device, address and counterparty. Every method raises `StorageError`."""

    async def observe(self, client_id: str, transaction: Transaction) -> dict[str, FeatureValue]:
        """Counts the transaction (once) and returns every feature of the catalogue."""
        ...

    async def retract(self, client_id: str, transaction: Transaction) -> None:
        """Takes back an observation whose verdict could not be committed."""
        ...

    async def record_login(self, client_id: str, login: Login) -> bool:
        """Counts a login attempt durably. False when this event is known already."""
        ...


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A verdict as first given: its bytes, and the fingerprint of the request it answered."""

    fingerprint: bytes
    verdict: bytes


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One unit of work: the verdict, what the profile counted, the event about it, the stand-in account."""

    client_id: str
    transaction_id: str
    fingerprint: bytes
    verdict: bytes
    decided_at: datetime
    activity: Transaction
    event: bytes
    stand_in: StandInUsage | None = None
    """The account's new stand-in usage; None leaves it as it is."""


class DecisionStore(Protocol):
    """Verdicts by client and transaction id, with the event about each. Every method raises `StorageError`."""

    async def find(self, client_id: str, transaction_id: str) -> StoredDecision | None:
        """The decision given before, if any."""
        ...

    async def commit(self, record: DecisionRecord) -> None:
        """Makes the record durable, all of it or nothing, before it returns.

        Raises `AlreadyDecided` when another process gave this transaction its verdict meanwhile.
        """
        ...

    async def stand_in_usage(self, account: str) -> StandInUsage:
        """What stand-in decisions approved for the account since its last full decision."""
        ...


class DenyList(Protocol):
    """Accounts whose transactions are declined now, besides what the policy denies."""

    async def denies(self, account: str) -> bool:
        """Whether the account is one of them. Raises `StorageError`."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event waiting for its consumers. `sequence` orders events; delivery is at least once."""

    sequence: int
    body: bytes
    kind: str = TRANSACTION_SCORED
    """What its body says in `event`."""


class Consumer(Protocol):
    """Something that learns of events. Must be idempotent."""

    name: str
    kinds: frozenset[str] | None
    """Of the events it wants; None: all."""

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Takes all events or raises; a batch that raised is offered again, event by event."""
        ...


class Outbox(Protocol):
    """The events of committed decisions, in order, and how far each consumer has come."""

    async def pending(self, consumer: str, limit: int, kinds: frozenset[str] | None = None) -> list[OutboxEvent]:
        """The oldest events the consumer has not had; those of other kinds than these come without their bodies."""
        ...

    async def advance(self, consumer: str, sequence: int) -> None:
        """Everything up to `sequence` is done for the consumer."""
        ...

    async def bury(self, consumer: str, event: OutboxEvent, reason: str) -> None:
        """Moves a poison event to the consumer's dead letters and goes on."""
        ...


class Archive(Protocol):
    """Objects that are written once and never changed. Keys look like paths. Every method raises `StorageError`."""

    async def put(self, key: str, body: bytes) -> bool:
        """Keeps the object durably. False when there is one with this key: that one stays."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        ...

    async def keys(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with the prefix and come after the given one, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class AuditAnchor:
    """What is known of the audit log apart from it."""

    head: Head
    """The end of what was recorded."""
    key: str
    """Of the last object; empty: there is none, or it is from before keys were noted."""
    intended: Batch | None
    """The object that was announced after that. Whoever comes next writes it, if it is not there, and anchors it."""


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Where a record is: its number, and the key of its object (empty: not noted)."""

    sequence: int
    key: str


class AuditAnchorStore(Protocol):
    """Where the audit log ends and what it holds, kept apart from it. Every method raises `StorageError`."""

    max_entries: int
    """Of a batch."""
    max_body: int
    """Bytes of a batch's object; a batch of one entry may have more."""

    async def read(self) -> AuditAnchor:
        """The anchor as it is."""
        ...

    async def intend(self, before: Head, batch: Batch) -> None:
        """Announces the next object, keeping its bytes.

        Raises `AnchorMoved` when the log does not end with `before`, or another object is announced.
        """
        ...

    async def advance(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """The announced object is written: its head is the log's, its entries are recorded. All of it or nothing.

        Raises `AnchorMoved` when it is not the announced one any more.
        """
        ...

    async def recorded(self, entries: Sequence[Entry]) -> set[tuple[str, str, str]]:
        """Identities of those entries that are in the log already."""
        ...

    async def find(self, kind: str, client_id: str, id: str) -> AuditPlace | None:  # noqa: A002 - its name everywhere
        """Where the record of this identity is, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class ScoredEvent:
    """What post-authorisation intelligence keeps of a scored transaction."""

    client_id: str
    transaction_id: str
    decided_at: datetime
    decision: str
    release_version: str
    release_hash: str
    is_early_exit: bool
    body: bytes


class ScoredEventStore(Protocol):
    """Every scored event, blocked ones too, with its features and release."""

    async def record(self, events: Sequence[ScoredEvent]) -> None:
        """Keeps the events; one that is there already is left as it is."""
        ...

    async def count(self) -> int:
        """How many events are kept."""
        ...
