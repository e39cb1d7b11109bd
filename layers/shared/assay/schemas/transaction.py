"""What a caller asks about: Assay's own shape, and seed B's flat 17 fields."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from assay.schemas.base import Contract, Token
from assay.schemas.fields import (
    Amount,
    CalendarDate,
    Country,
    Currency,
    IpAddress,
    Money,
    Timestamp,
    currency_minor_units,
)

Channel = Literal["mobile", "web", "atm", "pos", "api"]
AuthMethod = Literal["pin", "biometric", "otp", "password", "none"]
TransactionType = Literal["transfer", "payment", "withdrawal", "deposit"]
Count = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Flag = Annotated[int, Field(ge=0, le=1)]


class GivenFeatures(Contract):
    """Features of a caller that has its own aggregates. Those given are used as given, the rest computed.

    Amounts are in the base currency.
    """

    tx_count_last_5m: Count | None = None
    tx_count_last_1h: Count | None = None
    tx_frequency_ratio: Ratio | None = None
    avg_tx_amount_7d: Ratio | None = None
    amount_to_avg_ratio: Ratio | None = None
    new_device_flag: Flag | None = None
    device_seen_before: Flag | None = None
    country_mismatch_flag: Flag | None = None
    accounts_per_device: Count | None = None
    accounts_per_ip_24h: Count | None = None
    failed_login_count_last_1h: Count | None = None
    failed_logins_then_success: Flag | None = None


class TransactionRequest(Contract):
    """One transaction. `transaction_id` is the idempotency key, unique per client."""

    transaction_id: Token
    account_id: Token
    occurred_at: Timestamp | None = Field(default=None, description="Now, when absent. At most 5 minutes ahead.")
    amount: Amount
    currency: Currency
    channel: Channel
    auth_method: AuthMethod
    transaction_type: TransactionType | None = None
    geo_country: Country | None = None
    device_id: Token | None = None
    ip_address: IpAddress | None = None
    counterparty_id: Token | None = None
    merchant_category: Token | None = None
    card_token: Token | None = None
    balance_before: Money | None = None
    balance_after: Money | None = None
    customer_age: Annotated[int, Field(ge=0, le=150)] | None = None
    account_opened_at: CalendarDate | None = None
    features: GivenFeatures | None = None

    @model_validator(mode="after")
    def _amounts_fit_the_currency(self) -> Self:
        digits = currency_minor_units()[self.currency]
        for name in ("amount", "balance_before", "balance_after"):
            value: Decimal | None = getattr(self, name)
            if value is not None and decimals(value) > digits:
                raise PydanticCustomError(
                    "minor_units",
                    "{field}: more decimals than {currency} has ({digits})",
                    {"field": name, "currency": self.currency, "digits": digits},
                )
        return self


def decimals(value: Decimal) -> int:
    """Number of decimals that are not trailing zeros."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0:
        return 0
    return max(0, -int(value.normalize().as_tuple().exponent))


class FlatTransaction(Contract):
    """Seed B's body: 17 required fields, no identifiers, amounts in `currency`.

    Without an account nothing is counted for anybody; without a `transaction_id` every call is a new decision.
    Categories are free text, as in seed B: an unknown one is a category of its own.
    """

    transaction_id: Token | None = None
    tx_count_last_5m: Count
    tx_count_last_1h: Count
    tx_frequency_ratio: Ratio
    amount: Amount
    avg_tx_amount_7d: Ratio
    amount_to_avg_ratio: Ratio
    new_device_flag: Flag
    device_seen_before: Flag
    country_mismatch_flag: Flag
    accounts_per_device: Count
    accounts_per_ip_24h: Count
    failed_login_count_last_1h: Count
    failed_logins_then_success: Flag
    channel: Token
    auth_method: Token
    geo_country: Token
    currency: Token
