"""Users, sessions, service clients and attempts in the embedded installation's file.

Each change looks and writes in one transaction, together with the event about it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, TypeVar

from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.errors import StorageError
from assay.features.windows import SECOND
from assay.identity.ports import LastAdmin
from assay.identity.records import ServiceClient, Session, Status, User
from assay.identity.scopes import Role
from assay.moments import now
from assay.schemas.event import Event

Row = tuple[Any, ...]
Found = TypeVar("Found")

INSERT_USER = "INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
UPDATE_USER = (
    "UPDATE users SET email = ?, name = ?, password_hash = ?, role = ?, status = ?, version = ?"
    " WHERE id = ? AND version = ?"
)
OTHER_ADMIN = "SELECT 1 FROM users WHERE role = 'admin' AND status = 'active' AND id <> ? LIMIT 1"
IS_ADMIN = "SELECT 1 FROM users WHERE role = 'admin' AND status = 'active' AND id = ?"
INSERT_SESSION = (
    "INSERT INTO sessions SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM users WHERE id = ? AND version = ?)"
)
ROTATE = "UPDATE sessions SET refresh_hash = ?, expires_at = ? WHERE id = ? AND refresh_hash = ?"
END_SESSION = "DELETE FROM sessions WHERE id = ?"
FORGET_SESSIONS = "DELETE FROM sessions WHERE expires_at <= ?"
INSERT_CLIENT = "INSERT OR IGNORE INTO service_clients VALUES (?, ?, ?, ?, ?, ?, ?)"
UPDATE_CLIENT = (
    "UPDATE service_clients SET secret_hash = ?, scopes = ?, status = ?, session = ?, version = ?"
    " WHERE id = ? AND version = ?"
)
COUNT = (
    "INSERT INTO attempts VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET count = count + 1, until = excluded.until"
    " RETURNING count"
)
TAKE_BACK = "UPDATE attempts SET count = count - 1 WHERE key = ? AND count > 0"
REMEMBER = "INSERT INTO attempts VALUES (?, 0, ?) ON CONFLICT DO UPDATE SET until = excluded.until"
FORGET_ATTEMPTS = "DELETE FROM attempts WHERE until <= ?"


class SqliteUserStore:
    """Users, an address each."""

    def __init__(self, ledger: SqliteLedger, revocations: SqliteRevocations) -> None:
        self._ledger = ledger
        self._revocations = revocations

    async def add(self, user: User, event: Event) -> bool:
        """False when the e-mail address is taken."""
        return await self._ledger.commits.run(
            lambda connection: _write(connection, INSERT_USER, astuple(user)) and _announce(connection, event)
        )

    async def get(self, user_id: str) -> User | None:
        """The user with this id."""
        return _first(self._users("WHERE id = ?", user_id))

    async def by_email(self, email: str) -> User | None:
        """The user with this normalised address."""
        return _first(self._users("WHERE email = ?", email))

    async def page(self, after: str, limit: int) -> list[User]:
        """Users by id, those after the given one."""
        return self._users("WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    async def change(self, user: User, event: Event, ended: Sequence[str] = ()) -> bool:
        """Puts the user in the place of its version before, ends these sessions and revokes their tokens.

        False when the user was changed meanwhile. Raises `LastAdmin`.
        """

        def work(connection: sqlite3.Connection) -> bool | None:
            if not _is_admin(user) and _is_last_admin(connection, user.id):
                return None
            facts = (user.email, user.name, user.password_hash, user.role, user.status, user.version)
            if not _write(connection, UPDATE_USER, (*facts, user.id, user.version - 1)):
                return False
            connection.executemany(END_SESSION, [(session,) for session in ended])
            self._revocations.write(connection, ended)
            return _announce(connection, event)

        changed = await self._ledger.commits.run(work)
        if changed is None:
            raise LastAdmin(user.id)
        if changed:
            self._revocations.committed(ended)
        return changed

    def _users(self, clause: str, *values: object) -> list[User]:
        rows = _read(self._ledger, f"SELECT * FROM users {clause}", values)  # noqa: S608 - our own clauses
        return [
            User(id_, email, name, password_hash, Role(role), Status(status), created_at, version)
            for id_, email, name, password_hash, role, status, created_at, version in rows
        ]


class SqliteSessionStore:
    """Sessions of users, deleted when they end."""

    def __init__(self, ledger: SqliteLedger, revocations: SqliteRevocations) -> None:
        self._ledger = ledger
        self._revocations = revocations

    async def add(self, session: Session, user_version: int, event: Event) -> bool:
        """Keeps a new session. False when its user is no longer of this version."""

        def work(connection: sqlite3.Connection) -> bool:
            connection.execute(FORGET_SESSIONS, (now(),))
            row = (*astuple(session), session.user_id, user_version)
            return _write(connection, INSERT_SESSION, row) and _announce(connection, event)

        return await self._ledger.commits.run(work)

    async def get(self, session_id: str) -> Session | None:
        """The session, unless it was ended or has expired."""
        return _first(self._sessions("id = ?", session_id))

    async def of_user(self, user_id: str) -> list[Session]:
        """All of the user's that are neither ended nor expired."""
        return self._sessions("user_id = ?", user_id)

    async def rotate(self, session: Session, refresh_hash: bytes, expires_at: int) -> bool:
        """Puts the new hash in the place of `session.refresh_hash`. False when that is not there any more."""
        row = (refresh_hash, expires_at, session.id, session.refresh_hash)
        return await self._ledger.commits.run(lambda connection: _write(connection, ROTATE, row))

    async def end(self, session_id: str, event: Event) -> bool:
        """Ends the session and revokes its tokens. False when it was ended before; then nothing is kept."""

        def work(connection: sqlite3.Connection) -> bool:
            if not _write(connection, END_SESSION, (session_id,)):
                return False
            self._revocations.write(connection, [session_id])
            return _announce(connection, event)

        ended = await self._ledger.commits.run(work)
        if ended:
            self._revocations.committed([session_id])
        return ended

    def _sessions(self, condition: str, value: str) -> list[Session]:
        query = f"SELECT * FROM sessions WHERE {condition} AND expires_at > ?"  # noqa: S608 - our own conditions
        return [Session(*row) for row in _read(self._ledger, query, (value, now()))]


class SqliteServiceClientStore:
    """Service clients; scopes as a JSON list."""

    def __init__(self, ledger: SqliteLedger, revocations: SqliteRevocations) -> None:
        self._ledger = ledger
        self._revocations = revocations

    async def add(self, client: ServiceClient, event: Event) -> bool:
        """False when the id is taken."""
        scopes = json.dumps(client.scopes)
        row = (client.id, client.secret_hash, scopes, client.status, client.session, client.created_at, client.version)
        return await self._ledger.commits.run(
            lambda connection: _write(connection, INSERT_CLIENT, row) and _announce(connection, event)
        )

    async def get(self, client_id: str) -> ServiceClient | None:
        """The client with this id."""
        return _first(self._clients("WHERE id = ?", client_id))

    async def page(self, after: str, limit: int) -> list[ServiceClient]:
        """Clients by id, those after the given one."""
        return self._clients("WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    async def change(self, client: ServiceClient, event: Event, ended: Sequence[str] = ()) -> bool:
        """Puts the client in the place of its version before and revokes tokens of these sessions.

        False when the client was changed meanwhile.
        """
        facts = (client.secret_hash, json.dumps(client.scopes), client.status, client.session, client.version)

        def work(connection: sqlite3.Connection) -> bool:
            if not _write(connection, UPDATE_CLIENT, (*facts, client.id, client.version - 1)):
                return False
            self._revocations.write(connection, ended)
            return _announce(connection, event)

        changed = await self._ledger.commits.run(work)
        if changed:
            self._revocations.committed(ended)
        return changed

    def _clients(self, clause: str, *values: object) -> list[ServiceClient]:
        rows = _read(self._ledger, f"SELECT * FROM service_clients {clause}", values)  # noqa: S608 - our own clauses
        return [
            ServiceClient(id_, secret_hash, tuple(json.loads(scopes)), Status(status), session, created_at, version)
            for id_, secret_hash, scopes, status, session, created_at, version in rows
        ]


class SqliteAttemptStore:
    """Counters of one window each. What is over is deleted as others are counted."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def count(self, key: str, window_s: int) -> int:
        """Counts one more, at once and atomically; how many there are in the window that is under way."""
        row = _window(key, window_s)

        def work(connection: sqlite3.Connection) -> int:
            connection.execute(FORGET_ATTEMPTS, (now(),))
            return int(connection.execute(COUNT, row).fetchall()[0][0])

        return await self._ledger.commits.run(work)

    async def take_back(self, key: str, window_s: int) -> None:
        """Undoes one `count`: it was no failure."""
        counter, _ = _window(key, window_s)
        await self._ledger.commits.commit([(TAKE_BACK, (counter,))])

    async def remember(self, key: str, for_s: int) -> None:
        """Remembers the key for so long from now."""
        await self._ledger.commits.commit([(REMEMBER, (f"known {key}", now() + for_s * SECOND))])

    async def remembers(self, key: str) -> bool:
        """Whether it does still."""
        return bool(_read(self._ledger, "SELECT 1 FROM attempts WHERE key = ? AND until > ?", (f"known {key}", now())))


def _window(key: str, window_s: int) -> tuple[str, int]:
    """The window's counter, and when the window ends."""
    number = now() // (window_s * SECOND)
    return f"{number}/{window_s} {key}", (number + 1) * window_s * SECOND


def _is_admin(user: User) -> bool:
    return (user.role, user.status) == (Role.ADMIN, Status.ACTIVE)


def _is_last_admin(connection: sqlite3.Connection, user_id: str) -> bool:
    is_admin, other = (connection.execute(query, (user_id,)).fetchone() for query in (IS_ADMIN, OTHER_ADMIN))
    return is_admin is not None and other is None


def _write(connection: sqlite3.Connection, statement: str, row: Row) -> bool:
    """Whether it changed anything."""
    return connection.execute(statement, row).rowcount == 1


def _announce(connection: sqlite3.Connection, event: Event) -> bool:
    return _write(connection, INSERT_EVENT, (event.to_json(), event.event))


def _read(ledger: SqliteLedger, query: str, values: Row) -> list[Row]:
    try:
        return ledger.reader.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"identity: {error}") from error


def _first(found: list[Found]) -> Found | None:
    return found[0] if found else None
