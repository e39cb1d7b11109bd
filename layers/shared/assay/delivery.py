"""What everything that is delivered has in common: claimed, attempted, settled, until nothing is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def rounds(
    claim: Callable[[], Awaitable[Sequence[Item]]],
    attempt: Callable[[Item], Coroutine[Any, Any, None]],
    may_go_on: Callable[[], bool] = lambda: True,
) -> int:
    """One round after the other while something is claimed; how many attempts that took. Raises what they raise."""
    attempts = 0
    while may_go_on() and (made := await one_round(claim, attempt)):
        attempts += made
    return attempts


async def one_round(
    claim: Callable[[], Awaitable[Sequence[Item]]], attempt: Callable[[Item], Coroutine[Any, Any, None]]
) -> int:
    """Claims what is due and attempts all of it at once; how many it was. `attempt` settles what it was given."""
    claimed = await claim()
    await all_ended(map(attempt, claimed))
    return len(claimed)


async def all_ended(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Lets all of it end, then raises what went wrong: a fault of one must not leave others half done."""
    ends = await asyncio.gather(*work, return_exceptions=True)
    results: list[Result] = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        results.append(end)
    return results
