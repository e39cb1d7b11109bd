"""Exchange rates: exact, rounded half to even, and unknown where there is no rate."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import training
from assay.errors import PolicyError
from assay.features.rates import Rates

TEXT = (Path(training.__file__).parent / "defaults" / "rates.yaml").read_text("utf-8")
DEFAULT = Rates.load(TEXT)
HEAD = "base_currency: EUR\nas_of: 2025-12-31\n"


def test_the_default_file() -> None:
    assert {"EUR", "USD", "GBP", "GHS", "NGN", "KES", "ZAR"} <= DEFAULT.currencies
    assert len(DEFAULT.currencies) >= 60
    assert DEFAULT.base_currency == "EUR"
    assert "approximate" in TEXT.casefold()


def test_conversion() -> None:
    rates = Rates.load(HEAD + "rates: {USD: 0.85, KRW: 0.00059}")
    assert rates.to_base(Decimal("19.99"), "EUR") == Decimal("19.99")
    assert rates.to_base(Decimal("19.99"), "USD") == Decimal("16.9915")
    assert rates.to_base_scaled(Decimal("19.99"), "USD") == 169915
    assert rates.to_base_scaled(19.99, "USD") == 169915
    assert rates.to_base_scaled(-100, "USD") == -850000
    assert rates.to_base(Decimal(1), "GBP") is None
    assert rates.to_base_scaled(1.0, "nowhere") is None


def test_rounding_is_half_to_even() -> None:
    rates = Rates.load(HEAD + "rates: {USD: 0.5}")
    assert [rates.to_base_scaled(Decimal(amount), "USD") for amount in ("0.0001", "0.0003", "0.0005")] == [0, 2, 2]


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_not_finite_is_unknown(amount: float | Decimal) -> None:
    assert DEFAULT.to_base_scaled(amount, "USD") is None


@given(st.integers(1, 10**15), st.sampled_from(sorted(DEFAULT.currencies)))
def test_a_float_and_its_decimal_agree(thousandths: int, currency: str) -> None:
    amount = Decimal(thousandths) / 1000
    assert DEFAULT.to_base_scaled(float(amount), currency) == DEFAULT.to_base_scaled(amount, currency)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rates: {USD: 0.85}", "base_currency"),
        (HEAD + "rates: {USD: 0}", "rates.USD"),
        (HEAD + "rates: {USD: -1}", "rates.USD"),
        (HEAD + "rates: {USD: .inf}", "rates.USD"),
        (HEAD + "rates: {USD: '1'}", "rates.USD"),
        (HEAD + "rates: {USD: 1, USD: 2}", "given twice"),
        (HEAD + "rates: {XYZ: 1}", "XYZ"),
        (HEAD + "rates: {EUR: 2}", "rates.EUR"),
        (HEAD.replace("2025-12-31", "yesterday") + "rates: {}", "as_of"),
        (HEAD + "rates: {}\nextra: 1", "extra"),
    ],
)
def test_wrong_files_are_refused(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Rates.load(text)
