"""What an engineer adds on the Handbook's data, from nothing but what is known at the transaction's time.

Labels are known 7 days after their transaction, as everywhere; amounts at once. Windows are open on both sides: the
transaction itself, and others of its second, are not in them.
"""

from __future__ import annotations

import polars as pl

from training.handbook.protocol import DELAY

CUSTOMER, TERMINAL, TIME, FRAUD = "CUSTOMER_ID", "TERMINAL_ID", "TX_DATETIME", "TX_FRAUD"
LONG, SHORT, RECENT = "60d", "30d", "14d"
BIG = 2.5
"""Times the customer's median amount; a payment above is remembered as unusual, whether or not it proves fraud."""
NAMES: tuple[str, ...] = (
    "terminal_days_since_fraud",
    "terminal_days_since_run_start",
    "terminal_run_length",
    "terminal_legitimate_since",
    "customer_days_since_fraud",
    "amount_to_median_60d",
    "amount_z_score_30d",
    "customer_big_amounts_14d",
)
"""Days since the terminal's last known fraud, since the first of its last run of consecutive known frauds, that run's
length, known legitimate transactions since; days since the customer's last known fraud; the amount against the
customer's median and spread; how many of the customer's recent payments were big for the customer."""


def with_history(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with NAMES; null is unknown. `frame` is in time order, and the order of rows stays."""
    amounts = _with_amounts(frame.with_columns(fraud=pl.col(FRAUD) == 1))
    known = _with_known(_with_known(amounts, TERMINAL, "terminal"), CUSTOMER, "customer")
    return known.drop("fraud", "customer_days_since_run_start", "customer_run_length", "customer_legitimate_since")


def _with_amounts(frame: pl.DataFrame) -> pl.DataFrame:
    amount = pl.col("TX_AMOUNT")
    median = amount.rolling_median_by(TIME, LONG, closed="none").over(CUSTOMER)
    mean = amount.rolling_mean_by(TIME, SHORT, closed="none").over(CUSTOMER)
    spread = amount.rolling_std_by(TIME, SHORT, closed="none", min_samples=3).over(CUSTOMER)
    big = (pl.col("amount_to_median_60d") > BIG).fill_null(value=False).cast(pl.Int32)
    return frame.with_columns(
        amount_to_median_60d=amount / median,
        amount_z_score_30d=(amount - mean) / spread.clip(lower_bound=1.0),
    ).with_columns(customer_big_amounts_14d=big.rolling_sum_by(TIME, RECENT, closed="none").over(CUSTOMER).fill_null(0))


def _with_known(frame: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    """What the labels that have arrived say of the key's past: its last run of frauds, and what came after it."""
    fraud, legitimate = pl.col("fraud"), (~pl.col("fraud")).cum_sum().over(key)
    starts = fraud & ~fraud.shift(1, fill_value=False).over(key)
    frauds = fraud.cum_sum().over(key)
    states = frame.select(
        key,
        known_at=pl.col(TIME) + pl.duration(days=DELAY),
        last=_at(fraud, pl.col(TIME), key),
        start=_at(starts, pl.col(TIME), key),
        length=frauds - _at(starts, frauds, key) + 1,
        since=legitimate - _at(fraud, legitimate, key),
    )
    joined = frame.join_asof(
        states, left_on=TIME, right_on="known_at", by=key, strategy="backward", check_sortedness=False
    )  # both are in time order, which polars cannot see within keys
    return joined.with_columns(
        _days(pl.col(TIME) - pl.col("last")).alias(f"{name}_days_since_fraud"),
        _days(pl.col(TIME) - pl.col("start")).alias(f"{name}_days_since_run_start"),
        pl.col("length").alias(f"{name}_run_length"),
        pl.col("since").alias(f"{name}_legitimate_since"),
    ).drop("known_at", "last", "start", "length", "since")


def _at(when: pl.Expr, value: pl.Expr, key: str) -> pl.Expr:
    """The value when `when` was last true, of the key's rows so far."""
    return pl.when(when).then(value).forward_fill().over(key)


def _days(duration: pl.Expr) -> pl.Expr:
    return duration.dt.total_seconds() / 86400
