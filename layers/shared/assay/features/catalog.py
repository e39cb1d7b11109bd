"""Every feature, declared once. Serving, training, rules and releases all read this list.

The first 17 are seed B's, with its names and order; the extended ones follow. Windows are (t-w, t] at the
transaction's own time t, never from the future. A value that is not known is None: unknown is never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "flag", "category"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its name, what it is, its unit, and how an analyst is told about it."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""


def _counterparty(days: int) -> tuple[Feature, Feature]:
    window = f"over {days} d, ending 7 d (the label delay) before the transaction"
    return (
        Feature(f"counterparty_tx_count_{days}d", "number", f"transactions with this counterparty {window}", "count"),
        Feature(
            f"counterparty_fraud_share_{days}d", "number", f"share of them confirmed as fraud {window}; 0 for none"
        ),
    )


def _account(days: int) -> tuple[Feature, Feature]:
    return (
        Feature(
            f"account_tx_count_{days}d", "number", f"the account's transactions in {days} d, this one included", "count"
        ),
        Feature(f"account_amount_mean_{days}d", "number", "mean of their amounts, this one included", "base currency"),
    )


BASE: tuple[Feature, ...] = (
    Feature("tx_count_last_5m", "number", "the account's transactions in 5 min, this one included", "count"),
    Feature("tx_count_last_1h", "number", "the account's transactions in 1 h, this one included", "count"),
    Feature(
        "tx_frequency_ratio",
        "number",
        "tx_count_last_1h over the account's mean hourly count of the 7 d before (at least 1)",
    ),
    Feature("amount", "number", "the amount", "base currency"),
    Feature(
        "avg_tx_amount_7d",
        "number",
        "mean of the account's earlier amounts in 7 d; without any, this amount",
        "base currency",
    ),
    Feature("amount_to_avg_ratio", "number", "amount over avg_tx_amount_7d"),
    Feature("new_device_flag", "flag", "the account never used this device before"),
    Feature("device_seen_before", "flag", "the device was seen before, on any account"),
    Feature("country_mismatch_flag", "flag", "the country is not the account's most frequent one of the 30 d before"),
    Feature("accounts_per_device", "number", "distinct accounts on this device in 30 d", "count"),
    Feature("accounts_per_ip_24h", "number", "distinct accounts from this address in 24 h", "count"),
    Feature("failed_login_count_last_1h", "number", "failed logins of the account in 1 h", "count"),
    Feature(
        "failed_logins_then_success",
        "flag",
        "within 1 h, a login succeeded after at least 3 had failed",
    ),
    Feature("channel", "category", "channel, as sent"),
    Feature("auth_method", "category", "authentication method, as sent"),
    Feature("geo_country", "category", "country of the transaction"),
    Feature("currency", "category", "currency, as sent"),
)

EXTENDED: tuple[Feature, ...] = (
    *_counterparty(1),
    *_counterparty(7),
    *_counterparty(30),
    *_account(1),
    *_account(7),
    *_account(30),
    Feature("distinct_counterparties_24h", "number", "distinct counterparties of the account in 24 h", "count"),
    Feature("distinct_countries_24h", "number", "distinct countries of the account in 24 h", "count"),
    Feature("seconds_since_last_tx", "number", "time since the account's previous transaction", "s"),
    Feature("travel_speed_kmh", "number", "speed implied by the country of the account's previous transaction", "km/h"),
    Feature("hour_of_day", "number", "hour of the transaction, UTC, with its fraction", "h"),
    Feature("is_weekend", "flag", "Saturday or Sunday, UTC"),
    Feature("account_age_days", "number", "time since the account was opened, as sent", "d"),
    Feature("balance_share_moved", "number", "amount over the balance before, as sent"),
)

ALL: tuple[Feature, ...] = BASE + EXTENDED
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in ALL}
BASE_NAMES: tuple[str, ...] = tuple(feature.name for feature in BASE)
NAMES: tuple[str, ...] = tuple(feature.name for feature in ALL)

ANOMALY_NAMES: tuple[str, ...] = (
    "tx_count_last_5m",
    "tx_count_last_1h",
    "tx_frequency_ratio",
    "amount",
    "avg_tx_amount_7d",
    "amount_to_avg_ratio",
    "failed_login_count_last_1h",
    "accounts_per_device",
    "accounts_per_ip_24h",
    "geo_country",
    "currency",
    "channel",
    "auth_method",
)
"""The 13 features of the isolation forest and the autoencoder, in seed B's order."""
