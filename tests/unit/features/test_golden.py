"""The Handbook's published windows, from the same `Profile.observe` that serves."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime

import pytest

from assay.features.profile import Profile
from assay.features.transaction import MONEY_SCALE, Transaction

DAYS = (1, 7, 30)


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def transaction(row):
    time = datetime.fromisoformat(row["TX_DATETIME"]).replace(tzinfo=UTC)
    return Transaction(
        row["TRANSACTION_ID"],
        int(time.timestamp()) * 1_000_000,
        row["CUSTOMER_ID"],
        round(float(row["TX_AMOUNT"]) * MONEY_SCALE),
        "EUR",
        "pos",
        "pin",
        counterparty=row["TERMINAL_ID"],
    )


def test_customer_windows(handbook):
    profile, count = Profile(), 0
    for row in rows(handbook / "golden_customer_windows.csv.gz"):
        features = profile.observe(transaction(row))
        for days in DAYS:
            assert features[f"account_tx_count_{days}d"] == int(row[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"])
            mean = float(row[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"])
            assert features[f"account_amount_mean_{days}d"] == pytest.approx(mean, rel=1e-9, abs=1e-9)
        count += 1
    assert count == 13_873


def test_terminal_windows(handbook):
    profile, count = Profile(), 0
    for row in rows(handbook / "golden_terminal_windows.csv.gz"):
        tx = transaction(row)
        features = profile.observe(tx)
        for days in DAYS:
            assert features[f"counterparty_tx_count_{days}d"] == int(row[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"])
            share = float(row[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"])
            assert features[f"counterparty_fraud_share_{days}d"] == pytest.approx(share, rel=1e-9, abs=1e-9)
        if row["TX_FRAUD"] == "1":
            profile.confirm_fraud(tx)  # at once: the window looks back over the delay, so that it is the same
        count += 1
    assert count == 6_409
