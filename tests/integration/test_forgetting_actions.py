"""What the embedded installation forgets of actions and orders, and what it keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from assay.accounts.ports import KEPT, Action, Effect
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.moments import now
from local import actions
from local.actions import AT_ONCE, Actions
from local.champion import open_champion
from local.places import Places
from tests.harness.accounts import SECOND, scored


def test_old_ones_are_deleted_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "FORGET_PAUSE_S", 0.0)

    async def main() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        acting = Actions(open_champion(Places(tmp_path)), ledger, str(tmp_path / "cards"))
        old = now() - KEPT - SECOND
        await acting.store.record([Action("shop", f"old-{n}", Effect.NONE, old) for n in range(2 * AT_ONCE + 1)])
        await acting.store.record([Action("shop", "new", Effect.NONE, now())])
        await acting.consumer.handle([scored("t-1", at=now())])
        await acting.forget()
        kept = ledger.reader.execute("SELECT transaction_id FROM actions ORDER BY 1").fetchall()
        assert kept == [("new",), ("t-1",)]
        assert ledger.reader.execute("SELECT count(*) FROM card_orders").fetchone() == (2,)
        await ledger.close()

    asyncio.run(main())


def test_it_is_done_while_the_installation_runs(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        acting = Actions(open_champion(Places(tmp_path)), ledger, str(tmp_path / "cards"))
        await acting.store.record([Action("shop", "old", Effect.NONE, 1)])
        await acting.start()
        async with asyncio.timeout(30):
            while ledger.reader.execute("SELECT count(*) FROM actions").fetchone() != (0,):
                await asyncio.sleep(0)
        await acting.stop()
        await ledger.close()

    asyncio.run(main())
