from pathlib import Path

import polars as pl
import pytest

from local.replay.mapping import MappingError, resolve
from training.datasets import HANDBOOK


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "day.csv"
    pl.DataFrame({"account_id": ["a"], "occurred_at": ["2026-01-01T00:00:00Z"], "amount": [1], "x": [2]}).write_csv(
        path
    )
    return path


def test_the_default_mapping_takes_the_columns_that_are_there(file: Path) -> None:
    assert resolve("assay", file).columns() == {"account": "account_id", "time": "occurred_at", "amount": "amount"}


def test_a_ready_mapping_by_name(file: Path) -> None:
    assert resolve("handbook", file) is HANDBOOK


def test_a_mapping_of_the_users_own(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("account: a\ntime: t\namount: x\nconstants: {currency: EUR}\n")
    mapping = resolve(str(own), file)
    assert (mapping.account, mapping.time, mapping.amount, mapping.constants) == ("a", "t", "x", {"currency": "EUR"})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("account: a\ntime: t\n", "amount"),
        ("account: a\ntime: t\namount: x\nverdict: v\n", "verdict"),
        ("account: [a]\ntime: t\namount: x\n", "account"),
        ("account: a\naccount: b\n", "account"),
        ("- a\n", "own.yaml"),
    ],
)
def test_a_wrong_mapping_is_refused_by_name(file: Path, tmp_path: Path, text: str, named: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(MappingError, match=named):
        resolve(str(own), file)


def test_no_such_mapping(file: Path) -> None:
    with pytest.raises(MappingError, match="no ready mapping"):
        resolve("nobody", file)
