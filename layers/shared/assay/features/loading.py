"""Makes entities out of their stored history when the profile meets them."""

from __future__ import annotations

from assay.features.account import RETENTION, Account
from assay.features.counterparty import RETENTION as COUNTERPARTY_RETENTION
from assay.features.counterparty import Counterparty
from assay.features.devices import ADDRESS_WIDTH, DEVICE_WIDTH, NOT_YET, Device
from assay.features.distinct import DistinctWindow
from assay.features.history import EMPTY, History, Kind
from assay.features.usual import MONTH
from assay.features.windows import LATENESS, NEVER

REACH: dict[Kind, int] = {
    "account": RETENTION,
    "device": DEVICE_WIDTH + LATENESS,
    "address": ADDRESS_WIDTH + LATENESS,
    "counterparty": COUNTERPARTY_RETENTION,
}
"""How far before an event the entities it touches are read; a dormant account further."""


class Loader:
    """Reads what an entity needs for the event at `t` that touches it, and not more than that.

    Where the history knows less than that, what is older is unknown to the entity too, never counted as nothing.
    Of an empty history nothing is missing, so there every entity starts complete.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._empty = history is EMPTY

    def account(self, name: str, t: int) -> Account:
        """Its windows; if it was dormant, so much more that its previous transaction is found."""
        if self._empty:
            return Account(name)
        known = self._history.known_since("account", name)
        for reach in (t - REACH["account"], t - 16 * REACH["account"], NEVER):
            since = max(reach, known)
            rows = list(self._history.account_transactions(name, since))
            previous = max((row[0] for row in rows if row[0] <= t), default=NEVER)
            if previous - MONTH >= since or since == known:
                break
        return Account(name, rows, self._history.logins(name, since), since)

    def device(self, name: str, t: int) -> Device:
        """Its accounts, and when it was first seen."""
        if self._empty:
            return Device()
        since = self._since("device", name, t)
        first = self._history.first_seen(name)
        return Device(self._history.device_accounts(name, since), since, NOT_YET if first is None else first)

    def address(self, name: str, t: int) -> DistinctWindow:
        """Its accounts."""
        if self._empty:
            return DistinctWindow(ADDRESS_WIDTH)
        since = self._since("address", name, t)
        return DistinctWindow(ADDRESS_WIDTH, self._history.address_accounts(name, since), since)

    def counterparty(self, name: str, t: int) -> Counterparty:
        """Its transactions with the labels that are known."""
        if self._empty:
            return Counterparty(name)
        since = self._since("counterparty", name, t)
        return Counterparty(name, self._history.counterparty_transactions(name, since), since)

    def first_use(self, pair: tuple[str, str], _: int) -> int:
        """When (account, device) were first seen together; NOT_YET if never."""
        first = self._history.first_use(*pair)
        return NOT_YET if first is None else first

    def _since(self, kind: Kind, name: str, t: int) -> int:
        return max(t - REACH[kind], self._history.known_since(kind, name))
