"""Whether reasons are reasons: without the first one's cause the score falls, and without a few so does a decline."""

from __future__ import annotations

import numpy as np

from assay.features.catalog import NAMES
from assay.features.rates import Rates
from assay.models.treeshap import TreeShap
from assay.release import Release
from assay.release.models import load_xgboost, vectoriser
from assay.schemas.base import FeatureValue
from benchmarks import product
from benchmarks.figures import Figure, Settings
from local.counterfactual import CAUSE_OF, Counterfactuals
from training.champion import ReleaseScorer
from training.simulator import simulate
from training.table import FeatureTable, build_table

SEED, CUSTOMERS, DAYS = 23, 1_200, 60
WARM_UP = 0.2
Features = dict[str, FeatureValue]


def measure(settings: Settings) -> list[Figure]:
    """Over the highest scores of a simulated bank that the release never saw, fraud or not."""
    wanted = settings.pick(500, 50)
    release = product.release()
    rows, declined = rows_and_declines(release, CUSTOMERS, settings.pick(DAYS, 25), wanted)
    other = Counterfactuals(release)
    note = f"{len(rows)} highest scores, seed {SEED}"
    alone, cause = falls(release, rows, other)
    found = [other.find(features) for features in declined]
    sizes = [len(each.causes) for each in found if each is not None]
    of = f"{len(declined)} declines among them, {np.mean(sizes):.1f} causes on average" if sizes else "no declines"
    return [
        Figure("reasons", "score falls without the first reason's cause", 100 * cause, "%", 95.0, ">=", note=note),
        Figure("reasons", "score falls with only that feature at its usual value", 100 * alone, "%", note=note),
        Figure("reasons", "declines with a counterfactual that flips them", _share(sizes, declined), "%", note=of),
    ]


def _share(sizes: list[int], declined: list[Features]) -> float | None:
    return 100 * len(sizes) / len(declined) if declined else None


def rows_and_declines(release: Release, customers: int, days: int, count: int) -> tuple[list[Features], list[Features]]:
    """The rows of a simulated bank scored highest, and those of them that are declined."""
    rates = Rates.load(release.read("rates.yaml"))
    table = build_table(simulate(SEED, customers, days), rates, 0.0, lambda _, __: None)
    start, end = table.times[0], table.times[-1]
    live = table.times >= start + WARM_UP * (end - start)
    scored = ReleaseScorer(release).score(table, live)
    order = np.argsort(-scored.fraud_scores, kind="stable")[:count]
    places = np.flatnonzero(live)
    rows = [_features(table, int(places[index])) for index in order]
    return rows, [row for row, index in zip(rows, order, strict=True) if scored.decisions[index] == "DECLINE"]


def _features(table: FeatureTable, row: int) -> Features:
    numbers = {name: float(values[row]) for name, values in table.numeric.items()}
    known: Features = {name: None if np.isnan(value) else value for name, value in numbers.items()}
    return {**known, **{name: values[row] for name, values in table.categories.items()}}


def falls(release: Release, rows: list[Features], other: Counterfactuals) -> tuple[float, float]:
    """Share of the rows whose margin falls: without the top feature's value, and without its whole cause."""
    encoding, model = vectoriser(release.manifest, "xgboost_classifier"), load_xgboost(release)
    explainer = TreeShap(model)
    alone = cause = 0
    for features in rows:
        row = encoding.row(features)
        margin = model.predict_margin(row)
        top = NAMES[int(np.argmax(explainer.contributions(row)))]
        without = other.without(features, (CAUSE_OF[top],))
        cause += model.predict_margin(encoding.row(without)) < margin
        alone += model.predict_margin(encoding.row({**features, top: without[top]})) < margin
    return alone / len(rows), cause / len(rows)
