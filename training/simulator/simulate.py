"""The stream of events, generated day by day: nothing of the days ahead is held but the stories under way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from training.simulator.draft import Draft
from training.simulator.events import Event
from training.simulator.honest import HonestLife
from training.simulator.ledger import Ledger
from training.simulator.shift import NO_SHIFT, Shift
from training.simulator.stories import ALL, Crew, Story
from training.simulator.world import World

START = datetime(2026, 1, 1, tzinfo=UTC)


def simulate(seed: int, customers: int, days: int, start: datetime = START, shift: Shift = NO_SHIFT) -> Iterator[Event]:
    """`days` days of a bank with `customers` customers, as transactions and logins in time order.

    The same arguments give the same events, in any process. About 1.1 transactions per customer and day; memory grows
    with the customers, not with the days. Until `shift` sets in, the events are those without it.
    Raises ValueError for fewer than 50 customers (crowds and their fraud need a crowd), or a start that is not
    midnight UTC.
    """
    if customers < 50:
        raise ValueError("at least 50 customers")
    if start != start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0):
        raise ValueError("the start must be midnight, UTC")
    world = World(seed, customers, start)
    life = HonestLife(world, Random(f"{seed}:honest"))
    underworld = Underworld(world, Random(f"{seed}:fraud"), shift)
    ledger = Ledger(world, ALL, Random(f"{seed}:ledger"))
    for day in range(days):
        day_start = world.start_seconds + 86400 * day
        drafts = [*life.live(day), *underworld.live(day)]
        shift.inflate(drafts, day)
        for draft in drafts:
            draft.time = min(max(draft.time, day_start), day_start + 86399)
        drafts.sort(key=_time)
        for draft in drafts:
            yield ledger.settle(draft)


def _time(draft: Draft) -> int:
    return int(draft.time)


class Underworld:
    """Starts the stories' episodes at their pace and keeps what they have planned for the days ahead."""

    def __init__(self, world: World, rng: Random, shift: Shift = NO_SHIFT) -> None:
        self.world = world
        self.rng = rng
        self.shift = shift
        self.crew = Crew(world, rng)
        self._planned: dict[int, list[Draft]] = defaultdict(list)
        self._due = {story.name: rng.random() for story in ALL}
        # In a small world too, every story is met once within the first month.
        self._latest = {story.name: rng.randint(8, 28) for story in ALL}

    def live(self, day: int) -> list[Draft]:
        """Everything the fraudsters do on this day, unordered."""
        for story in ALL:
            episodes = story.episodes * self.shift.of(story.name, day)
            self._due[story.name] += episodes * len(self.world.customers) / 1000 * self.rng.uniform(0.5, 1.5)
            while self._due[story.name] >= 1 or self._latest.get(story.name) == day:
                self._due[story.name] -= 1
                self._latest.pop(story.name, None)
                self._begin(story, day)
        return self._planned.pop(day, [])

    def _begin(self, story: Story, day: int) -> None:
        self.crew.story = story.name
        start = self.world.start_seconds + 86400 * day + self.rng.uniform(0, 86399)
        for draft in story.play(self.crew, start):
            self._planned[max(day, self.world.day_of(draft.time))].append(draft)
