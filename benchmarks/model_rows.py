"""Three models, one row each: what Assay serves against the training libraries' own calls.

The same three models on both sides: trained here on random data at the champion's sizes, exported as a release is, and
served by Assay's evaluators; their answers are compared before their speed is.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assay import stages as names
from assay.features.history import EMPTY
from assay.features.profile import Profile
from assay.models.autoencoder import Autoencoder
from assay.models.boosted_trees import BoostedTrees, probability
from assay.models.forest import IsolationForest
from assay.schemas.stages import ScoringInput
from benchmarks import product
from benchmarks.baseline.train import ANOMALY_FEATURES, Sizes, Trained, rows_like_seed_b, train
from benchmarks.baseline.tuned import TunedAutoencoder, TunedClassifier, TunedForest
from benchmarks.bodies import transaction_bodies
from benchmarks.figures import Figure, Settings
from benchmarks.timing import median, tidy, timed
from training.export import export_autoencoder, export_isolation_forest, export_xgboost

Row = NDArray[np.float64]
Scores = tuple[float, float, float]
ACCOUNTS = 100
BLOCK = 20
AGREEMENT = 1e-5


def release_sizes() -> Sizes:
    """How large the champion's models are, off its own arrays."""
    arrays = {
        name: np.load(io.BytesIO(product.release().read(f"{name}.npz")), allow_pickle=False)
        for name in ("isolation_forest", "autoencoder", "xgboost_classifier")
    }
    network, leaves = arrays["autoencoder"], arrays["xgboost_classifier"]["leaf"]
    layers = sum(name.startswith("weight_") for name in network.files)
    return Sizes(
        forest_trees=len(arrays["isolation_forest"]["feature"]),
        hidden=tuple(int(network[f"weight_{index}"].shape[1]) for index in range(layers - 1)),
        boosted_trees=len(leaves),
        depth=int(leaves.shape[1]).bit_length() - 1,
        boosted_features=len(product.release().manifest.models.xgboost_classifier.features),
    )


def bare_app_sizes() -> Sizes:
    """The same, on the 17 features that the baselines' body has."""
    return replace(release_sizes(), boosted_features=17)


def served_calls(models: Trained, features: int) -> Callable[[Row], Scores]:
    """Assay's evaluators."""
    forest = IsolationForest(export_isolation_forest(models.forest), ANOMALY_FEATURES)
    network = Autoencoder(export_autoencoder(models.scaler, models.autoencoder), ANOMALY_FEATURES)
    boosted = BoostedTrees(export_xgboost(models.boosted.get_booster()), features)

    def call(row: Row) -> Scores:
        anomaly = row[:ANOMALY_FEATURES]
        return forest.score(anomaly), network.error(anomaly), probability(boosted.predict_margin(row), 1.0, 0.0)

    return call


def library_calls(models: Trained) -> Callable[[Row], Scores]:
    """What a user of the training libraries writes."""

    def call(row: Row) -> Scores:
        anomaly = row[None, :ANOMALY_FEATURES]
        scaled = models.scaler.transform(anomaly)
        return (
            float(models.forest.decision_function(anomaly)[0]),
            float(((scaled - models.autoencoder.predict(scaled)) ** 2).mean()),
            float(models.boosted.predict_proba(row[None])[0, 1]),
        )

    return call


def tuned_calls(models: Trained) -> Callable[[Row], Scores]:
    """The same models through the libraries' cheapest parts."""
    forest = TunedForest(models.forest)
    network = TunedAutoencoder(models.scaler, models.autoencoder)
    classifier = TunedClassifier(models.boosted)

    def call(row: Row) -> Scores:
        single = row.astype(np.float32)[None]
        anomaly = row[:ANOMALY_FEATURES]
        return forest.score(single[:, :ANOMALY_FEATURES]), network.error(anomaly), classifier.score(single)

    return call


def stage_requests(count: int) -> list[ScoringInput]:
    """Stage requests with real features of ordinary transactions, past every account's first ones."""
    profile = Profile(EMPTY)
    bodies = transaction_bodies(count + 2 * ACCOUNTS, accounts=ACCOUNTS)
    made = [
        ScoringInput.model_construct(transaction_id=item.transaction_id, features=profile.observe(item))
        for item in map(product.transaction, bodies)
    ]
    return made[2 * ACCOUNTS :]


def stage_calls() -> Callable[[ScoringInput], object]:
    """Assay's three model stages: encoding of the features, model, calibration, contract."""
    stages = product.stages()
    forest, network, classifier = (
        stages[stage.name] for stage in (names.ISOLATION_FOREST, names.AUTOENCODER, names.XGBOOST_CLASSIFIER)
    )

    def call(request: ScoringInput) -> object:
        return forest(request), network(request), classifier(request)

    return call


def difference(ours: Callable[[Row], Scores], theirs: Callable[[Row], Scores], rows: Row) -> float:
    """The largest, relative to values above one. Raises RuntimeError when the two are not the same models."""
    pairs = [(a, b) for row in rows for a, b in zip(ours(row), theirs(row), strict=True)]
    largest = max(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)
    if largest > AGREEMENT:
        raise RuntimeError(f"not the same models: their answers differ by {largest:.2g}")
    return largest


def measure(settings: Settings) -> list[Figure]:
    """Blocks of each in turn; medians over all rows."""
    turns = settings.pick(25, 4)
    sizes = release_sizes()
    models = train(sizes, rows=settings.pick(20_000, 4_000))
    rows = rows_like_seed_b(turns * BLOCK, sizes.boosted_features)[0]
    served, library, tuned = served_calls(models, sizes.boosted_features), library_calls(models), tuned_calls(models)
    agree = max(difference(served, library, rows[:50]), difference(tuned, library, rows[:50]))
    requests, stage = stage_requests(turns * BLOCK), stage_calls()
    timed(stage, requests[:50])
    spent: dict[str, list[float]] = {"served": [], "library": [], "tuned": [], "stage": []}
    tidy()
    for turn in range(turns):
        part = slice(turn * BLOCK, (turn + 1) * BLOCK)
        for name, call in (("served", served), ("library", library), ("tuned", tuned)):
            spent[name] += timed(call, rows[part])
        spent["stage"] += timed(stage, requests[part])
    ours, theirs, hand, whole = (median(spent[name]) / 1000 for name in ("served", "library", "tuned", "stage"))
    about = (
        f"{sizes.forest_trees} trees, {'-'.join(map(str, sizes.hidden))}, {sizes.boosted_trees} x depth {sizes.depth}"
    )
    return [
        Figure("models", "three models, one row each, together, p50", ours, "ms", 0.1, "<=", "", about),
        Figure("models", "speed over the training libraries' own calls", theirs / ours, "x", 50, ">=",
               f"scikit-learn + xgboost {theirs:.2f} ms", f"the same models; answers differ by <= {agree:.1g}"),
        Figure("models", "speed over the libraries tuned by hand", hand / ours, "x", None, ">=",
               f"tree.apply, matrix products, inplace_predict {hand:.2f} ms"),
        Figure("models", "three model stages, contracts included, p50", whole, "ms", None, "<=", "",
               "the champion, as the server calls it"),
    ]  # fmt: skip
