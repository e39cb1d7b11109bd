"""Accounts over a file of their own, with a clock that the test sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.accounts.ports import CardManagement
from assay.accounts.records import AccountState
from assay.adapters.sqlite.accounts import SqliteAccountStore
from assay.adapters.sqlite.card_orders import SqliteCardOrderStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.moments import EPOCH, MICROSECOND, microseconds
from assay.policy import Actions
from assay.ports import OutboxEvent
from functions.action_layer.accounts import Accounts
from functions.action_layer.cards import CardDelivery, Patience
from functions.action_layer.consumer import ActionLayer

SECOND = 1_000_000
HOUR = 3_600 * SECOND
PATIENCE = Patience()
START = microseconds(datetime(2026, 3, 1, 12, tzinfo=UTC))


@dataclass(slots=True)
class Clock:
    """Stands still until it is set."""

    now: int = START

    def __call__(self) -> int:
        return self.now


def scored(
    transaction: str,
    account: str | None = "a",
    at: int = START,
    decision: str = "DECLINE",
    client: str = "shop",
    **verdict: Any,
) -> OutboxEvent:
    """An event, as far as the function looks into it; by default one that freezes for a day."""
    reasons = [{"code": "rule:ip_botnet", "weight": 3.0, "analyst_text": "200 accounts", "customer_text": "Refused."}]
    facts = {
        "transaction_id": transaction,
        "decision": decision,
        "decided_at": (EPOCH + at * MICROSECOND).isoformat(),
        "fraud_score": None,
        "triggered_by": "RULES_BLOCK_EARLY_EXIT",
        "triggered_rules": ["ip_botnet"],
        "degraded": [],
        "reasons": reasons,
    }
    body = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": client,
        "transaction": {"account_id": account},
        "verdict": facts | verdict,
    }
    return OutboxEvent(1, json.dumps(body).encode())


class Lab:
    """The function's parts, put together as the embedded server does."""

    def __init__(self, ledger: SqliteLedger, clock: Callable[[], int]) -> None:
        self.ledger = ledger
        self.clock = clock
        self.store = SqliteAccountStore(ledger, clock)
        self.accounts = Accounts(self.store, clock)
        self.orders = SqliteCardOrderStore(ledger)
        self.consumer = ActionLayer(self.accounts, self.store, Actions(), clock)

    def delivery(self, cards: CardManagement, patience: Patience = PATIENCE) -> CardDelivery:
        """Of the orders, to this card management."""
        return CardDelivery(self.orders, self.accounts, cards, patience, self.clock)

    async def state(self, account: str = "a") -> AccountState:
        """Now."""
        return (await self.accounts.get(account))[1]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Of the file."""
        return self.ledger.reader.execute(query, values).fetchall()

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and data of all in the outbox, in order."""
        bodies = self.rows("SELECT body FROM outbox ORDER BY sequence")
        return [(event["event"], event["data"]) for event in (json.loads(body) for (body,) in bodies)]

    def effects(self) -> dict[str, str]:
        """What became of each transaction."""
        return dict(self.rows("SELECT transaction_id, effect FROM actions"))


@asynccontextmanager
async def opened(folder: Path, clock: Callable[[], int]) -> AsyncIterator[Lab]:
    """The lab over the folder's file."""
    folder.mkdir(exist_ok=True)
    ledger = SqliteLedger(folder / "assay.db")
    try:
        yield Lab(ledger, clock)
    finally:
        await ledger.close()


def run(folder: Path, scenario: Callable[[Lab], Awaitable[None]], clock: Callable[[], int] | None = None) -> None:
    """The scenario in an event loop of its own."""

    async def main() -> None:
        async with opened(folder, clock or Clock()) as lab:
            await scenario(lab)

    asyncio.run(main())
