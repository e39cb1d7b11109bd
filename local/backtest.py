"""The histories that rules are tried on, and the comparison as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from assay.errors import RuleError
from assay.features.catalog import NAMES
from assay.features.rates import Rates
from assay.labels.records import Label
from assay.release import Release
from assay.rules.ruleset import FILE, RuleSet
from local.console import wide_console
from local.history import scored_table
from local.labels import labels_table
from local.places import Places
from local.replay.mapping import resolve
from training.backtest import LABEL, Backtest, BacktestError, Change, Count, Hits, backtest, needed
from training.command import COLUMNS, ShownProgress
from training.data_file import table_of_file
from training.simulator import START, simulate
from training.table import FeatureTable, build_table

SIMULATED = "simulated"
"""In place of a path: a simulated bank."""
SEED, CUSTOMERS, DAYS = 7, 600, 60
LABEL_DELAY_DAYS = 14.0
ALSO_SENT = frozenset({"amount", "channel", "auth_method", "geo_country", "currency"})
"""Features that are columns of a file of transactions too."""
MEANINGS = {
    **dict.fromkeys(("1", "1.0", "true", Label.FRAUD_CONFIRMED.value), True),
    **dict.fromkeys(("0", "0.0", "false", Label.FALSE_POSITIVE.value, Label.LEGITIMATE.value), False),
}
UNKNOWN = ("", Label.INCONCLUSIVE.value)


def run(rules: Path, release: Release, against: str, mapping: str, save: Path | None) -> Backtest:
    """Tries the rules of a file against those of the release. `save`: keeps what was read, as Parquet with features.

    Raises AssayError: what is wrong with the rules, or why the history cannot be used.
    """
    current, proposed = RuleSet.load(release.read(FILE)), _read_rules(rules)
    names = list(NAMES) if save is not None else needed(current, proposed)
    history = history_of(against, names, mapping, Rates.load(release.read("rates.yaml")))
    if save is not None:
        history.write_parquet(save)
    return backtest(history, current, proposed)


def history_of(against: str, names: Sequence[str], mapping: str, rates: Rates) -> pl.DataFrame:
    """The features of these names, `is_fraud` and, of an installation, the `decision`: a row per transaction.

    `against`: the data folder of an installation, a Parquet file with features and label, a file of transactions (then
    `mapping` names its columns and the features are computed), or `simulated`. Raises AssayError.
    """
    path = Path(against)
    if against == SIMULATED and not path.exists():
        return _simulated(names, rates)
    if path.is_dir():
        return _of_installation(Places(path), names)
    if path.suffix == ".parquet" and path.is_file() and _has_features(path):
        return _of_features(path, names)
    if not path.is_file():
        raise BacktestError(f"{against}: no such file or folder, and not {SIMULATED!r}")
    with Progress(*COLUMNS, console=Console(stderr=True)) as shown:
        found = table_of_file(path, resolve(mapping, path), rates, LABEL_DELAY_DAYS, ShownProgress(shown))
    return _of_table(found, names)


def _of_installation(places: Places, names: Sequence[str]) -> pl.DataFrame:
    keys = ("client_id", "transaction_id")
    labels = labels_table(places.database).select(*keys, "label")
    history = scored_table(places, columns=[*keys, "decision", *names])
    return history.join(labels, on=list(keys), how="left").with_columns(_meaning("label")).drop("label", *keys)


def _has_features(path: Path) -> bool:
    try:
        return not (set(NAMES) - ALSO_SENT).isdisjoint(pl.read_parquet_schema(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BacktestError(f"{path.name}: {error}") from None


def _of_features(path: Path, names: Sequence[str]) -> pl.DataFrame:
    has = pl.read_parquet_schema(path)
    label = next((name for name in (LABEL, "label") if name in has), None)
    if label is None:
        raise BacktestError(f"{path.name}: no column {LABEL} or label; it has {', '.join(has)}")
    chosen = [name for name in (*names, "decision") if name in has]
    try:
        frame = pl.read_parquet(path, columns=[*chosen, label])
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BacktestError(f"{path.name}: {error}") from None
    texts = frame[label].cast(pl.String).str.to_lowercase().drop_nulls().unique()
    strange = len(set(texts) - MEANINGS.keys() - set(UNKNOWN))
    if strange:
        raise BacktestError(
            f"{path.name}: {label}: {strange} values that are no label: neither 0 / 1 nor a label's name"
        )
    return frame.with_columns(_meaning(label)).select(*chosen, LABEL)


def _meaning(label: str) -> pl.Expr:
    text = pl.col(label).cast(pl.String).str.to_lowercase()
    return text.replace_strict(MEANINGS, default=None, return_dtype=pl.Boolean).alias(LABEL)


def _simulated(names: Sequence[str], rates: Rates) -> pl.DataFrame:
    with Progress(*COLUMNS, console=Console(stderr=True)) as shown:
        until = START.timestamp() + 86_400 * DAYS
        found = build_table(simulate(SEED, CUSTOMERS, DAYS), rates, until, ShownProgress(shown))
    return _of_table(found, names)


def _of_table(table: FeatureTable, names: Sequence[str]) -> pl.DataFrame:
    everything = np.ones(len(table), dtype=np.bool_)
    return table.frame(everything).select(names).with_columns(pl.Series(LABEL, table.labels))


def _read_rules(path: Path) -> RuleSet:
    try:
        return RuleSet.load(path.read_bytes(), file=str(path))
    except OSError as error:
        raise RuleError(f"{path}: cannot be read: {error.strerror}") from error


def print_backtest(found: Backtest) -> None:
    """What changes, all rules together (with amounts, in the base currency) and one by one."""
    console = wide_console()
    told = ", ".join(f"{getattr(found.labelled, kind).transactions:,} {kind}" for kind in Hits.model_fields)
    console.print(f"{found.rows:,} transactions: {told}")
    together = _table("all together", "", "fraud", "legitimate", "unknown", "precision")
    for name, change in (("declines", found.declines), ("challenges", found.challenges)):
        for what, hits in _parts(change):
            together.add_row(name, what, *_cells(hits, with_amount=True))
    console.print(together)
    rules = _table("rule", "", "fraud", "legitimate", "unknown", "precision")
    for rule in found.rules:
        if rule.status == "same":
            rules.add_row(rule.id, "same", *_cells(rule.firings.proposed))
        else:
            rules.add_row(rule.id, rule.status)
            for what, hits in _parts(rule.firings):
                rules.add_row("", what, *_cells(hits))
        rules.add_row("", "alone", *_cells(rule.proposed_only))
    console.print(rules)
    for rule in found.rules:
        if rule.not_evaluated:
            console.print(f"{rule.id}: not evaluated on {rule.not_evaluated:,}, for want of a feature")


def _parts(change: Change) -> list[tuple[str, Hits]]:
    parts = [("current", change.current), ("proposed", change.proposed), ("gained", change.gained)]
    if change.gained_approved is not None:
        parts.append(("  approved then", change.gained_approved))
    return [*parts, ("lost", change.lost)]


def _cells(hits: Hits, *, with_amount: bool = False) -> list[str]:
    precision = "-" if hits.precision is None else f"{hits.precision:.1%}"
    counts = (hits.fraud, hits.legitimate, hits.unknown)
    return [*(_cell(count, with_amount) for count in counts), precision]


def _cell(count: Count, with_amount: bool) -> str:
    return f"{count.transactions:,} ({count.amount:,.0f})" if with_amount else f"{count.transactions:,}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
    return table
