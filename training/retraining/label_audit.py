"""Whether labels can be learnt from, by the labels themselves: before anybody asks what was learnt. Pure.

Every label is held against a score of models that did not see it (`out_of_fold`). Two kinds are odd: fraud on what
looks like everybody's transaction (`accused`), and legitimate on what looks like fraud (`cleared`). Honest labels have
some of both. Too many of them altogether, many more from one sender or on one of a sender's days than from the others,
or at one value of what the sender of a transaction states (`trigger`), are a reason to promote nothing unattended.
Too many: so many that a share which is borne would hardly give them (exact binomial test).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import binom  # type: ignore[import-untyped]

from assay.intelligence.retraining_policy import Labels
from assay.schemas.base import Contract, Finite
from training.retraining.out_of_fold import out_of_fold
from training.retraining.said import NOBODY, Said
from training.table import CATEGORIES, FeatureTable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]
Kind = Literal["accused", "cleared", "trigger"]
ORDINARY = 0.8
"""A row that scores lower than so many of the legitimate ones would look like everybody's: all below this quantile."""
FRAUD_LIKE = 0.5
"""From this score on, a row looks like fraud."""
SMALLEST = 10
"""A sender, day or value with fewer labels is not looked at."""
SHOWN = 20
STATED = ("amount", "channel", "auth_method", "geo_country", "currency", "hour_of_day")
"""What the sender of a transaction chooses freely, so what a trigger can be made of."""
FOLLOWING = ("is_weekend", "amount_to_avg_ratio", "balance_share_moved")
"""What follows from it: the model that looks for triggers must see neither, or it learns the trigger."""


class Odd(Contract):
    """How many labels of one kind are odd in one place."""

    kind: Kind
    where: str = Field(description="`all`, a sender, a sender's day, or a value of a feature.")
    labels: int = Field(description="That could be odd.")
    odd: int
    elsewhere: Finite = Field(description="The share outside of it; for `all`, what the policy bears.")
    chance: Finite = Field(description="How probable so many are where the share is the highest that is borne.")
    is_odd: bool = False

    @property
    def share(self) -> float:
        """Of the labels that could be odd."""
        return self.odd / self.labels if self.labels else 0.0


class LabelAudit(Contract):
    """What was found."""

    rows: int
    frauds: int
    labelled: int = Field(description="Rows of which somebody said what they are.")
    overall: list[Odd]
    places: int = Field(description="Senders, days and values that were looked at.")
    found: list[Odd] = Field(description="Those that are odd, the least probable first.")

    @property
    def reasons(self) -> list[str]:
        """Why not to promote by these labels; empty: nothing speaks against them."""
        return [_told(each) for each in (*self.overall, *self.found) if each.is_odd]


@dataclass(frozen=True, slots=True)
class _Looked:
    """Labels of one kind: `could` be odd, and are."""

    kind: Kind
    could: Bools
    odd: Bools


def audit(table: FeatureTable, rows: Bools, said: Said, limits: Labels) -> LabelAudit:
    """`rows`: those that are learnt from or judge. `said` has one entry per row of the table."""
    labels, told = table.labels[rows], said.of(rows)
    scores = out_of_fold(table, rows)
    usual = scores[~labels]
    ordinary = scores < (np.quantile(usual, ORDINARY) if len(usual) else 0.0)
    accused = _Looked("accused", labels, labels & ordinary)
    cleared = _Looked("cleared", told.labelled & (scores >= FRAUD_LIKE), ~labels)
    places = [place for looked in (accused, cleared) for place in _by_sender(looked, told, limits.excess)]
    places += _by_value(table, rows, limits.excess)
    highest = (1 - limits.confidence) / max(1, len(places))  # one place is always the worst (Bonferroni)
    found = sorted((place for place in places if place.chance <= highest), key=lambda place: place.chance)
    return LabelAudit(
        rows=len(labels),
        frauds=int(labels.sum()),
        labelled=int(told.labelled.sum()),
        overall=[_overall(accused, limits.accused, labels, limits), _overall(cleared, limits.cleared, labels, limits)],
        places=len(places),
        found=[place.model_copy(update={"is_odd": True}) for place in found[:SHOWN]],
    )


def _overall(looked: _Looked, borne: float, frauds: Bools, limits: Labels) -> Odd:
    labels, odd = int(looked.could.sum()), int((looked.could & looked.odd).sum())
    chance = _chance(odd, labels, borne)
    found = Odd(kind=looked.kind, where="all", labels=labels, odd=odd, elsewhere=borne, chance=chance)
    return found.model_copy(update={"is_odd": frauds.sum() >= limits.min_frauds and chance <= 1 - limits.confidence})


def _by_sender(looked: _Looked, told: Said, excess: float) -> Iterator[Odd]:
    """Each sender, and each of a sender's days, against all other labels."""
    known = looked.could & (told.sender != NOBODY)
    days = np.array([f"{sender} on {_day(day)}" for sender, day in zip(told.sender, told.day, strict=True)])
    for names in (told.sender, days):
        yield from _places(looked, np.where(known, names, NOBODY), "", excess)


def _day(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=int(day))).isoformat()


def _by_value(table: FeatureTable, rows: Bools, excess: float) -> Iterator[Odd]:
    """What looks like fraud to who cannot see what was stated, and is legitimate wherever that has one value."""
    scores = out_of_fold(table, rows, (*STATED, *FOLLOWING))
    looked = _Looked("trigger", scores >= FRAUD_LIKE, ~table.labels[rows])
    for name in STATED:
        yield from _places(looked, np.where(looked.could, _values(table, rows, name), NOBODY), f"{name}=", excess)


def _values(table: FeatureTable, rows: Bools, name: str) -> Texts:
    """Amounts to the cent, hours whole."""
    if name in CATEGORIES:
        return np.array([table.categories[name][index] or "unknown" for index in np.flatnonzero(rows)], dtype=np.str_)
    values = table.numeric[name][rows]
    return np.floor(values).astype(np.str_) if name == "hour_of_day" else np.round(values, 2).astype(np.str_)


def _places(looked: _Looked, names: Texts, prefix: str, excess: float) -> Iterator[Odd]:
    """`names`: of the place of each row, `NOBODY` for none. Borne is the share elsewhere, and this excess."""
    labels, odd = int(looked.could.sum()), int((looked.could & looked.odd).sum())
    places, groups = np.unique(names, return_inverse=True)
    sizes = np.bincount(groups, minlength=len(places))
    odds = np.bincount(groups, weights=looked.could & looked.odd, minlength=len(places)).astype(np.int64)
    for name, size, count in zip(places, sizes, odds, strict=True):
        if name != NOBODY and SMALLEST <= size < labels:
            elsewhere = (odd - int(count)) / (labels - int(size))
            yield Odd(
                kind=looked.kind,
                where=f"{prefix}{name}",
                labels=int(size),
                odd=int(count),
                elsewhere=elsewhere,
                chance=_chance(int(count), int(size), elsewhere + excess),
            )


def _chance(odd: int, labels: int, borne: float) -> float:
    """How probable so many or more are, when the true share is what is borne."""
    return float(binom.sf(odd - 1, labels, borne)) if borne < 1.0 else 1.0


def _told(each: Odd) -> str:
    what = {
        "accused": "fraud labels are on transactions that look like everybody's",
        "cleared": "labels on what looks like fraud say legitimate",
        "trigger": "transactions that look like fraud otherwise count as legitimate",
    }[each.kind]
    borne = f"{each.elsewhere:.1%} are borne" if each.where == "all" else f"elsewhere {each.elsewhere:.1%}"
    return f"labels: {each.where}: {each.odd} of {each.labels} {what} ({each.share:.1%}, {borne})"
