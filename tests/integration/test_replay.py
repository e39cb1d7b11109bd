"""`assay replay` gives every transaction of a file the verdict that serving gives it, and names what it cannot use."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.features.rates import Rates
from assay.stage_client import StageClient
from functions.orchestrator.intake import read_transaction
from functions.orchestrator.pipeline import Pipeline, Settings
from local.champion import open_champion
from local.cli import app
from local.inline_stages import inline_stages
from local.places import Places
from training.simulator import START, SimulatedTransaction, as_request, simulate

COUNT = 1_500
COLUMNS = ("decision", "triggered_by", "fraud_score", "if_score", "ae_error", "rules_flag")


@pytest.fixture(scope="module")
def requests() -> list[dict[str, Any]]:
    simulated = (event for event in simulate(5, 100, 60) if isinstance(event, SimulatedTransaction))
    return [as_request(event) for event in islice(simulated, COUNT)]


@pytest.fixture(scope="module")
def file(requests: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "bank.csv"
    with path.open("w", newline="") as output:
        writer = csv.DictWriter(output, sorted({name for request in requests for name in request}))
        writer.writeheader()
        writer.writerows(requests)
    return path


@pytest.fixture(scope="module")
def served(requests: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The verdicts of the pipeline that serves, one request after the other."""
    places = Places(tmp_path_factory.mktemp("served"))
    release = open_champion(places)
    rates, now = Rates.load(release.read("rates.yaml")), START + timedelta(days=365)

    async def score() -> list[dict[str, Any]]:
        async with SqliteLedger(places.database) as ledger:
            stores = SqliteProfileStore(ledger), SqliteDecisionStore(ledger)
            pipeline = Pipeline(StageClient(inline_stages(release)), *stores, Settings.of(release, 60_000))
            bodies = (json.dumps(request).encode() for request in requests)
            return [json.loads(await pipeline.score(read_transaction(body, "shop", rates, now))) for body in bodies]

    return asyncio.run(score())


def replay(file: Path, out: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["replay", str(file), "--out", str(out), *options])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_verdicts_are_those_of_serving(file: Path, served: list[dict[str, Any]], tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pl.read_csv(file, infer_schema=False).write_parquet(file := tmp_path / "bank.parquet")
    done = replay(file, tmp_path / "verdicts.parquet", "--json")
    assert done.exit_code == 0, done.output
    found = pl.read_parquet(tmp_path / "verdicts.parquet").to_dicts()
    assert [row["transaction_id"] for row in found] == [verdict["transaction_id"] for verdict in served]
    for row, verdict in zip(found, served, strict=True):
        assert {name: row[name] for name in COLUMNS} == {name: verdict[name] for name in COLUMNS}
        assert row["triggered_rules"].split() == verdict["triggered_rules"]
    decisions = json.loads(done.stdout)["decisions"]
    assert sum(decisions.values()) == COUNT
    assert len(decisions) == 3  # otherwise the comparison would say little


def test_bad_rows_are_named_and_the_rest_is_scored(file: Path, tmp_path: Path) -> None:
    lines = file.read_text().splitlines()
    amount = lines[0].split(",").index("amount")
    cells = lines[2].split(",")
    cells[amount] = "much"
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:11]]) + "\n")
    done = replay(bad, tmp_path / "verdicts.csv")
    assert done.exit_code == 1
    assert "line 3: amount: not a number" in done.output
    assert len(pl.read_csv(tmp_path / "verdicts.csv")) == 9


def test_what_cannot_be_written_is_said_before_the_work(file: Path, tmp_path: Path) -> None:
    done = replay(file, tmp_path / "nowhere" / "verdicts.parquet")
    assert (done.exit_code, done.output) == (1, f"assay: {tmp_path / 'nowhere'}: no such folder\n")


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    done = replay(tmp_path / "none.csv", tmp_path / "verdicts.parquet")
    assert done.exit_code == 2 and "none.csv" in done.output
    assert not (tmp_path / "verdicts.parquet").exists()
