"""Where an entity's earlier events come from when the profile meets it for the first time (or again)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from assay.features.windows import NEVER

Kind = Literal["account", "device", "address", "counterparty"]


class History(Protocol):
    """The stored events: everything that was committed, and nothing that was not.

    Every method answers for one entity, in any order; `since` is a time in microseconds since the epoch, and all
    events *later* than it must be given (an earlier one does no harm). Errors pass through `Profile.observe`, which
    has then counted nothing.
    """

    def known_since(self, kind: Kind, name: str) -> int:
        """What happened to this entity up to then is not known any more; NEVER where everything is.

        An account's logins are known as far back as its transactions; first uses and sights always are.
        """
        ...

    def account_transactions(
        self, account: str, since: int
    ) -> Iterable[tuple[int, int | None, str | None, str | None]]:
        """(time, amount, counterparty, country) of the account's transactions."""
        ...

    def device_accounts(self, device: str, since: int) -> Iterable[tuple[int, str]]:
        """(time, account) of the transactions on this device."""
        ...

    def address_accounts(self, address: str, since: int) -> Iterable[tuple[int, str]]:
        """(time, account) of the transactions from this address."""
        ...

    def counterparty_transactions(self, counterparty: str, since: int) -> Iterable[tuple[int, bool]]:
        """(time, confirmed as fraud) of the transactions with this counterparty."""
        ...

    def logins(self, account: str, since: int) -> Iterable[tuple[int, bool]]:
        """(time, success) of the account's login attempts."""
        ...

    def first_use(self, account: str, device: str) -> int | None:
        """Time of the account's first use of the device, ever."""
        ...

    def first_seen(self, device: str) -> int | None:
        """Time the device was first seen on any account, ever."""
        ...


class _Empty:
    """No history at all: training starts from nothing."""

    def known_since(self, kind: Kind, name: str) -> int:
        return NEVER

    def account_transactions(
        self, account: str, since: int
    ) -> Iterable[tuple[int, int | None, str | None, str | None]]:
        return ()

    def device_accounts(self, device: str, since: int) -> Iterable[tuple[int, str]]:
        return ()

    def address_accounts(self, address: str, since: int) -> Iterable[tuple[int, str]]:
        return ()

    def counterparty_transactions(self, counterparty: str, since: int) -> Iterable[tuple[int, bool]]:
        return ()

    def logins(self, account: str, since: int) -> Iterable[tuple[int, bool]]:
        return ()

    def first_use(self, account: str, device: str) -> int | None:
        return None

    def first_seen(self, device: str) -> int | None:
        return None


EMPTY: History = _Empty()
