import asyncio
import sqlite3
from pathlib import Path

import pytest

from assay.adapters.sqlite.group_commit import GroupCommit
from assay.errors import StorageError


class CountingConnection(sqlite3.Connection):
    commits = 0

    def commit(self) -> None:
        type(self).commits += 1
        super().commit()


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    CountingConnection.commits = 0
    connection = sqlite3.connect(
        tmp_path / "t.db", isolation_level=None, check_same_thread=False, factory=CountingConnection
    )
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
    return connection


def insert(value: int):
    return [("INSERT INTO t VALUES (?)", (value,))]


def rows(path: Path) -> list[int]:
    with sqlite3.connect(path / "t.db") as reader:
        return [row[0] for row in reader.execute("SELECT a FROM t ORDER BY a")]


def test_concurrent_units_share_commits(connection: sqlite3.Connection, tmp_path: Path) -> None:
    async def scenario() -> None:
        commits = GroupCommit(connection)
        await asyncio.gather(*(commits.commit(insert(n)) for n in range(500)))
        await commits.close()

    asyncio.run(scenario())
    assert rows(tmp_path) == list(range(500))
    assert CountingConnection.commits < 20


def test_one_units_fault_fails_nobody_else(connection: sqlite3.Connection, tmp_path: Path) -> None:
    async def scenario() -> list[BaseException | None]:
        commits = GroupCommit(connection)
        units = [insert(1), insert(2), insert(1), insert(3)]
        outcomes = await asyncio.gather(*(commits.commit(unit) for unit in units), return_exceptions=True)
        await commits.close()
        return outcomes

    outcomes = asyncio.run(scenario())
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), StorageError, type(None)]
    assert rows(tmp_path) == [1, 2, 3]


def test_a_failed_commit_keeps_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    class FailingOnce(sqlite3.Connection):
        failures = 1

        def commit(self) -> None:
            if type(self).failures:
                type(self).failures -= 1
                raise sqlite3.OperationalError("disk I/O error")
            super().commit()

    connection = sqlite3.connect(tmp_path / "t.db", isolation_level=None, check_same_thread=False, factory=FailingOnce)
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")

    async def scenario() -> None:
        commits = GroupCommit(connection)
        with pytest.raises(StorageError, match="disk I/O error"):
            await commits.commit(insert(1))
        await commits.commit(insert(2))
        await commits.close()

    asyncio.run(scenario())
    assert rows(tmp_path) == [2]


def test_what_is_returned_from_is_durable(connection: sqlite3.Connection, tmp_path: Path) -> None:
    async def scenario() -> None:
        commits = GroupCommit(connection)
        for n in range(20):
            await commits.commit(insert(n))
            assert rows(tmp_path)[-1] == n
        await commits.close()

    asyncio.run(scenario())


def test_work_looks_at_what_went_before_and_its_answer_is_durable(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    async def scenario() -> list[int | None]:
        commits = GroupCommit(connection)

        def one_more(connection: sqlite3.Connection) -> int:
            (highest,) = connection.execute("SELECT coalesce(max(a), 0) FROM t").fetchone()
            connection.execute("INSERT INTO t VALUES (?)", (highest + 1,))
            return int(highest) + 1

        answers = await asyncio.gather(*(commits.run(one_more) for _ in range(50)), commits.commit(insert(100)))
        assert rows(tmp_path)[-1] == max(answer for answer in answers if answer)
        await commits.close()
        return answers

    assert asyncio.run(scenario()) == [*range(101, 151), None]
    assert CountingConnection.commits < 10


def test_works_fault_fails_nobody_else(connection: sqlite3.Connection, tmp_path: Path) -> None:
    def fault(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (7)")
        raise ValueError("no")

    async def scenario() -> list[BaseException | None]:
        commits = GroupCommit(connection)
        works = (commits.commit(insert(1)), commits.run(fault), commits.run(lambda _: None), commits.commit(insert(2)))
        outcomes = await asyncio.gather(*works, return_exceptions=True)
        await commits.close()
        return outcomes

    outcomes = asyncio.run(scenario())
    assert [type(outcome) for outcome in outcomes] == [type(None), StorageError, type(None), type(None)]
    assert rows(tmp_path) == [1, 2]
