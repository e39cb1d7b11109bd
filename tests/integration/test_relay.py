import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.errors import PoisonEvent, StorageError
from assay.ports import OutboxEvent
from functions.post_auth_intelligence.recorder import ScoredEventRecorder
from local import relay as relay_module
from local.relay import Relay


class Collector:
    """A consumer that keeps what it gets, fails on poison, and fails a few times on what is flaky."""

    name = "collector"

    def __init__(
        self, poison: frozenset[bytes] = frozenset(), failures: int = 0, kinds: frozenset[str] | None = None
    ) -> None:
        self.kinds = kinds
        self.got: list[bytes] = []
        self.poison = poison
        self.failures = failures

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        bodies = [event.body for event in events]
        if self.poison.intersection(bodies):
            raise PoisonEvent("poison")
        if self.failures:
            self.failures -= 1
            raise ConnectionError("flaky")
        self.got.extend(bodies)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "BACKOFF_S", 0.0)


def emit(*bodies: bytes):
    return [("INSERT INTO outbox (body) VALUES (?)", (body,)) for body in bodies]


def run(tmp_path: Path, consumer: object, *bodies: bytes) -> list[tuple[object, ...]]:
    async def main() -> list[tuple[object, ...]]:
        tmp_path.mkdir(exist_ok=True)
        ledger = SqliteLedger(tmp_path / "assay.db")
        outbox = SqliteOutbox(ledger, [consumer.name])  # type: ignore[attr-defined]
        await outbox.open()
        await ledger.commits.commit(emit(*bodies))
        await Relay(outbox, [consumer]).drain()  # type: ignore[list-item]
        assert await outbox.depth() == 0
        dead = ledger.reader.execute("SELECT sequence, body, reason FROM dead_letters").fetchall()
        await ledger.close()
        return dead

    return asyncio.run(main())


def test_events_arrive_in_order(tmp_path: Path) -> None:
    consumer = Collector()
    bodies = [str(n).encode() for n in range(1_000)]
    assert run(tmp_path, consumer, *bodies) == []
    assert consumer.got == bodies


def test_a_consumer_gets_the_kinds_it_wants_and_passes_over_the_rest(tmp_path: Path) -> None:
    consumer = Collector(kinds=frozenset({"user.logged_in"}))
    assert run(tmp_path, consumer, b"scored") == []
    assert consumer.got == []
    everything = Collector(kinds=frozenset({"transaction.scored"}))
    assert run(tmp_path / "b", everything, b"scored") == []
    assert everything.got == [b"scored"]


def test_a_poison_event_is_buried_and_its_neighbours_arrive(tmp_path: Path) -> None:
    consumer = Collector(poison=frozenset({b"5"}))
    dead = run(tmp_path, consumer, *(str(n).encode() for n in range(10)))
    assert dead == [(6, b"5", "PoisonEvent: poison")]
    assert consumer.got == [str(n).encode() for n in range(10) if n != 5]


def test_a_flaky_consumer_is_tried_again(tmp_path: Path) -> None:
    consumer = Collector(failures=4)
    assert run(tmp_path, consumer, b"1", b"2") == []
    assert consumer.got == [b"1", b"2"]


def test_a_store_that_is_down_buries_nothing(tmp_path: Path) -> None:
    class Down(Collector):
        async def handle(self, events: Sequence[OutboxEvent]) -> None:
            raise StorageError("disk")

    with pytest.raises(StorageError):
        run(tmp_path, Down(), b"1")


def test_what_is_no_scored_event_is_poison(tmp_path: Path) -> None:
    async def main() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        recorder = ScoredEventRecorder(SqliteScoredEventStore(ledger))
        for body in (b"", b"{}", b"[]", b"\xff", b'{"event": "transaction.scored", "version": 2}'):
            with pytest.raises(PoisonEvent):
                await recorder.handle([OutboxEvent(1, body)])
        assert await SqliteScoredEventStore(ledger).count() == 0
        await ledger.close()

    asyncio.run(main())
