"""Reads the events that the function is there for, of whatever kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from assay.errors import PoisonEvent
from assay.labels.step_ups import StepUp, StepUpOutcome
from assay.moments import microseconds
from assay.ports import ScoredEvent
from assay.schemas.base import Token
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.fields import Timestamp
from assay.schemas.scored import View, read_as, read_scored

LABEL_RECORDED = "label.recorded"
DECISION_FINAL = "decision.final"
KINDS = frozenset({TRANSACTION_SCORED, LABEL_RECORDED, DECISION_FINAL})


class Labelled(NamedTuple):
    """A transaction of which something was said. What holds of it is in the store, whatever the event says."""

    client_id: str
    transaction_id: str


Happened: TypeAlias = ScoredEvent | Labelled | StepUp


class _Kind(View):
    event: str


class _Subject(View):
    client_id: Token
    transaction_id: Token


class _Labelled(View):
    event: Literal["label.recorded"]
    version: Literal[1]
    data: _Subject


class _Outcome(View):
    transaction_id: Token
    reason: Literal["step_up_passed", "step_up_failed", "step_up_expired"]


class _Final(View):
    event: Literal["decision.final"]
    version: Literal[1]
    client_id: Token
    occurred_at: Timestamp
    data: _Outcome


def read(body: bytes) -> Happened:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    reader = _READERS.get(read_as(_Kind, body).event)
    if reader is None:
        raise PoisonEvent("an event of another kind")
    return reader(body)


def read_recorded(body: bytes) -> ScoredEvent:
    """The same of `transaction.scored` only."""
    event = read_scored(body)
    verdict = event.verdict
    return ScoredEvent(
        client_id=event.client_id,
        transaction_id=verdict.transaction_id,
        decided_at=verdict.decided_at,
        decision=verdict.decision,
        release_version=verdict.release.version,
        release_hash=verdict.release.hash,
        is_early_exit=verdict.is_early_exit,
        body=body,
    )


def read_labelled(body: bytes) -> Labelled:
    """The same of `label.recorded` only."""
    data = read_as(_Labelled, body).data
    return Labelled(data.client_id, data.transaction_id)


def read_step_up(body: bytes) -> StepUp:
    """The same of `decision.final` only: its decision follows from a step-up."""
    final = read_as(_Final, body)
    outcome = StepUpOutcome(final.data.reason.removeprefix("step_up_"))
    return StepUp(final.client_id, final.data.transaction_id, outcome, microseconds(final.occurred_at))


_READERS: dict[str, Callable[[bytes], Happened]] = {
    TRANSACTION_SCORED: read_recorded,
    LABEL_RECORDED: read_labelled,
    DECISION_FINAL: read_step_up,
}
