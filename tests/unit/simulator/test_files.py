"""The simulated bank in files, and training's way of reading them back."""

from __future__ import annotations

import csv

import numpy as np
import polars as pl
import pytest

from assay.features.rates import Rates
from local.replay.mapping import resolve
from training.data_file import table_of_file
from training.settings import TrainingDataError, default
from training.simulator import SimulatedLabel, SimulatedTransaction, simulate, with_labels
from training.simulator.files import write_files
from training.table import build_table

RATES = Rates.load(default("rates.yaml"))
BANK = (8, 60, 30)


def silent(step, share):
    pass


@pytest.fixture(scope="module")
def events():
    return list(simulate(*BANK))


@pytest.fixture(scope="module", params=["parquet", "csv"])
def written(request, tmp_path_factory, events):
    return write_files(tmp_path_factory.mktemp("bank") / f"bank.{request.param}", iter(events))


def test_training_reads_back_what_was_simulated(written, events):
    path = written.files[0]
    table = table_of_file(path, resolve("assay", path), RATES, 7.0, silent)
    assert table.fingerprint() == build_table(events, RATES, 0.0, silent).fingerprint()


def test_counts_and_columns(written, events):
    transactions = [event for event in events if isinstance(event, SimulatedTransaction)]
    assert (written.transactions, written.logins) == (len(transactions), len(events) - len(transactions))
    assert written.fraud == sum(event.label for event in transactions)
    with written.files[1].open() as file:
        assert len(list(csv.DictReader(file))) == written.logins


def test_labels_are_a_stream_of_their_own_with_the_moment_they_become_known(written, events):
    with written.files[2].open() as file:
        labels = list(csv.DictReader(file))
    assert written.labels == len(labels) > 0
    assert [row["labelled_at"] for row in labels] == sorted(row["labelled_at"] for row in labels)
    last = events[-1].time
    known = {
        event.transaction_id
        for event in events
        if isinstance(event, SimulatedTransaction) and event.label_time is not None and event.label_time <= last
    }
    assert {row["transaction_id"] for row in labels} == known
    assert {row["label"] for row in labels} == {"fraud_confirmed"}


def test_labels_come_between_events_in_time_order(events):
    stream = list(with_labels(events))
    times = [item.time for item in stream]
    assert times == sorted(times)
    reported = [event for event in events if getattr(event, "label_time", None) is not None]
    assert sum(isinstance(item, SimulatedLabel) for item in stream) == len(reported)


def test_a_file_is_whole_or_not_there(tmp_path):
    def broken():
        yield from simulate(1, 60, 3)
        raise OSError("disk full")

    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        write_files(tmp_path / "bank.parquet", broken())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TrainingDataError, match="neither"):
        write_files(tmp_path / "bank.json", iter(()))


def rewritten(tmp_path, written, change):
    frame = pl.read_csv(written.files[0], infer_schema=False)
    path = tmp_path / "changed.csv"
    change(frame).write_csv(path)
    return path


@pytest.mark.parametrize("written", ["csv"], indirect=True)
def test_files_that_nothing_can_be_learnt_from(tmp_path, written):
    def read(change):
        path = rewritten(tmp_path, written, change)
        return table_of_file(path, resolve("assay", path), RATES, 7.0, silent)

    with pytest.raises(TrainingDataError, match="no column of labels"):
        read(lambda frame: frame.drop("label"))
    with pytest.raises(TrainingDataError, match=r"1 rows? cannot be used \(line 3: time"):
        read(lambda frame: pl.concat([frame[5:6], frame[:1], frame[6:]]))
    late = read(lambda frame: frame.drop("label_known_at"))
    assert np.nanmin((late.label_times - late.times)[late.labels]) == 7 * 86400
