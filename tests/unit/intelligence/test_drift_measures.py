"""The measures against scipy, brute force, and what must not change them."""

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from functions.intelligence.drift_measures import Share, difference, ks, psi, ratio
from functions.intelligence.drift_measures import _chi_squared_tail as chi_squared_tail
from functions.intelligence.drift_measures import _kolmogorov_tail as kolmogorov_tail

SOME = settings(max_examples=40)
COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=14)
PAIRS = COUNTS.flatmap(
    lambda one: st.tuples(st.just(one), st.lists(st.integers(0, 10_000), min_size=len(one), max_size=len(one)))
)


def arrays(pair: tuple[list[int], list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(pair[0], dtype=float), np.array(pair[1], dtype=float)


def test_psi_is_the_sum_over_bins_less_its_mean_without_drift() -> None:
    baseline, window = np.array([4000.0, 3000, 2000, 1000]), np.array([1000.0, 2000, 3000, 4000])
    plain = sum((q - p) * math.log(q / p) for p, q in zip((0.4, 0.3, 0.2, 0.1), (0.1, 0.2, 0.3, 0.4), strict=True))
    assert psi(baseline, window).value == pytest.approx(plain - 3 * (1 / 10_000 + 1 / 10_000), rel=1e-3)
    assert psi(baseline, window).p == 0.0


@pytest.mark.parametrize("size", [200, 1_000, 20_000])
def test_small_samples_do_not_cry_wolf(size: int) -> None:
    rng = np.random.default_rng(3)
    baseline = np.full(11, 20_000.0)
    found = [psi(baseline, rng.multinomial(size, np.full(11, 1 / 11)).astype(float)) for _ in range(400)]
    chance = 10 * (1 / size + 1 / baseline.sum())
    assert fmean(one.value for one in found) < chance  # the plain index would have this mean
    assert sum(one.p < 0.05 for one in found) / len(found) == pytest.approx(0.05, abs=0.04)
    assert all(one.p > 1e-5 for one in found)


@SOME
@given(PAIRS)
def test_psi_knows_neither_side_nor_order(pair: tuple[list[int], list[int]]) -> None:
    baseline, window = arrays(pair)
    there, back = psi(baseline, window), psi(window, baseline)
    assert there.value == pytest.approx(back.value, abs=1e-9)
    order = np.random.default_rng(1).permutation(len(baseline))
    assert psi(baseline[order], window[order]).value == pytest.approx(there.value, abs=1e-9)
    assert there.value >= 0
    assert 0 <= there.p <= 1


@SOME
@given(COUNTS)
def test_nothing_is_away_from_itself(counts: list[int]) -> None:
    same = np.array(counts, dtype=float)
    assert psi(same, same).value == 0
    assert ks(same, same).value == pytest.approx(0, abs=1e-12)


@SOME
@given(PAIRS)
def test_empty_bins_change_nothing(pair: tuple[list[int], list[int]]) -> None:
    baseline, window = arrays(pair)
    assert psi(np.append(baseline, 0), np.append(window, 0)) == psi(baseline, window)


@SOME
@given(st.lists(st.integers(0, 9), min_size=1, max_size=300), st.lists(st.integers(0, 9), min_size=1, max_size=300))
def test_ks_is_the_largest_difference_of_the_cumulative_shares(one: list[int], other: list[int]) -> None:
    counted = [np.bincount(values, minlength=10).astype(float) for values in (one, other)]
    shares = [[sum(value <= limit for value in values) / len(values) for limit in range(10)] for values in (one, other)]
    assert ks(*counted).value == pytest.approx(max(abs(p - q) for p, q in zip(*shares, strict=True)), abs=1e-9)


def test_coarser_bins_show_less() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.normal(0, 1, 3_000), rng.normal(0.2, 1.2, 3_000)
    exact = stats.ks_2samp(one, other)
    for bins in (3, 10, 1_000):
        edges = np.quantile(one, np.linspace(0, 1, bins + 1)[1:-1])
        found = ks(*(np.bincount(np.searchsorted(edges, x), minlength=bins).astype(float) for x in (one, other)))
        assert found.value <= exact.statistic + 1e-9
        assert found.p >= exact.pvalue * 0.9
    assert found.value == pytest.approx(exact.statistic, abs=0.01)


@SOME
@given(st.floats(0.01, 400), st.integers(1, 60))
def test_the_tail_of_chi_squared(value: float, degrees: int) -> None:
    exact = float(stats.chi2.sf(value, degrees))
    assert chi_squared_tail(value, degrees) == pytest.approx(exact, abs=0.04 if degrees == 1 else 0.013)
    if degrees >= 5 and 1e-8 < exact < 0.01:
        assert 0.99 < chi_squared_tail(value, degrees) / exact < (2 if exact > 1e-5 else 4)


@SOME
@given(st.floats(0, 5))
def test_the_tail_of_kolmogorov(value: float) -> None:
    assert kolmogorov_tail(value) == pytest.approx(float(stats.kstwobign.sf(value)), abs=1e-6)


def test_shares() -> None:
    before, now = Share(50, 1_000), Share(100, 1_000)
    table = [[50, 950], [100, 900]]
    assert difference(before, now).value == pytest.approx(0.05)
    assert difference(before, now).p == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
    assert ratio(before, now).value == pytest.approx(2, rel=0.01)
    assert ratio(Share(0, 0), now) == ratio(now, Share(0, 0))
    assert difference(Share(0, 10), Share(0, 10)).p == 1.0


@pytest.mark.parametrize("measure", [psi, ks])
def test_an_empty_sample_says_nothing(measure: object) -> None:
    empty, full = np.zeros(3), np.ones(3)
    for pair in ((empty, full), (full, empty), (empty, empty)):
        assert measure(*pair).value == 0  # type: ignore[operator]
        assert measure(*pair).p == 1  # type: ignore[operator]
