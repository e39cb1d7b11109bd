"""An installation's history with what was learnt of it: what a retraining learns from and is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.labels.records import Label
from assay.release import Release
from functions.trainer.installation import Installation
from training.champion import ReleaseScorer
from training.history import history_table
from training.retraining.shadow import Decided, Truth
from training.table import FeatureTable

KEYS = ["client_id", "transaction_id"]
DENY_LIST = "DENY_LIST"
"""Decided before any model: the same under every release."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """As `train_on` takes them."""

    history: pl.DataFrame
    labels: pl.DataFrame

    @property
    def table(self) -> FeatureTable:
        """As rows of features. Raises `TrainingDataError`."""
        return history_table(self.history, self.labels)

    def without(self, keys: pl.DataFrame) -> Labelled:
        """All but these transactions (client_id, transaction_id)."""
        if keys.is_empty():
            return self
        history = self.history.join(keys, on=KEYS, how="anti", maintain_order="left")
        return Labelled(history, self.labels.join(keys, on=KEYS, how="anti"))


def labelled(installation: Installation, days: int, until: datetime | None = None) -> Labelled:
    """The days before `until`, or the newest. Raises `StorageError`.

    What nobody can tell (`inconclusive`) is neither learnt nor judged by. A label is known since somebody came to
    it (`labelled_at`): one that is imported later does not become unknown by that.
    """
    history = installation.history(days, until)
    labels = _labels_of(installation, history)
    unusable = labels.filter(pl.col("label") == Label.INCONCLUSIVE.value).select(KEYS)
    history = history.join(unusable, on=KEYS, how="anti", maintain_order="left")
    return Labelled(history, _known(labels, history))


def _labels_of(installation: Installation, rows: pl.DataFrame) -> pl.DataFrame:
    """At least those of the rows."""
    first = rows["decided_at"].min()
    return installation.labels(first if isinstance(first, datetime) else datetime.now(UTC))


def _known(labels: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """The labels of these rows; clocks differ, so one may be older than its transaction by its own account."""
    rows = labels.join(history.select(*KEYS, "occurred_at"), on=KEYS)
    known = pl.max_horizontal("labelled_at", "occurred_at")
    return rows.select(*KEYS, "label", "labelled_by", known.alias("known_at"), pl.col("known_at").alias("counts_since"))


@dataclass(frozen=True, slots=True)
class Served:
    """Transactions as one release decided them, and what is known of them."""

    table: FeatureTable
    decided: Decided
    truth: Truth

    def by(self, release: Release) -> Decided:
        """As another release would have decided them. Raises `ReleaseError`, `RuleError`, `PolicyError`."""
        scored = ReleaseScorer(release).score(self.table, np.ones(len(self.table), dtype=np.bool_))
        return Decided(scored.fraud_scores, scored.decisions)


def served(installation: Installation, release: Release, since: datetime) -> Served | None:
    """What the release decided since then, the deny list's apart; None: nothing. Raises `StorageError`."""
    rows = installation.decided_by(release.hash, since).filter(pl.col("triggered_by").ne_missing(DENY_LIST))
    if rows.is_empty():
        return None
    labels = _known(_labels_of(installation, rows), rows).filter(pl.col("label") != Label.INCONCLUSIVE.value)
    told = rows.join(labels, on=KEYS, how="left", maintain_order="left")["label"]
    table = history_table(rows, labels)
    scores: NDArray[np.float64] = rows["fraud_score"].fill_null(float("nan")).to_numpy()
    truth = Truth(told.is_not_null().to_numpy(), table.labels, table.numeric["amount"])
    return Served(table, Decided(scores, rows["decision"].to_numpy().astype(np.str_)), truth)
