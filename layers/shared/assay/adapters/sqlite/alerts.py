"""Alerts and their messages in the embedded installation's file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.alerts.records import Alert, Filter, Listed, Message, NewAlert, Position, State, digest_id, plan
from assay.alerts.windows import Window
from assay.errors import StorageError

_ALERT = "a.id, a.route, a.created_at, a.kind, a.client_id, a.transaction_id, a.decision, a.details"
_MESSAGE = (
    "m.id, m.route, m.channel, m.created_at, m.due_at, m.is_digest, m.recipients, m.refused, m.state, m.attempts,"
    " m.error"
)
INSERT_ALERT = "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_MESSAGE = "INSERT OR IGNORE INTO alert_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_CARRIER = "INSERT INTO alert_carriers VALUES (?, ?)"
PUT_WINDOW = "INSERT OR REPLACE INTO alert_windows VALUES (?, ?, ?, ?, ?)"
WINDOW = "SELECT starts, ends, mails, digested FROM alert_windows WHERE route = ?"
ATTEMPTS = "SELECT attempts FROM alert_messages WHERE id = ?"
KNOWN = "SELECT 1 FROM alerts WHERE id = ?"
DUE = (
    f"SELECT {_MESSAGE} FROM alert_messages m WHERE m.channel = ? AND m.state = 'pending' AND m.due_at <= ?"  # noqa: S608
    " ORDER BY m.due_at LIMIT ?"
)
CLAIM = "UPDATE alert_messages SET due_at = ?, attempts = attempts + 1 WHERE id = ?"
SETTLE = (
    "UPDATE alert_messages SET due_at = ?, recipients = ?, refused = ?, state = ?, error = ?"
    " WHERE id = ? AND attempts = ? AND state = 'pending'"
)
CARRIED = f"SELECT {_ALERT} FROM alert_carriers c JOIN alerts a ON a.id = c.alert_id WHERE c.message_id = ?"  # noqa: S608
COUNT = "SELECT count(*) FROM alert_carriers WHERE message_id = ?"
CARRIERS = (
    f"SELECT {_MESSAGE} FROM alert_carriers c JOIN alert_messages m ON m.id = c.message_id"  # noqa: S608
    " WHERE c.alert_id = ? ORDER BY m.channel"
)
REDRIVE = (
    "UPDATE alert_messages SET state = 'pending', due_at = ?, attempts = 0, recipients = refused, refused = '[]'"
    " WHERE state = 'dead'"
)
IN_STATE = (
    "EXISTS (SELECT 1 FROM alert_carriers c JOIN alert_messages m ON m.id = c.message_id"
    " WHERE c.alert_id = a.id AND m.state = ?)"
)


class SqliteAlertStore:
    """Only this process records and claims: the data folder is locked. One of them at a time, so that a digest is
    claimed with all that joined it.
    """

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self._turn = asyncio.Lock()

    async def record(self, alerts: Sequence[NewAlert]) -> int:
        """Keeps the new ones, all of them or none; how many."""
        once = {new.alert.id: new for new in reversed(alerts)}
        async with self._turn:
            fresh = [new for new in reversed(once.values()) if not self._rows(KNOWN, new.alert.id)]
            if fresh:
                await self._ledger.commits.commit(self._statements(fresh))
        return len(fresh)

    async def claim(self, channel: str, now: int, until: int, limit: int) -> list[Message]:
        """Due messages of the channel, oldest first."""
        async with self._turn:
            due = [_message(row) for row in self._rows(DUE, channel, now, limit)]
            if due:
                await self._ledger.commits.commit([(CLAIM, (until, message.id)) for message in due])
        return [replace(message, due_at=until, attempts=message.attempts + 1) for message in due]

    async def carried(self, message: Message, limit: int) -> tuple[list[Alert], int]:
        """The oldest alerts that the message is about, and how many there are in all."""
        rows = self._rows(f"{CARRIED} ORDER BY a.created_at, a.id LIMIT ?", message.id, limit)
        return [Alert(*row) for row in rows], self._rows(COUNT, message.id)[0][0]

    async def settle(self, message: Message) -> None:
        """Keeps what became of a claimed message, unless it was claimed again meanwhile."""
        after = (message.due_at, json.dumps(message.recipients), json.dumps(message.refused))
        row = (*after, message.state, message.error, message.id, message.attempts)
        await self._ledger.commits.commit([(SETTLE, row)])

    async def page(self, wanted: Filter, after: Position | None, limit: int) -> list[Listed]:
        """The alerts after the position, newest first."""
        clauses, values = _where(wanted, after)
        query = f"SELECT {_ALERT} FROM alerts a WHERE {clauses} ORDER BY a.created_at DESC, a.id DESC LIMIT ?"  # noqa: S608
        return [self._listed(Alert(*row)) for row in self._rows(query, *values, limit)]

    async def redrive(self, now: int) -> int:
        """Makes dead messages pending and due; how many."""
        count: int = self._rows("SELECT count(*) FROM alert_messages WHERE state = 'dead'")[0][0]
        await self._ledger.commits.commit([(REDRIVE, (now,))])
        return count

    def _listed(self, alert: Alert) -> Listed:
        return Listed(alert, tuple(_message(row) for row in self._rows(CARRIERS, alert.id)))

    def _statements(self, alerts: Sequence[NewAlert]) -> list[tuple[str, tuple[object, ...]]]:
        unit: list[tuple[str, tuple[object, ...]]] = []
        messages: dict[str, Message] = {}
        windows: dict[str, Window | None] = {}
        for new in alerts:
            alert, route = new.alert, new.alert.route
            is_stored = route not in windows
            window = self._window(route) if is_stored else windows[route]
            is_claimed = is_stored and window is not None and self._is_claimed(route, window)
            planned = plan(new, window, is_claimed=is_claimed)
            messages |= {message.id: message for message in planned.messages}
            unit.append((INSERT_ALERT, _alert_row(alert)))
            unit += [(INSERT_CARRIER, (alert.id, message.id)) for message in planned.messages]
            windows[route] = planned.window or window
        unit += [(INSERT_MESSAGE, _message_row(message)) for message in messages.values()]
        for route, window in windows.items():
            if window is not None:
                unit.append((PUT_WINDOW, (route, window.start, window.end, window.mails, window.digested)))
        return unit

    def _window(self, route: str) -> Window | None:
        rows = self._rows(WINDOW, route)
        return Window(*rows[0]) if rows else None

    def _is_claimed(self, route: str, window: Window) -> bool:
        rows = self._rows(ATTEMPTS, digest_id(route, window)) if window.digested else []
        return bool(rows) and rows[0][0] > 0

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._ledger.reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"alerts: {error}") from error


def _where(wanted: Filter, after: Position | None) -> tuple[str, list[object]]:
    """Conditions and their values; the conditions are our own words."""
    conditions: dict[str, tuple[object, ...]] = {}
    if wanted.client_id is not None:
        conditions["a.client_id = ? AND a.transaction_id IS NOT NULL"] = (wanted.client_id,)
    if wanted.route is not None:
        conditions["a.route = ?"] = (wanted.route,)
    if wanted.state is not None:
        conditions[IN_STATE] = (wanted.state,)
    if after is not None:
        conditions["(a.created_at, a.id) < (?, ?)"] = (after.created_at, after.alert_id)
    return " AND ".join(conditions) or "1", [value for values in conditions.values() for value in values]


def _alert_row(alert: Alert) -> tuple[object, ...]:
    about = (alert.kind, alert.client_id, alert.transaction_id, alert.decision)
    return (alert.id, alert.route, alert.created_at, *about, alert.details)


def _message_row(message: Message) -> tuple[object, ...]:
    to = (json.dumps(message.recipients), json.dumps(message.refused))
    when = (message.created_at, message.due_at)
    state = (message.state, message.attempts, message.error)
    return (message.id, message.route, message.channel, *when, message.is_digest, *to, *state)


def _message(row: tuple[Any, ...]) -> Message:
    id_, route, channel, created_at, due_at, is_digest, recipients, refused, state, attempts, error = row
    to = (tuple(json.loads(recipients)), tuple(json.loads(refused)))
    return Message(id_, route, channel, created_at, due_at, bool(is_digest), *to, State(state), attempts, error)
