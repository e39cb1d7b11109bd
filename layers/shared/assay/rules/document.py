"""The shape of rules.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from assay.schemas.base import Contract

MAX_RULES = 500
RESERVED_IDS = frozenset({"rules_flag", "fired", "escalated", "deny_list"})

RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]


class RuleEntry(Contract):
    """One rule, as written."""

    id: RuleId
    name: Label
    category: Label
    severity: Literal["BLOCK", "FLAG"]
    when: str
    analyst_text: Text
    """May hold `{feature}` placeholders: the value is put in."""
    customer_text: Text
    """What the customer may read: no threshold, no name of a feature, no placeholder."""


class RulesDocument(Contract):
    """The whole file."""

    version: Annotated[int, Field(ge=1)]
    escalation: Annotated[float, Field(gt=0.0, le=1.0)]
    """Share of all rules from which on FLAGs together are a BLOCK (inclusive)."""
    rules: Annotated[list[RuleEntry], Field(min_length=1, max_length=MAX_RULES)]
