"""What happens to accounts: frozen, confirmed, released, each in one commit with the event and the orders about it."""

from __future__ import annotations

from collections.abc import Callable

from assay import moments
from assay.accounts.orders import CardOrder, freezing, releasing
from assay.accounts.ports import AccountStore, Action, Change, Effect
from assay.accounts.records import IN_EFFECT, Account, AccountState, Freeze, Release, confirmed, frozen, released
from assay.errors import AssayError, StorageError
from assay.schemas.event import SYSTEM, Event

TRIES = 10
"""To be first. Each time somebody else was, the account has moved on."""


class NotFrozen(AssayError):  # noqa: N818 - named for what is the case
    """There is nothing to release."""


class Accounts:
    """Changes accounts. Any number of processes may do it at once."""

    def __init__(self, store: AccountStore, now: Callable[[], int] = moments.now) -> None:
        """`now`: in microseconds."""
        self._store = store
        self._now = now

    async def get(self, account_id: str) -> tuple[Account, AccountState]:
        """The account, and its state now. Raises `StorageError`."""
        account = await self._store.get(account_id)
        return account, account.state(self._now())

    async def freeze(self, account_id: str, freeze: Freeze) -> None:
        """Freezes the account and records what became of the transaction. Raises `StorageError`."""

        def alter(account: Account, now: int) -> Change:
            after = frozen(account, freeze)
            is_news = after is not account and after.in_force is freeze and not freeze.is_over(now)
            action = _action(freeze, Effect.FROZEN if is_news else Effect.LATE, now)
            if not is_news:
                return Change(after, action=action)
            until = None if freeze.until is None else moments.moment(freeze.until).isoformat()
            codes = [reason.code for reason in freeze.reasons]
            event = _event("account.frozen", SYSTEM, after, freeze, until=until, reasons=codes)
            return Change(after, event, freezing(after, freeze, now), action)

        await self._change(account_id, alter)

    async def confirm(self, order: CardOrder) -> None:
        """Card management has carried out a block. Raises `StorageError`."""

        def alter(account: Account, now: int) -> Change:
            after = confirmed(account, order.cause)
            freeze = after.in_force
            if (
                freeze is None
                or account.state(now) is AccountState.BLOCKED
                or after.state(now) is not AccountState.BLOCKED
            ):
                return Change(after)
            return Change(after, _event("account.blocked", SYSTEM, after, freeze, order_id=order.id))

        await self._change(order.account_id, alter)

    async def release(self, account_id: str, by: str, reason: str) -> Account:
        """Ends the freeze. Raises `NotFrozen`, `StorageError`."""

        def alter(account: Account, now: int) -> Change:
            freeze = account.in_force
            if freeze is None or account.state(now) not in IN_EFFECT:
                raise NotFrozen(account_id)
            # Not before what it releases, whatever the clocks say.
            after = released(account, Release(max(now, freeze.cause.decided_at), by, reason))
            event = _event("account.released", by, after, freeze, reason=reason)
            return Change(after, event, releasing(after, freeze, now))

        return await self._change(account_id, alter)

    async def _change(self, account_id: str, alter: Callable[[Account, int], Change]) -> Account:
        for _ in range(TRIES):
            account = await self._store.get(account_id)
            change = alter(account, self._now())
            if change.account is account:
                if change.action is not None:
                    await self._store.record([change.action])
                return account
            if await self._store.change(change):
                return change.account
        raise StorageError("accounts: others are always first")


def _action(freeze: Freeze, effect: Effect, now: int) -> Action:
    return Action(freeze.cause.client_id, freeze.cause.transaction_id, effect, now)


def _event(kind: str, actor: str, account: Account, freeze: Freeze, **data: str | list[str] | None) -> Event:
    cause = {"client_id": freeze.cause.client_id, "transaction_id": freeze.cause.transaction_id}
    return Event.now(kind, actor, account_id=account.id, version=account.version, **cause, **data)
