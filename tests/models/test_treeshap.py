"""TreeSHAP: equal to xgboost's contributions, and they add up."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from assay.models.boosted_trees import BoostedTrees
from assay.models.treeshap import TreeShap
from training.export import export_xgboost
from training.parity import make_probes


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 7])
def test_equals_pred_contribs_and_adds_up_to_the_margin(trained, depth):
    rows, labels = trained.rows("xgboost_classifier"), trained.labels
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": depth, "eta": 0.2, "nthread": 1},
        xgboost.DMatrix(rows, labels),
        12,
    )
    model = BoostedTrees(export_xgboost(booster), rows.shape[1])
    explainer = TreeShap(model)
    feature, threshold = model.arrays["feature"].ravel(), model.arrays["threshold"].ravel()
    probes = np.concatenate([rows[:150], make_probes(rows, feature, threshold, 150, 1, missing=True)])
    probes[0] = np.nan
    expected = booster.predict(xgboost.DMatrix(probes), pred_contribs=True)
    served = np.array([explainer.contributions(probe) for probe in probes])
    assert np.abs(served - expected[:, :-1]).max() <= 1e-5
    assert explainer.expected_margin == pytest.approx(float(expected[0, -1]), abs=1e-5)
    margins = np.array([model.predict_margin(probe) for probe in probes])
    assert np.abs(served.sum(axis=1) + explainer.expected_margin - margins).max() <= 1e-4


def test_a_feature_used_twice_on_a_path_counts_once():
    random = np.random.default_rng(0)
    rows = random.random((2000, 2))
    labels = (np.abs(rows[:, 0] - 0.5) < 0.2) & (rows[:, 1] > 0.3)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 5, "nthread": 1}, xgboost.DMatrix(rows, labels), 5
    )
    explainer = TreeShap(BoostedTrees(export_xgboost(booster), 2))
    expected = booster.predict(xgboost.DMatrix(rows[:200]), pred_contribs=True)
    served = np.array([explainer.contributions(row) for row in rows[:200]])
    assert np.abs(served - expected[:, :-1]).max() <= 1e-5
