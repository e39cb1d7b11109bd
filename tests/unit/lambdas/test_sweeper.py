"""The sweeper over an outbox in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import pytest

from assay.errors import SettingsError, StorageError
from functions.outbox_sweeper.bootstrap import Settings
from functions.outbox_sweeper.sweeper import Sweeper, Swept

NOW, SECOND = 1_770_000_000_000_000, 1_000_000


@dataclass
class Event:
    arrival: int
    poison: bool = False


@dataclass
class Memory:
    """An outbox of so many lists."""

    waiting_in: list[list[Event]]
    broken: set[int] = field(default_factory=set)
    delivered: list[Event] = field(default_factory=list)
    under_way: int = 0

    @property
    def shards(self) -> int:
        return len(self.waiting_in)

    async def waiting(self, shard: int, before: int) -> AsyncGenerator[Event, None]:
        self.under_way += 1
        try:
            for event in list(self.waiting_in[shard]):
                if event.arrival < before:
                    yield event
            if shard in self.broken:
                raise StorageError("the next page")
        finally:
            self.under_way -= 1

    async def deliver(self, event: Event) -> None:
        await asyncio.sleep(0)
        if event.poison:
            raise StorageError("poison")
        self.delivered.append(event)
        for shard in self.waiting_in:
            if event in shard:
                shard.remove(event)


def sweep(outbox: Memory, has_time: Callable[[], bool] = lambda: True) -> Swept:
    return asyncio.run(Sweeper(outbox, after_s=60, clock=lambda: NOW).sweep(has_time))


def aged(*seconds: float) -> list[Event]:
    return [Event(int(NOW - age * SECOND)) for age in seconds]


def test_what_is_old_enough_is_swept_and_the_rest_is_left() -> None:
    outbox = Memory([aged(90, 61, 60, 1), [], aged(75.5)])
    assert sweep(outbox) == Swept(swept=3, oldest_s=90.0)
    assert outbox.waiting_in == [aged(60, 1), [], []]
    assert sweep(outbox) == Swept()


def test_poison_and_broken_shards_stop_nobody() -> None:
    outbox = Memory([[Event(NOW - 99 * SECOND, poison=True), *aged(98)], aged(97), aged(96)], broken={1})
    assert sweep(outbox) == Swept(swept=3, failed=1, unreadable=1, oldest_s=99.0)
    assert sweep(outbox) == Swept(failed=1, unreadable=1, oldest_s=99.0)


def test_it_stops_when_there_is_no_time_and_goes_on_the_next_time() -> None:
    outbox = Memory([aged(*range(110, 100, -1)), aged(*range(90, 80, -1)), []])
    left = iter(range(6, -100, -1))
    assert sweep(outbox, lambda: next(left) > 0) == Swept(swept=6, unfinished=2, oldest_s=110.0)
    assert len(outbox.delivered) == 6
    assert outbox.under_way == 0
    assert sweep(outbox).swept == 14


@pytest.mark.parametrize("age", ["0", "-1", "soon", "1.5"])
def test_settings_name_what_is_wrong(age: str) -> None:
    given = {"ASSAY_OUTBOX_TABLE": "outbox", "ASSAY_EVENTS_TOPIC": "arn"}
    assert Settings.from_environment(given).sweep_after_s == 60
    with pytest.raises(SettingsError, match="ASSAY_SWEEP_AFTER_S"):
        Settings.from_environment({**given, "ASSAY_SWEEP_AFTER_S": age})
    with pytest.raises(SettingsError, match="ASSAY_EVENTS_TOPIC"):
        Settings.from_environment({"ASSAY_OUTBOX_TABLE": "outbox"})
