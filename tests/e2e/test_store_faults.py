"""The store or the profile fails: 503 and nothing counted, or a careful verdict; whole again without a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay.adapters.sqlite.group_commit import GroupCommit
from assay.adapters.sqlite.ledger import SqliteProfileStore
from assay.errors import StorageError
from tests.harness import problems
from tests.harness.faults import Laboratory, payment, run


def test_a_store_that_cannot_commit_says_so_and_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise StorageError("not committed: database or disk is full")

    async def scenario(lab: Laboratory) -> None:
        await lab.score(account_id="full")
        login = {"event_id": "l-1", "account_id": "full", "outcome": "failure"}
        body = payment(account_id="full")
        with monkeypatch.context() as broken:
            broken.setattr(GroupCommit, "commit", full)
            for _ in range(3):
                answers = [
                    await lab.post(body),
                    await lab.client.post("/events/logins", json=login),
                    await lab.client.get("/ready"),
                ]
                for answer in answers:
                    wrong = problems.faults(answer.status_code, answer.headers, answer.content, statuses=[503])
                    assert not wrong
                    assert answer.headers["retry-after"] == "1"
            assert (await lab.client.get("/health")).status_code == 200
        assert lab.rows("decisions") == 1
        assert lab.rows("logins") == 0
        assert (await lab.client.get("/ready")).status_code == 200
        assert (await lab.post(body)).json()["degraded"] == []
        assert (await lab.client.post("/events/logins", json=login)).json() == {"recorded": True}
        features = await lab.counted("full", 3)
        assert features["failed_login_count_last_1h"] == 1.0

    run(tmp_path, scenario)


def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    async def scenario(lab: Laboratory) -> None:
        body = payment()
        first = await lab.post(body)
        ledger, path = lab.embedded.ledger, f"/decisions/{body['transaction_id']}"
        reader, ledger.reader = ledger.reader, _closed(ledger.reader)
        for answer in (await lab.post(body), await lab.post(payment()), await lab.client.get(path)):
            assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[503])
        ledger.reader = reader
        assert (await lab.post(body)).content == first.content == (await lab.client.get(path)).content

    run(tmp_path, scenario)


def test_without_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_: object) -> Any:
        raise StorageError("profile: disk I/O error")

    async def scenario(lab: Laboratory) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(SqliteProfileStore, "observe", unreadable)
            verdict = await lab.score(31.0, account_id="unknown")
            assert (verdict["decision"], verdict["degraded"]) == ("CHALLENGE", ["profile"])
            assert verdict["rules_not_evaluated"]
        assert (await lab.score())["degraded"] == []

    run(tmp_path, scenario)


def _closed(connection: Any) -> Any:
    other = type(connection)(":memory:")
    other.close()
    return other
