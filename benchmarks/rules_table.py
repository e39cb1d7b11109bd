"""The 16 rules over a table of a million transactions."""

from __future__ import annotations

import time

import numpy as np
import polars as pl

from assay.features.catalog import ALL, Feature
from assay.rules.ruleset import RuleSet
from assay.rules.table import evaluate_table
from benchmarks import product
from benchmarks.figures import Figure, Settings
from benchmarks.timing import median, tidy

CATEGORIES = {
    "channel": ("mobile", "web", "atm", "pos"),
    "auth_method": ("pin", "biometric", "otp", "password"),
    "geo_country": ("DE", "FR", "NL", "GB"),
    "currency": ("EUR", "GBP", "USD"),
}


def table(rows: int) -> pl.DataFrame:
    """Every feature of the catalogue, with values on both sides of the usual thresholds and 1 % unknown."""
    rng = np.random.default_rng(5)
    return pl.DataFrame({feature.name: _column(feature, rows, rng) for feature in ALL})


def _column(feature: Feature, rows: int, rng: np.random.Generator) -> pl.Series:
    if feature.kind == "category":
        return pl.Series(feature.name, rng.choice(CATEGORIES[feature.name], rows))
    if feature.kind == "flag":
        return pl.Series(feature.name, (rng.random(rows) < 0.05).astype(np.float64))
    values = np.where(rng.random(rows) < 0.01, np.nan, rng.lognormal(0.3, 1.0, rows))
    scale = 60.0 if "amount" in feature.name and "ratio" not in feature.name else 1.0
    return pl.Series(feature.name, values * scale)


def measure(settings: Settings) -> list[Figure]:
    """Median over repeated passes; the table is in memory, as a backtest has it."""
    rows = settings.pick(1_000_000, 100_000)
    rules = RuleSet.load(product.release().read("rules.yaml"))
    data = table(rows)
    evaluate_table(rules, data.head(1000))
    spent = []
    flagged = 0.0
    for _ in range(settings.pick(5, 2)):
        tidy()
        start = time.perf_counter()
        flags = evaluate_table(rules, data)["rules_flag"]
        spent.append(time.perf_counter() - start)
        flagged = int((flags != "ALLOW").sum()) / rows
    note = f"{len(rules.rules)} rules, {flagged:.0%} of the rows not ALLOW"
    return [Figure("rules", f"backtest of {rows:,} rows", median(spent), "s", 2.0, "<=", "", note)]
