"""What messages say about an alert. Made safe when the alert is made, so that nothing unsafe is ever kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator

from assay.schemas.base import Contract
from assay.schemas.card_numbers import contains_card_number

LONGEST = 200
CONSIDERED = 2_000
"""Characters that are looked at; what comes after is not shown."""
REMOVED = "[removed]"


def clean(text: str) -> str:
    """One short line that can be printed: no control or format characters, no card number."""
    line = text[:CONSIDERED]
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    line = " ".join(line.split())
    if contains_card_number(line):
        return REMOVED
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def masked(name: str) -> str:
    """Enough of an id to tell it from its neighbours."""
    line = clean(name)
    kept = 4 if len(line) > 8 else len(line) // 4
    return line if line == REMOVED else f"…{line[len(line) - kept :]}"


Line = Annotated[str, AfterValidator(clean)]


class Details(Contract):
    """What is known of the event; what does not apply is absent."""

    occurred_at: datetime
    amount: float | None = None
    currency: Line | None = None
    amount_base: float | None = None
    account: Line | None = None
    """Masked, as the counterparty."""
    counterparty: Line | None = None
    channel: Line | None = None
    country: Line | None = None
    fraud_score: float | None = None
    triggered_by: Line | None = None
    triggered_rules: list[Line] = []
    reasons: list[Line] = []
    """For an analyst."""
    degraded: list[Line] = []
    release: Line | None = None
    facts: dict[Line, Line] = {}
    """Of an event of another kind."""
