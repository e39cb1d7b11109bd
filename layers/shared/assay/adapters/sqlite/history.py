"""What the profile reads when it first meets an account, a device, an address or a counterparty."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from assay.features.history import Kind
from assay.features.windows import NEVER


class SqliteHistory:
    """`assay.features.history.History` over the activity and login tables. Times in microseconds, UTC."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader

    def known_since(self, _kind: Kind, _name: str) -> int:
        """Nothing is ever forgotten."""
        return NEVER

    def account_transactions(
        self, account: str, since: int
    ) -> Iterable[tuple[int, int | None, str | None, str | None]]:
        """(time, amount, counterparty, country) of the account's transactions after `since`, oldest first."""
        return self._rows(
            "SELECT time, amount, counterparty, country FROM activity WHERE account = ? AND time > ? ORDER BY time, id",
            account,
            since,
        )

    def device_accounts(self, device: str, since: int) -> Iterable[tuple[int, str]]:
        """(time, account) of the device's transactions after `since`."""
        return self._rows(
            "SELECT time, account FROM activity WHERE device = ? AND time > ? ORDER BY time", device, since
        )

    def address_accounts(self, address: str, since: int) -> Iterable[tuple[int, str]]:
        """(time, account) of the address's transactions after `since`."""
        return self._rows(
            "SELECT time, account FROM activity WHERE address = ? AND time > ? ORDER BY time", address, since
        )

    def counterparty_transactions(self, counterparty: str, since: int) -> Iterable[tuple[int, bool]]:
        """(time, confirmed fraud) of the counterparty's transactions after `since`."""
        return self._rows(
            "SELECT time, fraud FROM activity WHERE counterparty = ? AND time > ? ORDER BY time", counterparty, since
        )

    def logins(self, account: str, since: int) -> Iterable[tuple[int, bool]]:
        """(time, success) of the account's login attempts after `since`."""
        return self._rows(
            "SELECT time, success FROM logins WHERE account = ? AND time > ? ORDER BY time", account, since
        )

    def first_use(self, account: str, device: str) -> int | None:
        """When the account first used the device; None for never."""
        return self._first("SELECT first_use FROM device_uses WHERE account = ? AND device = ?", account, device)

    def first_seen(self, device: str) -> int | None:
        """When the device was first seen on any account; None for never."""
        return self._first("SELECT min(time) FROM activity WHERE device = ?", device)

    def _rows(self, query: str, key: str, since: int) -> Iterable[tuple]:  # type: ignore[type-arg]
        return self._reader.execute(query, (key, since)).fetchall()

    def _first(self, query: str, *keys: str) -> int | None:
        row = self._reader.execute(query, keys).fetchone()
        return None if row is None else row[0]
