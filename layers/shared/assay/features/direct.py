"""The features that a transaction says by itself."""

from __future__ import annotations

from assay.features.catalog import NAMES
from assay.features.transaction import MONEY_SCALE, Transaction
from assay.features.windows import DAY, HOUR

Features = dict[str, float | str | None]
Row = tuple[float | str | None, ...]
"""The values of `Features`, in the order of the catalogue."""

_NOTHING: Features = dict.fromkeys(NAMES)
SATURDAY = 5
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


def circumstances(tx: Transaction) -> tuple[float, float, float | None, float | None]:
    """hour_of_day, is_weekend, account_age_days, balance_share_moved."""
    t, opened, balance = tx.time, tx.opened, tx.balance_before
    age = share = None
    if opened is not None:
        age = (t - opened) / DAY if t > opened else 0.0
    if balance is not None and balance > 0 and tx.amount is not None:
        share = tx.amount / balance
    return t % DAY / HOUR, float((t // DAY + EPOCH_WEEKDAY) % 7 >= SATURDAY), age, share


def unknown_features(tx: Transaction) -> Features:
    """Every feature of the catalogue: what needs the profile is None, what the transaction itself says is there."""
    features = _NOTHING.copy()
    hour, weekend, age, share = circumstances(tx)
    features.update(
        amount=None if tx.amount is None else tx.amount / MONEY_SCALE,
        channel=tx.channel,
        auth_method=tx.auth_method,
        geo_country=tx.country,
        currency=tx.currency,
        hour_of_day=hour,
        is_weekend=weekend,
        account_age_days=age,
        balance_share_moved=share,
    )
    return features
