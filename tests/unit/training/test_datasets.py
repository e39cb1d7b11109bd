from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from assay.features.rates import Rates
from training.datasets import HANDBOOK, BadRow, ColumnMapping, DatasetError, LabelledTransaction, read_transactions

RATES = Rates.load((Path(__file__).parents[3] / "training/defaults/rates.yaml").read_text())
MAPPING = ColumnMapping(
    account="who",
    time="when",
    amount="much",
    device="phone",
    currency="coin",
    label="fraud",
    constants={"channel": "web", "auth_method": "otp"},
)
HEADER = "when,who,much,coin,phone,fraud,other\n"


def read_csv(tmp_path, body, mapping=MAPPING, **options):
    path = tmp_path / "some.csv"
    path.write_text(HEADER + body, encoding="utf-8")
    return list(read_transactions(path, mapping, RATES, **options))


def handbook_frame(rows):
    start = datetime(2018, 4, 1)
    return pl.DataFrame(
        {
            "TRANSACTION_ID": list(range(rows)),
            "TX_DATETIME": [start + timedelta(seconds=61 * index) for index in range(rows)],
            "CUSTOMER_ID": [index % 3 for index in range(rows)],
            "TERMINAL_ID": [7] * rows,
            "TX_AMOUNT": [12.34] * rows,
            "TX_FRAUD": [int(index == 4) for index in range(rows)],
            "TX_FRAUD_SCENARIO": [0] * rows,
        }
    )


def test_a_csv_row_becomes_a_transaction(tmp_path):
    (row,) = read_csv(tmp_path, "2026-01-02T03:04:05Z,a1,10.50,EUR,d1,1,x\n")
    assert isinstance(row, LabelledTransaction)
    assert (row.line, row.label) == (2, True)
    tx = row.transaction
    assert tx.time == int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 1_000_000
    assert (tx.account, tx.amount, tx.currency, tx.device) == ("a1", 105_000, "EUR", "d1")
    assert (tx.channel, tx.auth_method, tx.counterparty) == ("web", "otp", None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-01-02,,5,EUR,,0,", "account: missing"),
        ("2026-01-02,a,five,EUR,,0,", "amount: not a number"),
        ("2026-01-02,a,,EUR,,0,", "amount: missing"),
        ("2026-01-02,a,nan,EUR,,0,", "amount: not a finite number"),
        ("2026-01-02,a,-1,EUR,,0,", "amount: below 0"),
        ("yesterday,a,5,EUR,,0,", "time: not a number"),
        ("1711122912345,a,5,EUR,,0,", "time: not a finite"),
        (",a,5,EUR,,0,", "time: missing"),
        ("2026-01-02,a,5,EUR,,maybe,", "label"),
        ("2026-01-02", "account: missing"),
    ],
)
def test_a_bad_row_is_reported_by_line_and_the_rest_goes_on(tmp_path, row, reason):
    good = "2026-01-01T00:00:00Z,a,1,EUR,,0,\n"
    first, bad, last = read_csv(tmp_path, good + row + "\n" + good.replace("01-01", "01-03"))
    assert isinstance(bad, BadRow)
    assert bad.line == 3
    assert bad.reason.startswith(reason)
    assert isinstance(first, LabelledTransaction)
    assert isinstance(last, LabelledTransaction)


def test_going_back_in_time_is_a_bad_row_unless_sorting_is_asked_for(tmp_path):
    body = "1700000100,a,1,EUR,,0,\n1700000000,b,1,EUR,,0,\n"
    kept, bad = read_csv(tmp_path, body)
    assert isinstance(bad, BadRow)
    assert "sort" in bad.reason
    assert kept.transaction.account == "a"
    assert [row.transaction.account for row in read_csv(tmp_path, body, sort=True)] == ["b", "a"]


def test_foreign_amounts_are_converted_and_unknown_currencies_are_unknown_amounts(tmp_path):
    body = "1700000000,a,100,USD,,0,\n1700000001,a,100,XXX,,,\n"
    dollars, other = read_csv(tmp_path, body)
    assert dollars.transaction.amount == RATES.to_base_scaled(100.0, "USD")
    assert other.transaction.amount is None
    assert other.label is None


def test_naive_times_are_utc_and_zones_are_honoured(tmp_path):
    naive, zoned = read_csv(tmp_path, "2026-01-01 12:00:00,a,1,EUR,,0,\n2026-01-01T14:00:00+02:00,a,1,EUR,,0,\n")
    assert naive.transaction.time == zoned.transaction.time


def test_the_handbook_mapping_reads_parquet_in_batches(tmp_path):
    path = tmp_path / "handbook.parquet"
    handbook_frame(25).write_parquet(path)
    rows = list(read_transactions(path, HANDBOOK, RATES, batch=4))
    assert [row.line for row in rows] == list(range(1, 26))
    assert [row.label for row in rows].index(True) == 4
    tx = rows[4].transaction
    assert (tx.account, tx.counterparty, tx.amount, tx.currency, tx.channel) == ("1", "7", 123_400, "EUR", "unknown")


def test_a_file_that_cannot_be_read_says_what_is_missing(tmp_path):
    path = tmp_path / "some.parquet"
    handbook_frame(3).drop("TX_AMOUNT").write_parquet(path)
    with pytest.raises(DatasetError, match="TX_AMOUNT"):
        list(read_transactions(path, HANDBOOK, RATES))
    with pytest.raises(DatasetError, match="neither"):
        list(read_transactions(tmp_path / "x.json", HANDBOOK, RATES))
    with pytest.raises(DatasetError, match=r"gone\.csv"):
        list(read_transactions(tmp_path / "gone.csv", HANDBOOK, RATES))
    (tmp_path / "no.parquet").write_bytes(b"not parquet")
    with pytest.raises(DatasetError, match=r"no\.parquet"):
        list(read_transactions(tmp_path / "no.parquet", HANDBOOK, RATES))


@pytest.mark.parametrize(
    ("constants", "reason"),
    [
        ({"colour": "red"}, "no field 'colour'"),
        ({"opened": "yesterday"}, "opened: not a number"),
        ({"balance_before": "much"}, "balance_before: not a number"),
    ],
)
def test_a_constant_that_cannot_be_used_is_refused_at_once(tmp_path, constants, reason):
    mapping = ColumnMapping(account="who", time="when", amount="much", constants=constants)
    with pytest.raises(DatasetError, match=reason):
        read_csv(tmp_path, "2026-01-01,a,1,EUR,,0,\n", mapping)


def test_a_constant_is_read_as_a_column_is(tmp_path):
    constants = {"opened": "2020-01-01", "balance_before": "10", "currency": " EUR ", "country": "DE", "label": "1"}
    mapping = ColumnMapping(account="who", time="when", amount="much", constants=constants)
    (row,) = read_csv(tmp_path, "2026-01-01,a,1,USD,,0,\n", mapping)
    tx = row.transaction
    assert (tx.opened, tx.balance_before, tx.currency) == (1_577_836_800_000_000, 100_000, "EUR")
    assert (tx.country, tx.amount, row.label) == ("DE", 10_000, True)


def test_times_are_exact_to_the_microsecond(tmp_path):
    body = "2199-12-31T23:59:59.999999Z,a,1,EUR,,0,\n2199-12-31 23:59:59.999999,a,1,EUR,,0,\n"
    assert [row.transaction.time for row in read_csv(tmp_path, body)] == [7_258_118_399_999_999] * 2
