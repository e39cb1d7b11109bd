"""Exchange rates: amounts compare, and are counted, in one base currency.

Exact: decimal arithmetic of 50 digits, so that serving and training get the same amounts from the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from assay.errors import PolicyError
from assay.schemas.base import Contract
from assay.schemas.fields import Currency
from assay.validation import validated
from assay.yaml_file import load_mapping

FILE = "rates.yaml"
SCALE = Decimal(10_000)
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_ONE = Decimal(1)


class _RatesDocument(Contract):
    base_currency: Currency
    as_of: date
    note: Annotated[str, StringConstraints(max_length=500)] = ""
    rates: dict[Currency, Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]]


class Rates:
    """Value of one unit of each currency in the base currency."""

    def __init__(self, base_currency: str, as_of: date, rates: Mapping[str, Decimal]) -> None:
        self.base_currency = base_currency
        self.as_of = as_of
        self._rates = {**rates, base_currency: _ONE}

    @classmethod
    def load(cls, text: str | bytes) -> Self:
        """The rates of a file; PolicyError names what is wrong."""
        document = validated(_RatesDocument, load_mapping(text, PolicyError, FILE), PolicyError, FILE)
        if document.rates.get(document.base_currency, 1.0) != 1.0:
            raise PolicyError(f"{FILE}: rates.{document.base_currency}: the base currency is worth 1 of itself")
        rates = {currency: Decimal(repr(rate)) for currency, rate in document.rates.items()}
        return cls(document.base_currency, document.as_of, rates)

    @property
    def currencies(self) -> frozenset[str]:
        """Codes that have a rate."""
        return frozenset(self._rates)

    def to_base(self, amount: Decimal, currency: str) -> Decimal | None:
        """The amount in the base currency, exact; None when the currency has no rate or the amount is not finite."""
        rate = self._rates.get(currency)
        if rate is None or not amount.is_finite():
            return None
        return _EXACT.multiply(amount, rate)

    def to_base_scaled(self, amount: Decimal | float, currency: str) -> int | None:
        """The amount in 1/10,000 of the base currency, rounded half to even; None as in `to_base`.

        A float counts as its shortest spelling: 0.1 is 0.1.
        """
        exact = amount if isinstance(amount, Decimal) else Decimal(repr(float(amount)))
        value = self.to_base(exact, currency)
        return None if value is None else int(_EXACT.multiply(value, SCALE).to_integral_value(ROUND_HALF_EVEN))
