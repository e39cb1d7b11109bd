"""Subjects and opinions for tests of labels."""

from __future__ import annotations

from typing import Any

from assay.features.windows import DAY
from assay.labels.records import Label, Opinion, Sent, Subject

START = 20_500 * DAY
"""A midnight, in microseconds."""


def subject(transaction: str = "t", client: str = "shop", **facts: Any) -> Subject:
    """A declined transaction of the moment START."""
    known = {"time": START, "decided_at": START, "decision": "DECLINE", "fraud_score": 0.9, "rules": ("ip_botnet",)}
    return Subject(client, transaction, **{**known, **facts})


def sent(
    label: Label = Label.FRAUD_CONFIRMED,
    by: str = "ana",
    at: int = START,
    labelled_at: int | None = None,
    by_person: bool = True,
    allowance: int = 2,
    about: Subject | None = None,
) -> Sent:
    """An opinion on its way in."""
    opinion = Opinion(label, by, at, at if labelled_at is None else labelled_at)
    return Sent(about or subject(), opinion, labelled_at is not None, by_person, allowance)
