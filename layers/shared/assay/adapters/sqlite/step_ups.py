"""How step-ups ended, in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import StorageError
from assay.labels.step_ups import StepUp, StepUpOutcome

PUT = "INSERT OR IGNORE INTO step_ups VALUES (?, ?, ?, ?)"
GET = "SELECT outcome, at FROM step_ups WHERE client_id = ? AND transaction_id = ?"


class SqliteStepUpStore:
    """By client and transaction."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def record(self, step_ups: Sequence[StepUp]) -> None:
        """Keeps those whose transactions have none yet."""
        rows = [(one.client_id, one.transaction_id, one.outcome.value, one.at) for one in step_ups]
        await self._ledger.commits.commit([(PUT, row) for row in rows])

    async def get(self, client_id: str, transaction_id: str) -> StepUp | None:
        """Of the transaction, if it was challenged and that has come to its end."""
        try:
            row = self._ledger.reader.execute(GET, (client_id, transaction_id)).fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"step-ups: {error}") from error
        return None if row is None else StepUp(client_id, transaction_id, StepUpOutcome(row[0]), row[1])
