"""The retraining section of policy.yaml: when to train again, what a challenger must be, how a champion is watched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.schemas.base import Contract

Count = Annotated[int, Field(ge=1)]
Days = Annotated[int, Field(ge=1, le=3_650)]
Share = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
Confidence = Annotated[float, Field(ge=0.5, lt=1.0, allow_inf_nan=False)]


class Gate(Contract):
    """What a challenger has to be."""

    judged_days: Annotated[int, Field(ge=3, le=90)] = 14
    """The newest labelled period: the challenger never learns from it."""
    min_frauds: Count = 50
    """In each of the sets that judge; fewer tell nothing, and the challenger stays one."""
    min_frauds_segment: Count = 30
    """A segment with fewer is not looked at."""
    false_positive_rate: Share = 0.005
    """Of all legitimate transactions of a set: where recall is compared."""
    recall_loss: Share = 0.01
    """So much less recall is borne."""
    confidence: Confidence = 0.95
    """That it costs less, and that what it loses is no chance."""


class Labels(Contract):
    """What labels have to be, before anything that learnt from them may be promoted unattended. Each is held against
    models that did not see it; nothing is borne but what these say, and chance."""

    accused: Share = 0.04
    """Of the fraud labels, so many may be on transactions that look like everybody's."""
    cleared: Share = 0.1
    """Of the labels on what looks like fraud, so many may say legitimate."""
    min_frauds: Count = 400
    """With fewer, honest labels look odd too, for no model tells fraud well: only senders, days and values are looked
    at, which are compared with each other."""
    excess: Share = 0.2
    """So much larger may these shares be for one sender, on one of their days, or at one value of an amount, a channel,
    a country and the like, than elsewhere."""
    confidence: Confidence = 0.99
    """That it is no chance, over all that is looked at."""


class Watch(Contract):
    """When a fresh champion goes: it is compared with what the one before says of the same transactions."""

    hours: Annotated[int, Field(ge=1, le=720)] = 24
    """After its promotion."""
    min_events: Count = 200
    min_labels: Count = 30
    """Before costs are compared."""
    rate: Annotated[float, Field(gt=1.0, le=100.0)] = 1.5
    """So many times the declines or the challenges are too many."""
    confidence: Confidence = 0.999
    """It is looked again and again, so chance must have less."""


class RetrainingPolicy(Contract):
    """All of it. A trigger that is null never triggers."""

    on_drift: bool = True
    """A drift alarm of the champion."""
    new_labels: Count | None = 500
    """Since the champion was made."""
    age_days: Days | None = 30
    cool_down_hours: Annotated[int, Field(ge=1, le=8_760)] = 24
    """After a retraining, whatever came of it."""
    history_days: Annotated[int, Field(ge=30, le=3_650)] = 180
    label_delay_days: Annotated[int, Field(ge=0, le=180)] = 14
    """The newest days are neither learnt nor judged by: their labels are on the way."""
    trials: Annotated[int, Field(ge=1, le=200)] = 9
    promotion: Literal["automatic", "by_hand"] = "automatic"
    """Of a challenger that passed the gate."""
    gate: Gate = Gate()
    labels: Labels | None = Labels()
    """null: labels are not looked at; for a bank whose honest ones are like that."""
    watch: Watch | None = Watch()
    """null: the release stays whatever it does; for one that is meant to decline or challenge much more."""
