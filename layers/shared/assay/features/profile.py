"""The behaviour of every account, device, address and counterparty, kept up to date event by event.

The same code serves and trains. Not safe for threads: one caller at a time.
"""

from __future__ import annotations

from assay.features.account import Account
from assay.features.cache import Generations
from assay.features.catalog import NAMES
from assay.features.counterparty import UNKNOWN, Counterparty
from assay.features.devices import NOT_YET, Device
from assay.features.direct import Features, Row, circumstances, unknown_features
from assay.features.distinct import DistinctWindow
from assay.features.history import EMPTY, History
from assay.features.loading import Loader
from assay.features.transaction import MONEY_SCALE, Login, Transaction

__all__ = ["Profile", "unknown_features"]


class Profile:
    """Answers every feature of a transaction and counts it, at a cost that does not depend on what came before."""

    def __init__(self, history: History = EMPTY, capacity: int | None = None) -> None:
        """`capacity` bounds how many of each kind (accounts, devices, addresses, counterparties, pairs of account and
        device) stay in memory; others are loaded from `history` again. It must be well above twice the number of
        transactions that are observed but not yet committed, for those are in memory only. None: all stay.
        """
        load = Loader(history)
        self._accounts: Generations[str, Account] = Generations(load.account, capacity)
        self._devices: Generations[str, Device] = Generations(load.device, capacity)
        self._addresses: Generations[str, DistinctWindow] = Generations(load.address, capacity)
        self._counterparties: Generations[str, Counterparty] = Generations(load.counterparty, capacity)
        self._uses: Generations[tuple[str, str], int] = Generations(load.first_use, capacity)

    def observe(self, tx: Transaction) -> Features:
        """Count the transaction; all features of the catalogue, in its order, at the transaction's own time.

        What the history raises passes through; then, as without an account, nothing was counted.
        """
        return dict(zip(NAMES, self.row(tx), strict=True))

    def row(self, tx: Transaction) -> Row:
        """As `observe`, without the names: in the order of the catalogue. For whoever replays millions."""
        if tx.account is None:
            return tuple(unknown_features(tx).values())
        # Loading may fail: nothing is counted before everything is loaded.
        account, device, used, address, other = self._touch(tx, tx.account)
        t, amount, name = tx.time, tx.amount, account.name
        spent, kept, logins = account.add(t, amount, None if other is None else other.name, tx.country)
        return (
            *spent[:3],
            None if amount is None else amount / MONEY_SCALE,
            *spent[3:5],
            *((None, None) if device is None else self._use(device, used, tx)),
            *(kept[0], None if device is None else device.add(t, name)),
            *(None if address is None else address.add(t, name), *logins),
            *(tx.channel, tx.auth_method, tx.country, tx.currency),
            *(UNKNOWN if other is None else other.add(t)),
            *spent[5:],
            *kept[1:],
            *circumstances(tx),
        )

    def _touch(
        self, tx: Transaction, account: str
    ) -> tuple[Account, Device | None, int, DistinctWindow | None, Counterparty | None]:
        """The entities of the transaction, and when its account first used its device."""
        t = tx.time
        return (
            self._accounts.get(account, t),
            None if tx.device is None else self._devices.get(tx.device, t),
            NOT_YET if tx.device is None else self._uses.get((account, tx.device), t),
            None if tx.address is None else self._addresses.get(tx.address, t),
            None if tx.counterparty is None else self._counterparties.get(tx.counterparty, t),
        )

    def _use(self, device: Device, used: int, tx: Transaction) -> tuple[float, float]:
        """(new_device_flag, device_seen_before), where the account is known to have used the device first at `used`."""
        new = used > tx.time
        if new:
            account = tx.account or ""
            device.lower(account, used)
            self._uses.put((account, tx.device or ""), tx.time)
        return float(new), float(device.sight(tx.time))

    def retract(self, tx: Transaction) -> None:
        """Undo `observe`: the commit failed. Afterwards all is as if the transaction had never been."""
        if tx.account is None:
            return
        t = tx.time
        # What is no longer in memory comes back from the history, where the transaction is not.
        if (account := self._accounts.peek(tx.account)) is not None:
            account.remove(t, tx.amount, tx.counterparty, tx.country)
        if tx.address is not None and (address := self._addresses.peek(tx.address)) is not None:
            address.remove(t, tx.account)
        if tx.counterparty is not None and (other := self._counterparties.peek(tx.counterparty)) is not None:
            other.remove(t)
        if tx.device is not None:
            self._retract_device(t, tx.account, tx.device)

    def _retract_device(self, t: int, account: str, name: str) -> None:
        device, pair, first = self._devices.peek(name), (account, name), NOT_YET
        if device is not None:
            device.remove(t, account)
            device.unsee(t)
            first = device.first_without(account, t)
        if self._uses.peek(pair) == t:
            if first == NOT_YET:
                self._uses.forget(pair)
            else:
                self._uses.put(pair, first)

    def record_login(self, login: Login) -> None:
        """Count a login attempt."""
        self._accounts.get(login.account, login.time).add_login(login.time, login.success)

    def retract_login(self, login: Login) -> None:
        """Undo `record_login`."""
        if (account := self._accounts.peek(login.account)) is not None:
            account.remove_login(login.time, login.success)

    def confirm_fraud(self, tx: Transaction) -> None:
        """`label`, for a transaction that turned out to be fraud."""
        self.label(tx.counterparty, tx.time, is_fraud=True)

    def label(self, counterparty: str | None, time: int, *, is_fraud: bool) -> None:
        """The label of a transaction arrived or changed: its counterparty's fraud share follows from now on.

        A counterparty that is not in memory needs nothing: it will be loaded with the label, so the label must be in
        the history before (or in the same step as) this is called. Saying the same again changes nothing.
        """
        other = None if counterparty is None else self._counterparties.peek(counterparty)
        if other is not None:
            (other.confirm if is_fraud else other.clear)(time)
