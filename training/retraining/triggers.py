"""Whether it is time to train again. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from assay.intelligence.retraining_policy import RetrainingPolicy


@dataclass(frozen=True, slots=True)
class Situation:
    """What the triggers look at."""

    now: datetime
    champion_since: datetime | None
    """When the champion was made; None when nobody knows."""
    last_retraining: datetime | None
    new_labels: int
    """That count since the champion was made."""
    drifted: tuple[str, ...]
    """What is in alarm, against this champion."""


@dataclass(frozen=True, slots=True)
class Need:
    """Whether to train, and why; or why not."""

    train: bool
    reasons: list[str]


def need(situation: Situation, policy: RetrainingPolicy) -> Need:
    """A cool-down is stronger than every trigger."""
    triggers = list(_triggers(situation, policy))
    if not triggers:
        return Need(False, ["nothing calls for it: " + _quiet(situation, policy)])
    last, pause = situation.last_retraining, timedelta(hours=policy.cool_down_hours)
    if last is not None and situation.now < last + pause:
        return Need(
            False,
            [
                f"{'; '.join(triggers)}; but the last was at {last:%Y-%m-%d %H:%M}, next after "
                f"{last + pause:%Y-%m-%d %H:%M} UTC"
            ],
        )
    return Need(True, triggers)


def _triggers(situation: Situation, policy: RetrainingPolicy) -> Iterator[str]:
    if policy.on_drift and situation.drifted:
        shown = ", ".join(situation.drifted[:5])
        yield f"drift of {shown}" + (f" and {len(situation.drifted) - 5} more" if len(situation.drifted) > 5 else "")
    if policy.new_labels is not None and situation.new_labels >= policy.new_labels:
        yield f"{situation.new_labels:,} new labels"
    age = _age(situation)
    if policy.age_days is not None and age is not None and age >= timedelta(days=policy.age_days):
        yield f"the champion is {age.days} days old"


def _quiet(situation: Situation, policy: RetrainingPolicy) -> str:
    age = _age(situation)
    return ", ".join(
        [
            "no drift in alarm" if policy.on_drift else "drift is no trigger",
            f"{situation.new_labels:,} new labels of {policy.new_labels or 'any number'}",
            f"the champion's age is {'unknown' if age is None else f'{age.days} days'} of {policy.age_days or 'any'}",
        ]
    )


def _age(situation: Situation) -> timedelta | None:
    return None if situation.champion_since is None else situation.now - situation.champion_since
