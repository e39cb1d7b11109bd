"""`assay evaluate handbook` from end to end, on a slice of the Handbook's customers and of its published rows."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from local.cli import app
from training.handbook import command, evaluate, own
from training.handbook.evaluate import prepare
from training.handbook.features import PUBLISHED
from training.handbook.load import load
from training.handbook.published import EARLIER_WEEK, ROWS, WEEK, PublishedRow
from training.tuning import PROVEN, PROVEN_SAMPLING


def told(step, share):
    assert 0.0 <= share <= 1.0


@pytest.fixture(scope="module")
def frame(handbook, tmp_path_factory):
    return load(handbook, tmp_path_factory.mktemp("cache"), told)


@pytest.fixture(scope="module")
def slice_of(frame, tmp_path_factory):
    """One terminal in forty, whole, so that fraud shares are as in the data; compromised terminals in every week."""
    folder = tmp_path_factory.mktemp("slice")
    frame.filter(pl.col("TERMINAL_ID") % 40 == 11).write_parquet(folder / "transactions.parquet")
    return folder


def test_the_published_weeks_have_the_published_sizes(frame):
    columns = evaluate.Columns.of(frame)
    train, test = WEEK[0].train(columns), WEEK[0].test(columns)
    assert (len(train), columns.frauds[train].sum()) == (67_240, 598)
    assert (len(test), columns.frauds[test].sum()) == (58_264, 385)


@pytest.fixture(scope="module")
def data(slice_of, tmp_path_factory):
    return prepare(load(slice_of, tmp_path_factory.mktemp("cache"), told), told)


def test_features_are_whole_and_the_logistic_regression_learns(data):
    assert not np.isnan(data.matrix(PUBLISHED)).any()
    assert set(data.matrix(["is_night"])[:, 0]) == {0.0, 1.0}
    assert not {"TX_FRAUD", "TX_FRAUD_SCENARIO"} & set(evaluate.catalogue(data.frame))
    (row,) = evaluate.reproduce(data, told, [row for row in ROWS if row.name == "logistic regression"])
    assert row.mean()["roc_auc"] > 0.6


@pytest.fixture
def small(monkeypatch):
    """Fewer models, each as in the full run."""
    quick = [row for row in ROWS if row.model is None or row.name == "decision tree, depth 2"]
    monkeypatch.setattr(command, "reproduce", lambda data, progress: evaluate.reproduce(data, progress, quick))
    monkeypatch.setattr(own, "candidates", lambda count, seed: [{**PROVEN_SAMPLING, **PROVEN[0]}])
    monkeypatch.setattr(own, "ROUNDS", (10, 20))
    monkeypatch.setattr(own, "VALIDATION", own.VALIDATION[:1])
    monkeypatch.setattr(own, "MODELS", 2)


def evaluated(folder, out):
    return CliRunner().invoke(app, ["evaluate", "handbook", "--data", str(folder), "--out", str(out), "--json"])


def test_the_command_writes_the_same_twice_and_tells_that_a_slice_is_not_the_published_data(small, slice_of, tmp_path):
    first, second = (evaluated(slice_of, tmp_path / name) for name in ("a", "b"))
    assert first.exit_code == second.exit_code == 1, first.output
    assert first.stdout == second.stdout
    for name in ("handbook.json", "handbook.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    document = json.loads(first.stdout)
    rows = {row["name"]: row for row in document["rows"]}
    assert rows["decision tree, depth 2"]["reproduced"] is False
    rule = rows["rule: amount > 220"]
    assert rule["mean"]["scenario_2_recall"] < 0.1
    ours = [row for name, row in rows.items() if name.startswith("Assay")]
    assert len(ours) == 3
    assert all(len(row["folds"]) == 4 and "TX_FRAUD_SCENARIO" not in row["features"] for row in ours)
    assert ours[2]["mean"]["roc_auc"] > 0.6
    assert {trial["rounds"] for trial in document["settings_by_validation"]} == {10, 20}
    table = (tmp_path / "a" / "handbook.md").read_text()
    assert "| decision tree, depth 2 ! |" in table and "± " in table


def test_a_row_as_published_is_no_failure(monkeypatch, data, slice_of, tmp_path):
    def constant(train, labels, test):
        return np.zeros(len(test))

    row = PublishedRow("constant", constant, EARLIER_WEEK, (0.5, 0.0, 0.0))
    measured = evaluate.reproduce(data, told, [row])[0].mean()
    figures = tuple(measured[name] for name in ("roc_auc", "average_precision", "card_precision_100"))
    right = PublishedRow("constant", constant, EARLIER_WEEK, figures)
    monkeypatch.setattr(command, "prepare", lambda frame, progress: data)
    monkeypatch.setattr(command, "reproduce", lambda data, progress: evaluate.reproduce(data, progress, [right]))
    arguments = ["evaluate", "handbook", "--published", "--data", str(slice_of), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "all reproduced" in result.stdout


def test_no_data_is_one_line(tmp_path):
    result = CliRunner().invoke(app, ["evaluate", "handbook", "--data", str(tmp_path), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "no transactions*.parquet" in result.stderr and "Traceback" not in result.stderr
