"""The one encoding of features: rows, tables and what is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.models.encoding import Vectoriser

NAMES = ["amount", "channel", "tx_count_last_1h", "currency"]
CATEGORIES = {"channel": ["mobile", "web"], "currency": ["EUR", "USD", "GBP"]}
MEDIANS = {"amount": 12.0, "tx_count_last_1h": 1.0}
NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True)
TEXTS = st.none() | st.sampled_from(["mobile", "web", "EUR", "GBP", "elsewhere", ""])
ROWS = st.fixed_dictionaries({}, optional={n: TEXTS if n in CATEGORIES else NUMBERS for n in NAMES})


def test_numbers_stay_and_categories_become_their_index():
    row = Vectoriser(NAMES, CATEGORIES).row({"amount": 5.5, "channel": "web", "tx_count_last_1h": 2, "currency": "GBP"})
    assert row.tolist() == [5.5, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("value", [None, "elsewhere", "WEB", ""])
def test_unknown_and_unlisted_categories_are_a_category_of_their_own(value):
    assert Vectoriser(["channel"], CATEGORIES).row({"channel": value}).tolist() == [2.0]


def test_unknown_numbers_are_nan_or_the_median():
    features = {"amount": None, "channel": "web"}
    assert np.isnan(Vectoriser(NAMES, CATEGORIES).row(features)[[0, 2]]).all()
    assert Vectoriser(NAMES, CATEGORIES, MEDIANS).row(features).tolist() == [12.0, 1.0, 1.0, 3.0]
    assert Vectoriser(NAMES, CATEGORIES, MEDIANS).row({"amount": math.nan})[0] == 12.0


def test_log1p_keeps_the_sign_and_follows_the_median():
    encoding = Vectoriser(NAMES, CATEGORIES, MEDIANS, {"amount": "log1p"})
    assert encoding.row({})[0] == pytest.approx(math.log1p(12.0))
    assert encoding.row({"amount": -7.0})[0] == pytest.approx(-math.log1p(7.0))


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300, -1e300])
def test_what_float32_cannot_hold_stays_at_its_end(value):
    with np.errstate(all="raise"):
        row = Vectoriser(["amount", "tx_count_last_1h"], {}).row({"amount": value, "tx_count_last_1h": -value})
        single = row.astype(np.float32)
    assert np.isfinite(single).all()
    assert np.sign(single).tolist() == [math.copysign(1, value), -math.copysign(1, value)]


@pytest.mark.parametrize("text", ["12", "nan", "mobile"])
def test_text_is_not_a_number(text):
    with pytest.raises(ValueError, match="amount"):
        Vectoriser(NAMES, CATEGORIES).row({"amount": text})
    with pytest.raises(ValueError, match="amount"):
        Vectoriser(["amount"], {}).table({"amount": [1.0, text]})


@pytest.mark.parametrize("transforms", [{"amount": "sqrt"}, {"channel": "log1p"}])
def test_a_transform_must_be_known_and_of_a_number(transforms):
    with pytest.raises(ValueError, match="transform"):
        Vectoriser(NAMES, CATEGORIES, MEDIANS, transforms)


def test_every_number_needs_a_median_when_medians_are_given():
    with pytest.raises(ValueError, match="tx_count_last_1h"):
        Vectoriser(NAMES, CATEGORIES, {"amount": 1.0})


def test_columns_must_have_one_length():
    with pytest.raises(ValueError, match="length"):
        Vectoriser(NAMES, CATEGORIES).table({"amount": [1.0], "channel": ["web", "web"]})


@given(st.lists(ROWS, min_size=1, max_size=8), st.booleans(), st.booleans())
def test_rows_and_tables_equal_single_rows(many, filled, logged):
    transforms = {"amount": "log1p", "tx_count_last_1h": "log1p"} if logged else {"tx_count_last_1h": "log1p"}
    encoding = Vectoriser(NAMES, CATEGORIES, MEDIANS if filled else None, transforms)
    single = np.stack([encoding.row(features) for features in many])
    columns = {name: [features.get(name) for features in many] for name in NAMES}
    assert np.array_equal(encoding.rows(many), single, equal_nan=True)
    assert np.array_equal(encoding.table(columns), single, equal_nan=True)
    assert not (filled and np.isnan(single).any())


def test_a_column_that_is_absent_is_unknown():
    encoding = Vectoriser(NAMES, CATEGORIES, MEDIANS)
    assert encoding.table({"amount": np.array([1.0, np.nan])}).tolist() == [[1, 2, 1, 3], [12, 2, 1, 3]]
