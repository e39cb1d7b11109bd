"""Many units of work, one fsync.

Statements run on the event loop's thread, where nothing competes for the interpreter; a group's COMMIT, which waits for
the disk, runs in a thread. Units that arrive meanwhile share the next one, and the equal statements of a group run
together.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from assay.errors import StorageError

ENOUGH = 4
"""Units that make a commit worth while. Waiting for more leaves the disk idle while they are worked on."""
Unit = Sequence[tuple[str, tuple[object, ...]]]
"""Statements that change rows, with their values. Statements of a group run in order of first appearance."""
Answer = TypeVar("Answer")
Work = Callable[[sqlite3.Connection], Answer]
"""A unit that looks before it changes anything. May be run again: it keeps nothing but what it writes."""
_Waiting = tuple[Unit | Work[Any], asyncio.Future[Any]]


class GroupCommit:
    """The only writer of a database. Belongs to one event loop."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._waiting: list[_Waiting] = []
        self._draining: asyncio.Task[None] | None = None

    async def commit(self, unit: Unit) -> None:
        """Runs the unit's statements and returns once they are durable. Raises `StorageError`; then nothing is kept."""
        await self._done(unit)

    async def run(self, work: Work[Answer]) -> Answer:
        """Does the work in the next transaction, after its statements; the answer once it is durable.

        Raises `StorageError`; then nothing is kept.
        """
        answer: Answer = await self._done(work)
        return answer

    async def close(self) -> None:
        """Waits for what is under way, then closes the connection."""
        if self._draining is not None:
            await self._draining
        self._thread.shutdown()
        self._connection.close()

    async def _done(self, unit: Unit | Work[Any]) -> Any:  # noqa: ANN401 - what the work gives
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((unit, done))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                group, self._waiting = self._waiting, []
                await self._settle(group)
        finally:
            self._draining = None

    async def _gather(self) -> None:
        """Lets the requests that are ready now reach this commit: a commit each would cost more than their work."""
        size = 0
        while size < len(self._waiting) < ENOUGH:
            size = len(self._waiting)
            await asyncio.sleep(0)

    async def _settle(self, group: list[_Waiting]) -> None:
        answers = await self._try(group)
        if isinstance(answers, Exception) and len(group) > 1:
            # One unit's fault must not fail its neighbours: each gets a transaction of its own.
            for single in group:
                await self._settle([single])
            return
        for number, (_, done) in enumerate(group):
            if done.cancelled():
                continue
            if isinstance(answers, Exception):
                done.set_exception(StorageError(f"not committed: {answers}"))
            else:
                done.set_result(answers.get(number))

    async def _try(self, group: list[_Waiting]) -> dict[int, Any] | Exception:
        """What the works among them have answered, by their numbers; or what went wrong."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement, rows in _together(group).items():
                connection.executemany(statement, rows)
            answers = {number: unit(connection) for number, (unit, _) in enumerate(group) if callable(unit)}
            if len(group) == 1:
                # Alone: nobody waits behind it, and two hops between threads cost more than the disk does.
                connection.commit()
            else:
                await asyncio.get_running_loop().run_in_executor(self._thread, connection.commit)
        except Exception as error:
            self._roll_back()
            return error
        return answers

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The transaction is gone either way: it was never committed, and the next BEGIN shows what is wrong.
            return


def _together(group: list[_Waiting]) -> dict[str, list[tuple[object, ...]]]:
    rows: dict[str, list[tuple[object, ...]]] = {}
    for unit, _ in group:
        if callable(unit):
            continue
        for statement, row in unit:
            rows.setdefault(statement, []).append(row)
    return rows
