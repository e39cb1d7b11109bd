"""What other rules would have done on history: two rule sets over the same rows, counted by what the rows turned out.

The rules are compared by themselves: a BLOCK is a decline, a FLAG a challenge. What the models decided is not made
again, for they were never asked about what a rule blocked; what was decided then says what is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import Field

from assay.errors import AssayError
from assay.rules.ruleset import RuleSet
from assay.rules.syntax import columns
from assay.rules.table import evaluate_table
from assay.schemas.base import Contract
from assay.schemas.stages import Decision, RulesFlag

LABEL = "is_fraud"
CLASSES = ("fraud", "legitimate", "unknown")


class BacktestError(AssayError):
    """A history that rules cannot be tried on. The message names what is missing."""


class Count(Contract):
    """Transactions, and their amounts in the base currency; what has no amount adds none."""

    transactions: int = 0
    amount: float = 0.0


class Hits(Contract):
    """Transactions by what they turned out to be."""

    fraud: Count
    legitimate: Count
    unknown: Count = Field(description="Without a label.")

    @property
    def precision(self) -> float | None:
        """Fraud over what has a label; None without any."""
        labelled = self.fraud.transactions + self.legitimate.transactions
        return self.fraud.transactions / labelled if labelled else None


class Change(Contract):
    """What the proposed rules do that the current ones do not, and the other way round."""

    current: Hits
    proposed: Hits
    gained: Hits
    lost: Hits
    gained_approved: Hits | None = Field(
        description="Of what is gained: approved then, by everything together. Null: history has no decisions."
    )


class RuleChange(Contract):
    """One rule. One that is not in a set fires nowhere in it."""

    id: str
    status: str = Field(description="added, removed, changed or same; changed: another condition or severity.")
    firings: Change
    proposed_only: Hits = Field(description="Where it fires as the only one of the proposed rules.")
    not_evaluated: int = Field(description="Rows on which the proposed rule's inputs are unknown.")


class Backtest(Contract):
    """The whole comparison."""

    rows: int
    labelled: Hits
    declines: Change
    challenges: Change
    rules: list[RuleChange]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Both rule sets' firings over the history."""

    history: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame
    approved: pl.Series | None
    """Whether it was approved then."""

    def flags(self, flag: RulesFlag) -> Change:
        """Of what the rules say all together."""
        return self._change(self.before["rules_flag"] == flag.value, self.after["rules_flag"] == flag.value)

    def rule(self, name: str, status: str) -> RuleChange:
        """Of one rule."""
        fires = self._fires(self.after, name)
        alone = fires.fill_null(value=False) & (self.after["fired"] == 1)
        return RuleChange(
            id=name,
            status=status,
            firings=self._change(self._fires(self.before, name), fires),
            proposed_only=self.count({"alone": alone})["alone"],
            not_evaluated=fires.null_count(),
        )

    def count(self, masks: Mapping[str, pl.Series]) -> dict[str, Hits]:
        """Hits by name, all in one pass; a null in a mask is no hit."""
        label = self.history[LABEL]
        amount = self.history["amount"].fill_null(0.0).fill_nan(0.0)
        classes = (label.fill_null(value=False), (~label).fill_null(value=False), label.is_null())
        rows = [
            *(mask.fill_null(value=False).alias(name) for name, mask in masks.items()),
            *(of_class.alias(f"={kind}") for kind, of_class in zip(CLASSES, classes, strict=True)),
            amount.alias("=amount"),
        ]
        hits = {(name, kind): pl.col(name) & pl.col(f"={kind}") for name in masks for kind in CLASSES}
        sums = [
            *(hit.sum().alias(f"n/{kind}/{name}") for (name, kind), hit in hits.items()),
            *(pl.col("=amount").filter(hit).sum().alias(f"a/{kind}/{name}") for (name, kind), hit in hits.items()),
        ]
        found = pl.DataFrame(rows).lazy().select(sums).collect().row(0, named=True)
        return {name: Hits(**{kind: _read(found, name, kind) for kind in CLASSES}) for name in masks}

    def _change(self, before: pl.Series, after: pl.Series) -> Change:
        before, after = before.fill_null(value=False), after.fill_null(value=False)
        gained = after & ~before
        masks = {"current": before, "proposed": after, "gained": gained, "lost": before & ~after}
        if self.approved is not None:
            masks["gained_approved"] = gained & self.approved
        hits: dict[str, Hits | None] = {"gained_approved": None, **self.count(masks)}
        return Change.model_validate(hits)

    def _fires(self, table: pl.DataFrame, name: str) -> pl.Series:
        if name in table.columns:
            return table[name]
        return pl.repeat(value=False, n=table.height, dtype=pl.Boolean, eager=True)


def _read(found: Mapping[str, Any], name: str, kind: str) -> Count:
    return Count(transactions=int(found[f"n/{kind}/{name}"]), amount=round(float(found[f"a/{kind}/{name}"]), 2))


def needed(*sets: RuleSet) -> list[str]:
    """The features that the rules look at, and the amount."""
    return sorted({"amount", *(name for rules in sets for rule in rules.rules for name in columns(rule.condition))})


def backtest(history: pl.DataFrame, current: RuleSet, proposed: RuleSet) -> Backtest:
    """Compares the rules over the history: a row per transaction, with `needed` features (a missing one is unknown),
    `is_fraud` (true, false, or null: unknown) and, if it is known, the `decision` of then.

    Raises BacktestError for a history without rows or without these columns.
    """
    for name in (LABEL, "amount"):
        if name not in history.columns:
            raise BacktestError(f"the history has no column {name}")
    if history.is_empty():
        raise BacktestError("the history has no rows")
    approved = history["decision"] == Decision.APPROVE.value if "decision" in history.columns else None
    both = _Comparison(history, evaluate_table(current, history), evaluate_table(proposed, history), approved)
    every = pl.repeat(value=True, n=history.height, dtype=pl.Boolean, eager=True)
    ids = dict.fromkeys(rule.id for rule in (*proposed.rules, *current.rules))
    return Backtest(
        rows=history.height,
        labelled=both.count({"all": every})["all"],
        declines=both.flags(RulesFlag.BLOCK),
        challenges=both.flags(RulesFlag.FLAG),
        rules=[both.rule(name, _status(name, current, proposed)) for name in ids],
    )


def _status(name: str, current: RuleSet, proposed: RuleSet) -> str:
    old, new = ({rule.id: (rule.condition, rule.severity) for rule in rules.rules} for rules in (current, proposed))
    if name not in old:
        return "added"
    if name not in new:
        return "removed"
    return "same" if old[name] == new[name] else "changed"
