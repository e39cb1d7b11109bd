"""Makes entities out of their stored history when the profile meets them."""

from __future__ import annotations

from assay.features.account import RETENTION, Account
from assay.features.counterparty import RETENTION as COUNTERPARTY_RETENTION
from assay.features.counterparty import Counterparty
from assay.features.devices import ADDRESS_WIDTH, DEVICE_WIDTH, NOT_YET, Device
from assay.features.distinct import DistinctWindow
from assay.features.history import EMPTY, History
from assay.features.usual import MONTH
from assay.features.windows import LATENESS, NEVER


class Loader:
    """Reads what an entity needs for the event at `t` that touches it, and not more than that.

    Of an empty history nothing is missing, so there every entity starts complete.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._empty = history is EMPTY

    def account(self, name: str, t: int) -> Account:
        """Its windows; if it was dormant, so much more that its previous transaction is found."""
        if self._empty:
            return Account(name)
        for since in (t - RETENTION, t - 16 * RETENTION, NEVER):
            rows = list(self._history.account_transactions(name, since))
            previous = max((row[0] for row in rows if row[0] <= t), default=NEVER)
            if previous - MONTH >= since:
                break
        return Account(name, rows, self._history.logins(name, since), since)

    def device(self, name: str, t: int) -> Device:
        """Its accounts, and when it was first seen."""
        if self._empty:
            return Device()
        since = t - DEVICE_WIDTH - LATENESS
        first = self._history.first_seen(name)
        return Device(self._history.device_accounts(name, since), since, NOT_YET if first is None else first)

    def address(self, name: str, t: int) -> DistinctWindow:
        """Its accounts."""
        if self._empty:
            return DistinctWindow(ADDRESS_WIDTH)
        since = t - ADDRESS_WIDTH - LATENESS
        return DistinctWindow(ADDRESS_WIDTH, self._history.address_accounts(name, since), since)

    def counterparty(self, name: str, t: int) -> Counterparty:
        """Its transactions with the labels that are known."""
        if self._empty:
            return Counterparty(name)
        since = t - COUNTERPARTY_RETENTION
        return Counterparty(name, self._history.counterparty_transactions(name, since), since)

    def first_use(self, pair: tuple[str, str], _: int) -> int:
        """When (account, device) were first seen together; NOT_YET if never."""
        first = self._history.first_use(*pair)
        return NOT_YET if first is None else first
