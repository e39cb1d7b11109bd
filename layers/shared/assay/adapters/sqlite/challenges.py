"""Challenges, contacts and authenticator apps in the embedded installation's file.

Each change looks and writes in one transaction, together with the events about it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.challenges.records import Challenge, ChallengeStatus, Delivery, Enrolment, Method, Sends
from assay.errors import StorageError
from assay.schemas.event import Event

Row = tuple[Any, ...]

PUT_CHALLENGE = "INSERT OR REPLACE INTO challenges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
CHALLENGE_VERSION = "SELECT version FROM challenges WHERE id = ?"
OVERDUE = "SELECT * FROM challenges WHERE status = 'pending' AND expires_at <= ? ORDER BY expires_at LIMIT ?"
STALLED = "SELECT * FROM challenges WHERE status = 'pending' AND delivery = 'waiting' AND claimed_until <= ? LIMIT ?"
PUT_SENDS = "INSERT OR REPLACE INTO code_sends VALUES (?, ?, ?, ?)"
SENDS = "SELECT * FROM code_sends WHERE client_id = ? AND account_id = ?"
SENDS_VERSION = "SELECT version FROM code_sends WHERE client_id = ? AND account_id = ?"
PUT_CONTACT = "INSERT OR REPLACE INTO contacts VALUES (?, ?, ?)"
CONTACT = "SELECT sealed FROM contacts WHERE client_id = ? AND account_id = ?"
REMOVE_CONTACT = "DELETE FROM contacts WHERE client_id = ? AND account_id = ?"
ENROL = """
INSERT INTO totp_enrolments VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_id, account_id) DO UPDATE SET id = excluded.id, sealed = excluded.sealed,
    last_step = excluded.last_step, misses = excluded.misses, version = excluded.version
WHERE NOT confirmed
"""
ENROLMENT = "SELECT * FROM totp_enrolments WHERE client_id = ? AND account_id = ?"
ENROLMENT_VERSION = "SELECT version FROM totp_enrolments WHERE id = ?"
CHANGE_ENROLMENT = "UPDATE totp_enrolments SET last_step = ?, misses = ?, version = ?, confirmed = ? WHERE id = ?"
REMOVE_ENROLMENT = "DELETE FROM totp_enrolments WHERE client_id = ? AND account_id = ?"
COLUMNS = attrgetter(*(field.name for field in fields(Challenge)))
"""The columns are the fields, in their order."""


@dataclass(frozen=True, slots=True)
class _Write:
    """A record to put in the place of its version before."""

    statement: str
    row: Row
    look: str
    key: Row
    before: int

    def is_next(self, connection: sqlite3.Connection) -> bool:
        found = connection.execute(self.look, self.key).fetchone()
        return (0 if found is None else found[0]) == self.before


class SqliteChallengeStore:
    """Challenges, and how often accounts were sent codes."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def get(self, challenge_id: str) -> Challenge | None:
        """The challenge with this id."""
        found = _read(self._ledger, "SELECT * FROM challenges WHERE id = ?", challenge_id)
        return _challenge(found[0]) if found else None

    async def sends(self, client_id: str, account_id: str) -> Sends:
        """The account's; of version 0 when there were none."""
        found = _read(self._ledger, SENDS, client_id, account_id)
        if not found:
            return Sends(client_id, account_id)
        _, _, times, version = found[0]
        return Sends(client_id, account_id, tuple(json.loads(times)), version)

    async def save(
        self,
        challenge: Challenge,
        *,
        sends: Sends | None = None,
        enrolment: Enrolment | None = None,
        events: Sequence[Event] = (),
    ) -> bool:
        """All of it, or False and nothing."""
        writes = [_challenge_write(challenge)]
        if sends is not None:
            writes.append(_sends_write(sends))
        if enrolment is not None:
            writes.append(_enrolment_write(enrolment))

        return await _save(self._ledger, writes, events)

    async def overdue(self, now: int, limit: int) -> list[Challenge]:
        """Pending ones whose time is over, oldest first."""
        return [_challenge(row) for row in _read(self._ledger, OVERDUE, now, limit)]

    async def stalled(self, now: int, limit: int) -> list[Challenge]:
        """Pending ones with a code to be sent that nobody is sending any more."""
        return [_challenge(row) for row in _read(self._ledger, STALLED, now, limit)]


class SqliteFactorStore:
    """Sealed contacts, and authenticator apps."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def contact(self, client_id: str, account_id: str) -> bytes | None:
        """The account's contact, sealed."""
        found = _read(self._ledger, CONTACT, client_id, account_id)
        return found[0][0] if found else None

    async def put_contact(self, client_id: str, account_id: str, sealed: bytes, event: Event) -> None:
        """Keeps it in the place of the one before."""
        row = (client_id, account_id, sealed)
        await self._ledger.commits.commit([(PUT_CONTACT, row), (INSERT_EVENT, (event.to_json(), event.event))])

    async def remove_contact(self, client_id: str, account_id: str, event: Event) -> bool:
        """False when there is none."""
        return await self._write(REMOVE_CONTACT, (client_id, account_id), event)

    async def enrolment(self, client_id: str, account_id: str) -> Enrolment | None:
        """The account's authenticator app, confirmed or not."""
        found = _read(self._ledger, ENROLMENT, client_id, account_id)
        if not found:
            return None
        id_, *_, sealed, last_step, misses, version, confirmed = found[0]
        used = (last_step, tuple(json.loads(misses)), version)
        return Enrolment(id_, client_id, account_id, sealed, *used, is_confirmed=bool(confirmed))

    async def enrol(self, enrolment: Enrolment, event: Event) -> bool:
        """Keeps it, in the place of one that was never confirmed. False when the account has one that was."""
        who = (enrolment.id, enrolment.client_id, enrolment.account_id)
        used = (enrolment.last_step, json.dumps(enrolment.misses), enrolment.version, enrolment.is_confirmed)
        return await self._write(ENROL, (*who, enrolment.sealed, *used), event)

    async def change_enrolment(self, enrolment: Enrolment, events: Sequence[Event]) -> bool:
        """Puts it in the place of its version before. False when that is not there any more."""
        return await _save(self._ledger, [_enrolment_write(enrolment)], events)

    async def remove_enrolment(self, client_id: str, account_id: str, event: Event) -> bool:
        """False when there is none."""
        return await self._write(REMOVE_ENROLMENT, (client_id, account_id), event)

    async def _write(self, statement: str, row: Row, event: Event) -> bool:
        """With the event, if it changes anything; whether it did."""

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(statement, row).rowcount != 1:
                return False
            _announce(connection, event)
            return True

        return await self._ledger.commits.run(work)


async def _save(ledger: SqliteLedger, writes: Sequence[_Write], events: Sequence[Event]) -> bool:
    """All of it, or False and nothing."""

    def work(connection: sqlite3.Connection) -> bool:
        if not all(write.is_next(connection) for write in writes):
            return False
        for write in writes:
            connection.execute(write.statement, write.row)
        for event in events:
            _announce(connection, event)
        return True

    return await ledger.commits.run(work)


def _challenge_write(challenge: Challenge) -> _Write:
    return _Write(PUT_CHALLENGE, COLUMNS(challenge), CHALLENGE_VERSION, (challenge.id,), challenge.version - 1)


def _sends_write(sends: Sends) -> _Write:
    key = (sends.client_id, sends.account_id)
    return _Write(PUT_SENDS, (*key, json.dumps(sends.times), sends.version), SENDS_VERSION, key, sends.version - 1)


def _enrolment_write(enrolment: Enrolment) -> _Write:
    used = (enrolment.last_step, json.dumps(enrolment.misses), enrolment.version, enrolment.is_confirmed)
    row = (*used, enrolment.id)
    return _Write(CHANGE_ENROLMENT, row, ENROLMENT_VERSION, (enrolment.id,), enrolment.version - 1)


def _challenge(row: Row) -> Challenge:
    challenge = Challenge(*row)
    method, status, delivery = Method(challenge.method), ChallengeStatus(challenge.status), Delivery(challenge.delivery)
    return replace(challenge, method=method, status=status, delivery=delivery)


def _announce(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(INSERT_EVENT, (event.to_json(), event.event))


def _read(ledger: SqliteLedger, query: str, *values: object) -> list[Row]:
    try:
        return ledger.reader.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"challenges: {error}") from error
