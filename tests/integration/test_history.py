"""The same events as a table, from the database and from an archive."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.adapters.sqlite.step_ups import SqliteStepUpStore
from assay.errors import StorageError
from assay.intelligence.scored_table import COLUMNS, decode
from assay.labels.step_ups import StepUp, StepUpOutcome
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.events import read_recorded as read
from local.history import Source, scored_table
from local.places import Places
from tests.harness.service import EVENTS

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SAMPLE: dict[str, Any] = json.loads(
    json.loads((EVENTS / "post_auth_intelligence" / "batch.json").read_text())["Records"][0]["body"]
)


def body(number: int, at: datetime, **features: object) -> bytes:
    """An event as it is published, decided a second after its moment."""
    verdict = {**SAMPLE["verdict"], "transaction_id": f"t-{number}", "triggered_rules": ["a", "b"][: number % 3]}
    verdict["decided_at"] = (at + timedelta(seconds=1)).isoformat()
    event = {
        **SAMPLE,
        "occurred_at": at.isoformat(),
        "verdict": verdict,
        "features": {**SAMPLE["features"], **features},
    }
    return json.dumps(event).encode()


BODIES = [body(n, NOON + timedelta(hours=7 * n), amount=float(n)) for n in (3, 0, 2, 1)]


async def _keep(folder: Path, bodies: list[bytes]) -> None:
    ledger = SqliteLedger(folder / "assay.db")
    await SqliteScoredEventStore(ledger).record([read(each) for each in bodies])
    await ledger.close()
    archive = ScoredEventArchive(FolderArchive(folder / "archive"))
    for start in range(0, len(bodies), 3):
        await archive.record([read(each) for each in bodies[start : start + 3]])
    await archive.record([read(bodies[0])])  # in other company: kept twice


@pytest.fixture(params=["database", "archive"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    asyncio.run(_keep(tmp_path, BODIES))
    return Places(tmp_path) if request.param == "database" else str(tmp_path / "archive")


def test_every_event_is_a_row_once_in_time_order(source: Source) -> None:
    table = scored_table(source)
    assert tuple(table.columns) == COLUMNS
    assert table["transaction_id"].to_list() == ["t-0", "t-1", "t-2", "t-3"]
    assert table["amount"].to_list() == [0.0, 1.0, 2.0, 3.0]
    assert table["occurred_at"][0] == NOON
    assert table["triggered_rules"].to_list() == [[], ["a"], ["a", "b"], []]
    first = table.row(0, named=True)
    assert (first["account_id"], first["channel"], first["release_version"]) == ("acct-ama", "mobile", "2026.11.1")
    assert first["travel_speed_kmh"] is None  # unknown stays unknown


def test_a_period_and_some_columns(source: Source) -> None:
    period = {"since": NOON + timedelta(hours=7), "until": NOON + timedelta(hours=21)}
    table = scored_table(source, **period, columns=("transaction_id", "fraud_score"))  # type: ignore[arg-type]
    assert table.columns == ["transaction_id", "fraud_score"]
    assert table["transaction_id"].to_list() == ["t-1", "t-2"]
    assert scored_table(source, since=NOON + timedelta(days=9)).is_empty()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        scored_table(Places(tmp_path / "nothing"))
    assert scored_table(str(tmp_path / "nothing")).is_empty()  # an archive begins with its first object


def test_an_unreadable_object_is_an_error(tmp_path: Path) -> None:
    asyncio.run(FolderArchive(tmp_path).put("scored/dt=2026-11-21/x.jsonl.gz", b"not gzip"))
    with pytest.raises(StorageError, match=r"x\.jsonl\.gz"):
        scored_table(str(tmp_path))


@pytest.mark.parametrize(
    "features", [[1, 2], "text", None, {"amount": "x", "channel": 3, "tx_count_last_5m": {}, "unheard_of": 1}]
)
def test_a_value_of_another_type_is_unknown(features: object) -> None:
    odd = json.dumps({**SAMPLE, "features": features, "transaction": None}).encode()
    table = decode([BODIES[1], odd])
    assert table["amount"].to_list() == [0.0, None]
    assert table["account_id"].to_list() == ["acct-ama", None]
    assert table["client_id"].to_list() == ["shop", "shop"]


@pytest.mark.parametrize("garbage", [b"", b"{", b"{} {}", b"\xff"])
def test_what_is_no_json_is_an_error(garbage: bytes) -> None:
    with pytest.raises(StorageError):
        decode([BODIES[0], garbage, BODIES[1]])


def test_how_step_ups_ended_is_a_column_for_who_asks(source: Source, tmp_path: Path) -> None:
    async def end() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        await SqliteStepUpStore(ledger).record(
            [StepUp("shop", name, StepUpOutcome.FAILED, 0) for name in ("t-1", "unheard-of")]
        )
        await ledger.close()

    asyncio.run(end())
    table = scored_table(source, columns=("transaction_id", "step_up"))
    found = {"t-1": None if isinstance(source, str) else "failed"}
    assert dict(table.iter_rows()) == {**dict.fromkeys(("t-0", "t-2", "t-3")), **found}
    assert "step_up" not in scored_table(source).columns
    assert scored_table(source, until=NOON - timedelta(days=9), columns=("step_up",)).is_empty()
