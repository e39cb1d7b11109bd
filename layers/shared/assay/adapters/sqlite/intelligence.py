"""What post-authorisation intelligence found, in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.errors import StorageError
from assay.intelligence.reports import StoredReport
from assay.schemas.event import Event

GET = "SELECT computed_at, body FROM intelligence_reports WHERE kind = ?"
PUT = "INSERT OR REPLACE INTO intelligence_reports VALUES (?, ?, ?)"


class SqliteReportStore:
    """One row per kind of report."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def newest(self, kind: str) -> StoredReport | None:
        """The report, if one was ever made."""
        try:
            return _newest(self._ledger.reader, kind)
        except sqlite3.Error as error:
            raise StorageError(f"reports: {error}") from error

    async def replace(
        self, kind: str, before: StoredReport | None, report: StoredReport, events: Sequence[Event] = ()
    ) -> bool:
        """Puts the report in the place of `before`, with its events; False when another one is there by now."""

        def work(connection: sqlite3.Connection) -> bool:
            if _newest(connection, kind) != before:
                return False
            connection.execute(PUT, (kind, report.at, report.body))
            connection.executemany(INSERT_EVENT, [(event.to_json(), event.event) for event in events])
            return True

        return await self._ledger.commits.run(work)


def _newest(connection: sqlite3.Connection, kind: str) -> StoredReport | None:
    row = connection.execute(GET, (kind,)).fetchone()
    return None if row is None else StoredReport(*row)
