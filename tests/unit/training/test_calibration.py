import numpy as np
import pytest

from training.calibration import (
    calibration_error_by_chance,
    expected_calibration_error,
    fit_calibration,
    fit_platt,
    reliability,
)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_platt_finds_the_distortion_it_has_to_undo():
    rng = np.random.default_rng(0)
    truth = rng.normal(-2, 2, 60_000)
    labels = rng.random(60_000) < sigmoid(truth)
    fitted = fit_platt(3 * truth + 1, labels.astype(float))
    assert fitted.slope == pytest.approx(1 / 3, rel=0.03)
    assert fitted.intercept == pytest.approx(-1 / 3, abs=0.05)
    assert expected_calibration_error(fitted.apply(3 * truth + 1), labels) < 0.01


def test_perfectly_separated_margins_still_give_finite_scores_below_one():
    margins = np.array([-3.0] * 50 + [3.0] * 50)
    fitted = fit_platt(margins, (margins > 0).astype(float))
    assert 0.9 < fitted.apply(np.array([3.0]))[0] < 1


def test_platt_needs_both_classes():
    with pytest.raises(ValueError, match="fraud"):
        fit_platt(np.zeros(3), np.zeros(3))


def test_calibration_error_of_a_known_table():
    scores = np.array([0.05] * 10 + [0.85] * 10)
    labels = np.array([False] * 10 + [True] * 5 + [False] * 5)
    bins = reliability(scores, labels, (0.0, 0.5, 1.0))
    assert [(part.count, part.fraud_share) for part in bins] == [(10, 0.0), (10, 0.5)]
    assert expected_calibration_error(scores, labels) == pytest.approx(0.5 * 0.05 + 0.5 * 0.35)


def test_scores_are_of_fraud_though_some_of_it_is_never_reported():
    rng = np.random.default_rng(1)
    margins = np.where(rng.random(80_000) < 0.04, rng.normal(5, 4, 80_000), rng.normal(-6, 2, 80_000))
    fraud = rng.random(80_000) < sigmoid(margins)
    reported = fraud & (rng.random(80_000) < 0.93)
    fitted = fit_calibration(margins, reported)
    assert fitted.reported_share == pytest.approx(0.93, abs=0.015)
    assert fitted.platt.slope == pytest.approx(1, abs=0.08)
    assert fitted.platt.intercept == pytest.approx(0, abs=0.2)


def test_where_everything_is_reported_nothing_is_added():
    rng = np.random.default_rng(2)
    margins = rng.normal(-1, 4, 40_000)
    fitted = fit_calibration(margins, rng.random(40_000) < sigmoid(margins))
    assert fitted.reported_share > 0.985
    assert fitted.platt.slope == pytest.approx(1, abs=0.05)


def test_scores_that_keep_their_word_are_as_far_off_as_chance_says():
    rng = np.random.default_rng(3)
    scores = rng.beta(0.5, 0.8, 400)
    errors = [expected_calibration_error(scores, rng.random(400) < scores) for _ in range(300)]
    assert np.mean(errors) == pytest.approx(calibration_error_by_chance(scores), rel=0.05)
    assert np.isnan(calibration_error_by_chance(np.empty(0)))
