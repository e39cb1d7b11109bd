"""What a look for patterns says."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from assay.schemas.base import Contract, Finite


class Growth(Contract):
    """Against the window before, of the same length."""

    now: int
    before: int
    factor: Finite = Field(description="Now over before, with half a one added to both.")


class Cluster(Contract):
    """Accounts that are linked with each other, with more bad ones among them than chance explains."""

    accounts: list[str] = Field(description="The first 50.")
    account_count: int
    bad_accounts: int
    expected_bad_accounts: Finite = Field(description="By chance, as active as they are.")
    p: Finite = Field(description="How probable so many are by chance.")
    devices: list[str] = Field(description="That link them; at most 10, as the addresses and counterparties.")
    addresses: list[str]
    counterparties: list[str]
    events: Growth
    bad_events: int
    amount: Finite = Field(description="Of all events, in the base currency.")
    first_at: datetime
    last_at: datetime


class RulePair(Contract):
    """Two rules that fire on the same transactions."""

    rules: tuple[str, str]
    both: Growth
    first: int
    second: int
    lift: Finite = Field(description="How many times as often as if they did not know of each other.")
    p: Finite
    bad_share: Finite = Field(description="Of the transactions on which both fired.")


class Segment(Contract):
    """Where bad transactions concentrate."""

    where: dict[str, str]
    events: int
    bad: Growth
    share: Finite
    low: Finite = Field(description="Of the share: 95 % confidence (Wilson), as `high`.")
    high: Finite
    lift: Finite = Field(description="The share over that of all events.")
    p: Finite


class PatternReport(Contract):
    """Emerging ones first: in each list, those that have grown most against the window before."""

    at: datetime = Field(description="Where the window ends.")
    window_days: int
    events: int
    bad: int
    based_on: Literal["labels", "declines"] = Field(
        description="What bad means: confirmed as fraud; or, while too few are, declined, which shows what rules and "
        "models know already."
    )
    false_discovery_rate: Finite = Field(description="Of each list: so many of it are expected to be chance.")
    looked_at: dict[str, int] = Field(description="How many candidates each list was chosen from.")
    clusters: list[Cluster]
    rule_pairs: list[RulePair]
    segments: list[Segment]
