"""What labels need from outside, as Protocols. Every method raises `StorageError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from assay.labels.records import Labelling, Sent, Subject, Taken

TokenKind = Literal["account", "device", "counterparty"]


class Subjects(Protocol):
    """The transactions that were decided."""

    async def find(self, client_id: str, transaction_id: str) -> Subject | None:
        """The client's transaction, if there is one."""
        ...


class LabelStore(Protocol):
    """Labellings by client and transaction."""

    async def get(self, client_id: str, transaction_id: str) -> Labelling | None:
        """What was said of the transaction; None: nothing."""
        ...

    async def take(self, sent: Sequence[Sent]) -> list[Taken]:
        """Takes the opinions (`records.take`), in their order.

        Each that changes something is committed with its event, and with the count of its sender's day.
        """
        ...

    async def waiting(self, after: Position | None, limit: int, client_id: str | None) -> list[Labelling]:
        """Those with an opinion that waits for a second person, longest first. `client_id`: of that client only."""
        ...

    async def in_effect(self, since: int, after: Position | None, limit: int) -> list[Labelling]:
        """Those with a label, decided at `since` or later, by the time of the decision."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """Of a labelling in a list: what it is ordered by, and its transaction."""

    at: int
    client_id: str
    transaction_id: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows from a label for later transactions that have this token, until then."""

    kind: Literal["deny", "trust"]
    token_kind: TokenKind
    token: str
    until: int


class EffectStore(Protocol):
    """What labels have brought about, by the transaction that was labelled."""

    async def replace(self, client_id: str, transaction_id: str, effects: Sequence[Effect]) -> None:
        """These take the place of the effects that the transaction had."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What labels say of a transaction before it is decided."""

    is_denied: bool = False
    is_trusted: bool = False


NOTHING_KNOWN = Standing()


class Standings(Protocol):
    """Asked for every score."""

    async def standing(self, tokens: dict[TokenKind, str]) -> Standing:
        """Of a transaction with these tokens, now."""
        ...


class LabelledProfile(Protocol):
    """The profile, which counts confirmed fraud."""

    async def record_label(self, client_id: str, transaction_id: str, *, is_fraud: bool) -> None:
        """From now on the transaction's counterparty counts it as fraud, or does not. Repeating it changes nothing."""
        ...
