"""Acts on every scored transaction: a decline freezes its account, where the policy says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay import moments
from assay.accounts.ports import AccountStore, Action, Effect
from assay.policy import Actions, Policy
from assay.ports import OutboxEvent
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.stages import Decision
from functions.action_layer.accounts import Accounts
from functions.action_layer.events import Scored, read
from functions.action_layer.planning import freeze_for

_EFFECTS = {Decision.APPROVE: Effect.NONE, Decision.DECLINE: Effect.DECLINED}
"""Of what does not freeze. A CHALLENGE is the business of `functions.challenges`."""


class ActionLayer:
    """Consumer of `transaction.scored`. Idempotent by transaction: what has had its effect changes nothing again."""

    name = "action_layer"
    kinds: frozenset[str] | None = frozenset({TRANSACTION_SCORED})

    def __init__(
        self, accounts: Accounts, store: AccountStore, actions: Actions, now: Callable[[], int] = moments.now
    ) -> None:
        """`now`: in microseconds."""
        self._accounts = accounts
        self._store = store
        self._actions = actions
        self._now = now

    def decide_by(self, policy: Policy) -> None:
        """Of another release, from the next verdict on. From any thread."""
        self._actions = policy.actions

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Acts on all of them, or raises: `PoisonEvent`, `StorageError`."""
        await self.act([read(event.body) for event in events])

    async def act(self, events: Sequence[Scored]) -> None:
        """The same, of events that were read. Raises `StorageError`."""
        quiet = []
        for scored in events:
            freeze, account_id = freeze_for(scored, self._actions), scored.transaction.account_id
            if freeze is not None and account_id is not None:
                await self._accounts.freeze(account_id, freeze)
            elif scored.verdict.decision in _EFFECTS:
                quiet.append(self._record(scored))
        if quiet:
            await self._store.record(quiet)

    def _record(self, scored: Scored) -> Action:
        verdict = scored.verdict
        return Action(scored.client_id, verdict.transaction_id, _EFFECTS[verdict.decision], self._now())
