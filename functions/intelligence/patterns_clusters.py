"""Accounts linked by what they share: a device; an address or a counterparty that nobody used in the window before.

Shops, carriers and families' addresses link half a bank with each other, and are as much in use every week.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.intelligence.patterns_report import Cluster, Growth
from functions.intelligence.patterns_statistics import components, discoveries, growth, poisson_tail

MOST_ACCOUNTS = 60
"""Of a device, an address or a counterparty that links: what more use is an agent, a carrier or a shop."""
KINDS = ("device_id", "ip_address", "counterparty_id")
LASTING = ("device_id",)
"""Links, however long it has been in use."""
LEAST_ACCOUNTS = 3
LEAST_BAD = 3
COLUMNS = ("account_id", "occurred_at", "amount", *KINDS)
SHOWN_ACCOUNTS, SHOWN_LINKS = 50, 10


def clusters(now: pl.DataFrame, before: pl.DataFrame, rate: float) -> tuple[list[Cluster], int]:
    """Those with more bad accounts than chance explains, and how many there are with enough accounts.

    `now`, `before`: columns COLUMNS and `bad`.
    """
    known = now.filter(pl.col("account_id").is_not_null())
    accounts = known.group_by("account_id").agg(
        pl.len().alias("events"), pl.col("bad").sum(), pl.col("amount").fill_nan(None).sum(),
        pl.col("occurred_at").min().alias("first_at"), pl.col("occurred_at").max().alias("last_at"),
    ).sort("account_id").with_row_index("node")  # fmt: skip
    uses = _uses(known, before, accounts)
    found = accounts.with_columns(pl.Series("cluster", components(_links(uses), len(accounts))))
    # An account is bad by chance the likelier the more it does.
    base = float(known["bad"].mean() or 0.0)  # type: ignore[arg-type]
    by_chance = (1 - (1 - base) ** pl.col("events")).sum().alias("expected")
    candidates = found.group_by("cluster", maintain_order=True).agg(
        pl.len().alias("accounts"), (pl.col("bad") > 0).sum().alias("bad_accounts"), by_chance
    ).filter(pl.col("accounts") >= LEAST_ACCOUNTS)  # fmt: skip
    p = np.array(
        [poisson_tail(bad, chance) for bad, chance in candidates.select("bad_accounts", "expected").iter_rows()]
    )
    believed = candidates.with_columns(pl.Series("p", p, dtype=pl.Float64)).filter(
        pl.Series(discoveries(p, rate), dtype=pl.Boolean), pl.col("bad_accounts") >= LEAST_BAD
    )
    earlier = dict(before.group_by("account_id").len().iter_rows())
    told = [
        _cluster(row, found.filter(pl.col("cluster") == row["cluster"]), uses, earlier)
        for row in believed.iter_rows(named=True)
    ]
    return told, len(candidates)


def _uses(known: pl.DataFrame, before: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """kind, name, node: which accounts used what, of all that links."""
    nodes = known.join(accounts.select("account_id", "node"), on="account_id")
    used = pl.concat([_used(nodes, before, kind) for kind in KINDS]).unique(maintain_order=True)
    degree = pl.len().over("kind", "name")
    return used.filter(degree >= 2, degree <= MOST_ACCOUNTS)


def _used(nodes: pl.DataFrame, before: pl.DataFrame, kind: str) -> pl.DataFrame:
    used = nodes.select(pl.lit(kind).alias("kind"), pl.col(kind).alias("name"), "node").drop_nulls()
    if kind in LASTING:
        return used
    return used.join(before.select(pl.col(kind).alias("name")).drop_nulls().unique(), on="name", how="anti")


def _links(uses: pl.DataFrame) -> NDArray[np.int64]:
    """Each account that used something, with the first of those that did: as good as all pairs."""
    first = pl.col("node").min().over("kind", "name").alias("first")
    return uses.select(first, "node").cast(pl.Int64).to_numpy()


def _cluster(row: dict[str, object], members: pl.DataFrame, uses: pl.DataFrame, earlier: dict[str, int]) -> Cluster:
    shared = uses.join(members.select("node"), on="node").group_by("kind", "name").len().filter(pl.col("len") > 1)
    links = shared.sort(["len", "name"], descending=[True, False])
    names = {kind: links.filter(pl.col("kind") == kind)["name"].head(SHOWN_LINKS).to_list() for kind in KINDS}
    ids, events = members["account_id"].to_list(), int(members["events"].sum())
    before = sum(earlier.get(account, 0) for account in ids)
    first_at, last_at = members.select(pl.col("first_at").min(), pl.col("last_at").max()).row(0)
    return Cluster(
        accounts=ids[:SHOWN_ACCOUNTS],
        account_count=len(ids),
        bad_accounts=int(str(row["bad_accounts"])),
        expected_bad_accounts=float(str(row["expected"])),
        p=float(str(row["p"])),
        devices=names["device_id"],
        addresses=names["ip_address"],
        counterparties=names["counterparty_id"],
        events=Growth(now=events, before=before, factor=growth(events, before)),
        bad_events=int(members["bad"].sum()),
        amount=round(float(members["amount"].sum()), 2),
        first_at=first_at,
        last_at=last_at,
    )
