"""The Handbook's published rows, and the models that reproduce them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from training.handbook.protocol import Bools, Fold, prequential

Floats = NDArray[np.float64]
Model = Callable[[Floats, Bools, Floats], Floats]
"""Scaled training rows, their labels, scaled test rows -> scores of the test rows."""

TOLERANCE = 0.003
WORKERS = 2
AUTOENCODER_EPOCHS = 48
"""Where the published training stopped. It stopped by the loss on its test week, which ours does not look at."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """`figures` as published: ROC AUC, average precision, card precision@100.

    `reproducible`: our row has to come within TOLERANCE of them.
    """

    name: str
    model: Model | None
    folds: Sequence[Fold]
    figures: tuple[float, float, float]
    reproducible: bool = True


def classifier(build: Callable[[], LogisticRegression | DecisionTreeClassifier | XGBClassifier]) -> Model:
    """A classifier's probability of fraud."""

    def scores(train: Floats, labels: Bools, test: Floats) -> Floats:
        return np.asarray(build().fit(train, labels.astype(int)).predict_proba(test)[:, 1], dtype=np.float64)

    return scores


def forest(depth: int | None) -> Model:
    """A random forest of 100 trees. One worker scores: with several, the order of sums would change the last digits."""

    def scores(train: Floats, labels: Bools, test: Floats) -> Floats:
        model = RandomForestClassifier(max_depth=depth, random_state=0, n_jobs=WORKERS).fit(train, labels)
        return np.asarray(model.set_params(n_jobs=1).predict_proba(test)[:, 1])

    return scores


def isolation_forest(train: Floats, _: Bools, test: Floats) -> Floats:
    """10 trees, without labels."""
    return np.asarray(-IsolationForest(n_estimators=10, random_state=42).fit(train).score_samples(test))


def autoencoder(train: Floats, _: Bools, test: Floats) -> Floats:
    """The published network (15-100-20-100-15, Adam at 0.0001, batches of 64) in scikit-learn instead of PyTorch."""
    network = MLPRegressor(
        hidden_layer_sizes=(100, 20, 100),
        batch_size=64,
        learning_rate_init=0.0001,
        alpha=0.0,
        max_iter=AUTOENCODER_EPOCHS,
        n_iter_no_change=AUTOENCODER_EPOCHS,
        random_state=42,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs on purpose
        network.fit(train, train)
    return np.asarray(np.mean((network.predict(test) - test) ** 2, axis=1))


def _xgboost(**parameters: float) -> Model:
    # `exact` and 0.5 were the defaults when the figures were published.
    return classifier(
        lambda: XGBClassifier(random_state=0, n_jobs=WORKERS, tree_method="exact", base_score=0.5, **parameters)
    )


WEEK = prequential("2018-07-25", 1)
EARLIER_WEEK = prequential("2018-07-11", 1)
FOUR_WEEKS = prequential("2018-08-15")
"""Test weeks 2018-08-08 to 2018-09-04."""

ROWS: tuple[PublishedRow, ...] = (
    PublishedRow(
        "logistic regression", classifier(lambda: LogisticRegression(random_state=0)), WEEK, (0.871, 0.606, 0.291)
    ),
    PublishedRow(
        "decision tree, depth 2",
        classifier(lambda: DecisionTreeClassifier(max_depth=2, random_state=0)),
        WEEK,
        (0.763, 0.496, 0.241),
    ),
    PublishedRow("random forest", forest(None), WEEK, (0.867, 0.658, 0.287)),
    PublishedRow("XGBoost", _xgboost(), WEEK, (0.862, 0.639, 0.273)),
    PublishedRow("isolation forest, 10 trees", isolation_forest, EARLIER_WEEK, (0.808, 0.164, 0.190)),
    PublishedRow("autoencoder (ours, not PyTorch)", autoencoder, EARLIER_WEEK, (0.836, 0.180, 0.217), False),
    PublishedRow(
        "XGBoost, 50 trees, depth 3",
        _xgboost(n_estimators=50, learning_rate=0.3, max_depth=3),
        FOUR_WEEKS,
        (0.872, 0.687, 0.302),
    ),
    PublishedRow("random forest, depth 20", forest(20), FOUR_WEEKS, (0.870, 0.678, 0.299)),
    PublishedRow("feed-forward network (published only)", None, FOUR_WEEKS, (0.876, 0.675, 0.303), False),
)


def scaled(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Both to zero mean and unit variance over the training rows, as published."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)
