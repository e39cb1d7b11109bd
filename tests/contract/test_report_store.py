"""What every store of reports does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.intelligence import DynamoReportStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.table import Table
from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.intelligence.reports import DRIFT, PATTERNS, ReportStore, StoredReport
from assay.schemas.event import Event
from tests.contract.installations import PATIENT_S, AwsInstallation


@dataclass
class Kept:
    """The store, and what it has announced."""

    store: ReportStore
    announced: Callable[[], Awaitable[list[bytes]]]
    """Of the announcements, those that nobody has asked for before."""


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[Kept]:
    ledger = SqliteLedger(folder / "assay.db")

    seen: list[bytes] = []

    async def announced() -> list[bytes]:
        new = [body for (body,) in ledger.reader.execute("SELECT body FROM outbox ORDER BY sequence")][len(seen) :]
        seen.extend(new)
        return new

    yield Kept(SqliteReportStore(ledger), announced)
    await ledger.close()


@asynccontextmanager
async def in_dynamodb(installation: AwsInstallation) -> AsyncIterator[Kept]:
    async def announced() -> list[bytes]:
        return [body.encode() if isinstance(body, str) else body for body in await installation.announced()]

    clients = Clients()
    try:
        dynamodb, sns = [await clients.open(service, patient(PATIENT_S)) for service in ("dynamodb", "sns")]
        outbox = DynamoOutbox(dynamodb, installation.tables["Outbox"], SnsEvents(sns, installation.topic))
        yield Kept(DynamoReportStore(Table(dynamodb, installation.tables["Labels"], outbox, "reports")), announced)
    finally:
        await clients.close()


@pytest.fixture(params=["sqlite", "aws"])
def use(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[[Kept], Awaitable[None]]], None]:
    """Runs a scenario with the store."""
    aws = request.getfixturevalue("aws") if request.param == "aws" else None

    def run(scenario: Callable[[Kept], Awaitable[None]]) -> None:
        async def main() -> None:
            async with in_sqlite(tmp_path) if aws is None else in_dynamodb(aws) as kept:
                await scenario(kept)

        asyncio.run(main())

    return run


def test_one_report_of_each_kind_and_its_event_with_it(use: Callable[..., None]) -> None:
    async def scenario(kept: Kept) -> None:
        one, other, event = StoredReport(1, b'{"x": 1}'), StoredReport(2, b"[]"), Event.now("drift.detected", "system")
        assert await kept.store.newest(DRIFT) is None
        assert await kept.store.replace(DRIFT, None, one, [event])
        assert await kept.store.newest(DRIFT) == one
        assert await kept.store.newest(PATTERNS) is None
        assert [Event.model_validate_json(body) for body in await kept.announced()] == [event]
        # Somebody who has seen the store before that report.
        assert not await kept.store.replace(DRIFT, None, other, [Event.now("drift.detected", "system")])
        assert not await kept.store.replace(DRIFT, StoredReport(0, b""), other)
        assert await kept.announced() == []
        assert await kept.store.newest(DRIFT) == one
        assert await kept.store.replace(DRIFT, one, other)
        assert await kept.store.newest(DRIFT) == other

    use(scenario)


def test_of_many_at_once_one_is_kept(use: Callable[..., None]) -> None:
    async def scenario(kept: Kept) -> None:
        reports = [StoredReport(number, b"%d" % number) for number in range(8)]
        done = await asyncio.gather(*(kept.store.replace(PATTERNS, None, report) for report in reports))
        assert sum(done) == 1
        assert await kept.store.newest(PATTERNS) == reports[done.index(True)]

    use(scenario)
