"""Served models equal the libraries that trained them, also where it is hard: missing values and exact thresholds."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import xgboost
from sklearn.ensemble import IsolationForest as FittedForest

from assay.models.arrays import pack, unpack
from assay.models.boosted_trees import SPEC, BoostedTrees, probability
from assay.models.forest import SPEC as FOREST_SPEC
from assay.models.forest import IsolationForest
from assay.release.manifest import Calibration
from training.export import export_isolation_forest, export_xgboost
from training.parity import (
    ParityError,
    check_autoencoder,
    check_isolation_forest,
    check_xgboost,
    make_probes,
)

CALIBRATION = Calibration(slope=0.9, intercept=-0.1)
COUNT = 4000


def margins_of(booster, rows):
    return booster.predict(xgboost.DMatrix(rows), output_margin=True).astype(float)


def test_the_gate_passes_the_exported_models(trained):
    files, rows = trained.files, trained.rows("isolation_forest")
    forest = check_isolation_forest(trained.forest, files["isolation_forest.npz"], rows, 0.0, COUNT)
    network = check_autoencoder(trained.scaler, trained.network, files["autoencoder.npz"], rows, 0.8, COUNT)
    trees = check_xgboost(
        trained.booster, files["xgboost_classifier.npz"], trained.rows("xgboost_classifier"), CALIBRATION, count=COUNT
    )
    assert forest.max_difference <= 1e-12
    assert network.max_difference <= 1e-9
    assert trees.max_difference <= 1e-6
    assert trees.max_shap_difference <= 1e-5
    assert {parity.flips for parity in (forest, network, trees)} == {0}
    assert trees.metrics()["parity.xgboost_classifier.probes"] == COUNT


def test_probes_are_missing_on_thresholds_and_real(trained):
    rows = trained.rows("xgboost_classifier")
    arrays = unpack(trained.files["xgboost_classifier.npz"], SPEC)
    feature, threshold = arrays["feature"].ravel(), arrays["threshold"].ravel()
    probes = make_probes(rows, feature, threshold, 2000, 0, missing=True)
    used = np.unique(feature[feature >= 0])
    assert all(np.isnan(probes[:, column]).any() for column in used)
    assert all(np.isin(probes[:, column], threshold[feature == column]).any() for column in used)
    real = {row.tobytes() for row in rows}
    assert sum(probe.tobytes() in real for probe in probes) >= 500


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 7])
def test_every_depth_equals_xgboost_bit_for_bit(trained, depth):
    rows, labels = trained.rows("xgboost_classifier"), trained.labels
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": depth, "gamma": 0.3, "nthread": 1},
        xgboost.DMatrix(rows, labels),
        15,
    )
    served = BoostedTrees(export_xgboost(booster), rows.shape[1])
    expected = margins_of(booster, rows)
    assert np.array_equal(served.predict_margins(rows), expected)
    assert [served.predict_margin(row) for row in rows[:300]] == expected[:300].tolist()


def test_a_sliced_booster_is_served_as_sliced(trained):
    rows = trained.rows("xgboost_classifier")
    booster = trained.booster[:7]
    served = BoostedTrees(export_xgboost(booster), rows.shape[1])
    assert np.array_equal(served.predict_margins(rows), margins_of(booster, rows))


def test_all_missing_follows_the_default_directions(trained):
    row = np.full((1, 17), np.nan)
    served = BoostedTrees(trained.files["xgboost_classifier.npz"], 17)
    assert served.predict_margin(row[0]) == margins_of(trained.booster, row)[0]


def test_a_forest_on_some_of_the_features(trained):
    rows = trained.rows("isolation_forest")
    forest = FittedForest(n_estimators=20, max_samples=64, max_features=0.5, random_state=3).fit(rows)
    served = IsolationForest(export_isolation_forest(forest), rows.shape[1])
    assert np.abs(served.scores(rows) - forest.decision_function(rows)).max() <= 1e-12


def test_equal_estimators_give_equal_bytes(trained):
    again = FittedForest(n_estimators=50, max_samples=128, random_state=1).fit(trained.rows("isolation_forest"))
    assert export_isolation_forest(again) == trained.files["isolation_forest.npz"]
    assert export_xgboost(trained.booster) == trained.files["xgboost_classifier.npz"]


def changed(data, spec, name, change):
    arrays = unpack(data, spec)
    arrays[name] = change(arrays[name])
    return pack(arrays)


def test_the_gate_refuses_a_threshold_one_float_off(trained):
    data = changed(
        trained.files["xgboost_classifier.npz"],
        SPEC,
        "threshold",
        lambda values: np.nextafter(values, np.float32(np.inf)),
    )
    with pytest.raises(ParityError, match="differ"):
        check_xgboost(trained.booster, data, trained.rows("xgboost_classifier"), CALIBRATION, count=COUNT)


def test_the_gate_refuses_turned_default_directions(trained):
    data = changed(trained.files["xgboost_classifier.npz"], SPEC, "default_left", np.logical_not)
    with pytest.raises(ParityError, match="differ"):
        check_xgboost(trained.booster, data, trained.rows("xgboost_classifier"), CALIBRATION, count=COUNT)


def test_the_gate_refuses_a_forest_whose_thresholds_are_not_floored(trained):
    data = changed(
        trained.files["isolation_forest.npz"],
        FOREST_SPEC,
        "threshold",
        lambda values: np.nextafter(values, np.float32(np.inf)),
    )
    with pytest.raises(ParityError, match="differs"):
        check_isolation_forest(trained.forest, data, trained.rows("isolation_forest"), 0.0, COUNT)


def test_what_cannot_be_served_is_refused(trained):
    rows, labels = trained.rows("xgboost_classifier"), trained.labels
    squares = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(rows, labels), 2)
    with pytest.raises(ValueError, match="binary:logistic"):
        export_xgboost(squares)
    deep = xgboost.train({"objective": "binary:logistic", "max_depth": 9}, xgboost.DMatrix(rows, labels), 2)
    with pytest.raises(ValueError, match="depth"):
        export_xgboost(deep)


def test_threads_do_not_disturb_each_other(trained):
    rows = trained.rows("xgboost_classifier")
    served = BoostedTrees(trained.files["xgboost_classifier.npz"], 17)
    forest = IsolationForest(trained.files["isolation_forest.npz"], 13)
    anomaly_rows = trained.rows("isolation_forest")
    margins, scores = served.predict_margins(rows).tolist(), forest.scores(anomaly_rows)
    wrong = []

    def work(start):
        for index in range(start, len(rows), 4):
            if served.predict_margin(rows[index]) != margins[index]:
                wrong.append(index)
            if abs(forest.score(anomaly_rows[index]) - scores[index]) > 1e-12:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(("margin", "expected"), [(0.0, 0.5), (1e6, 1.0), (-1e6, 0.0), (2.0, 0.8807970779778823)])
def test_probability_never_overflows(margin, expected):
    assert probability(margin, 1.0, 0.0) == pytest.approx(expected)
