"""What people and programs have said of a transaction afterwards, and what is in effect of it. Pure.

Times in microseconds since the epoch. Opinions come late, twice and in any order, and may change. All are kept; the
newest by the moment somebody came to it, of those that count, is the label. One beyond what its sender may say in a day
waits until a second person says the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from assay.features.windows import DAY
from assay.schemas.event import Event

MAX_OPINIONS = 100
"""About one transaction: nobody needs more, and a record must not grow without end."""


class Label(StrEnum):
    """What a transaction turned out to be."""

    FRAUD_CONFIRMED = "fraud_confirmed"
    FALSE_POSITIVE = "false_positive"
    """Legitimate, although it was challenged or declined."""
    LEGITIMATE = "legitimate"
    INCONCLUSIVE = "inconclusive"
    """Looked into, and nobody can tell: counts neither as fraud nor as legitimate."""

    @property
    def is_fraud(self) -> bool | None:
        """None: unknown."""
        return None if self is Label.INCONCLUSIVE else self is Label.FRAUD_CONFIRMED


class Outcome(StrEnum):
    """What became of an opinion that was sent."""

    RECORDED = "recorded"
    """It counts."""
    PENDING = "pending"
    """It waits for a second person: its sender has said enough today."""
    CONFIRMED = "confirmed"
    """It was the second person's: what waited counts now, and so does this, whatever its sender has said today."""
    UNCHANGED = "unchanged"
    """It was known already."""
    FULL = "full"
    """Refused: too much was said of this transaction."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The transaction, and what is looked at once it has a label."""

    client_id: str
    transaction_id: str
    time: int
    """Of the transaction itself."""
    decided_at: int
    decision: str
    fraud_score: float | None
    rules: tuple[str, ...]
    """Ids of those that fired."""
    amount: float | None = None
    """In the base currency; None: unknown, as what follows."""
    account: str | None = None
    device: str | None = None
    counterparty: str | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """One thing somebody said."""

    label: Label
    by: str
    """Id of a user or a service client."""
    at: int
    """When it was received."""
    labelled_at: int
    """When they came to it, as they say; else `at`."""
    note: str = ""
    counts_since: int | None = None
    """None: it waits."""
    confirmed_by: str | None = None
    """The second person, if one was needed."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """All opinions about a transaction, as they came. `version` is one more with every change; 0: there are none."""

    subject: Subject
    version: int = 0
    opinions: tuple[Opinion, ...] = ()

    @property
    def current(self) -> Opinion | None:
        """The opinion in effect: of those as new the last that came."""
        best: Opinion | None = None
        for opinion in self.opinions:
            if opinion.counts_since is not None and (best is None or opinion.labelled_at >= best.labelled_at):
                best = opinion
        return best

    @property
    def waiting_since(self) -> int | None:
        """When the oldest opinion that still waits came."""
        return min((opinion.at for opinion in self.opinions if opinion.counts_since is None), default=None)


@dataclass(frozen=True, slots=True)
class Sent:
    """An opinion on its way in, and what decides whether it counts."""

    subject: Subject
    opinion: Opinion
    is_dated: bool
    """Whether its sender says when they came to it."""
    by_person: bool
    allowance: int
    """How many opinions of its sender count per day (UTC) without a second person."""

    @property
    def day(self) -> int:
        """Days since the epoch."""
        return self.opinion.at // DAY


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it."""

    outcome: Outcome
    labelling: Labelling
    """As it is now."""


def take(labelling: Labelling, sent: Sent, used: int) -> Taken:
    """The opinion among the others. `used`: how many of its sender's have counted that day."""
    if _is_known(labelling, sent):
        return Taken(Outcome.UNCHANGED, labelling)
    if len(labelling.opinions) >= MAX_OPINIONS:
        return Taken(Outcome.FULL, labelling)
    opinion, before = sent.opinion, labelling.opinions
    is_second = sent.by_person and any(_waits_for(other, opinion) for other in before)
    if is_second:
        before = tuple(_confirmed(other, opinion) if _waits_for(other, opinion) else other for other in before)
    counts = is_second or used < sent.allowance
    added = replace(opinion, counts_since=opinion.at if counts else None)
    after = replace(labelling, version=labelling.version + 1, opinions=(*before, added))
    if is_second:
        return Taken(Outcome.CONFIRMED, after)
    return Taken(Outcome.RECORDED if counts else Outcome.PENDING, after)


def event_of(taken: Taken, sent: Sent, before: Opinion | None) -> Event:
    """`label.recorded`: ids and labels only. `before`: the opinion in effect until then."""
    current, subject = taken.labelling.current, taken.labelling.subject
    return Event.now(
        "label.recorded",
        sent.opinion.by,
        client_id=subject.client_id,
        transaction_id=subject.transaction_id,
        label=sent.opinion.label,
        outcome=taken.outcome,
        in_effect=None if current is None else current.label,
        before=None if before is None else before.label,
    )


def _is_known(labelling: Labelling, sent: Sent) -> bool:
    """A dated one: when its sender said it before. Any other: when it was its sender's last word.

    So a file that is imported twice changes nothing, not even where somebody else has changed a label since.
    """
    opinion = sent.opinion
    own = [other for other in labelling.opinions if other.by == opinion.by]
    if sent.is_dated:
        return any((other.label, other.labelled_at) == (opinion.label, opinion.labelled_at) for other in own)
    return bool(own) and own[-1].label == opinion.label


def _confirmed(other: Opinion, opinion: Opinion) -> Opinion:
    return replace(other, counts_since=opinion.at, confirmed_by=opinion.by)


def _waits_for(other: Opinion, opinion: Opinion) -> bool:
    return other.counts_since is None and other.label == opinion.label and other.by != opinion.by
