"""Random streams of events, and a history kept in lists."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st

from assay.features import account, counterparty, distinct, logins
from assay.features.transaction import Login, Transaction
from assay.features.windows import NEVER

START = 1_700_000_000_000_000
SECOND, HOUR = 1_000_000, 3_600_000_000
DAY = 24 * HOUR
STEPS = (0, 0, 1, SECOND, 20 * SECOND, 5 * 60 * SECOND, HOUR // 3, HOUR, 5 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY)


@dataclass(frozen=True)
class Step:
    """What happens next: an event this long after (or before) the previous one, or a label for an earlier one."""

    kind: str
    delta: int
    tx: dict = field(default_factory=dict)
    success: bool = False
    pick: int = 0


UNITS = (1, SECOND, 5 * 60 * SECOND, HOUR, DAY, 7 * DAY, 30 * DAY)


def deltas(late):
    """Of all sizes; or multiples of one, to within a microsecond, so that events meet the ends of windows."""
    near = st.sampled_from((-1, 0, 0, 0, 1))
    mixed = st.builds(lambda step, by: max(0, step + by), st.sampled_from(STEPS), near)
    grids = [st.builds(lambda n, by, unit=unit: max(0, n * unit + by), st.integers(0, 3), near) for unit in UNITS]
    kinds = st.sampled_from([mixed, mixed, mixed, *grids])
    return kinds.map(lambda kind: st.one_of(kind, kind, kind.map(lambda d: -d)) if late else kind)


def steps(late, kinds=("tx", "tx", "tx", "tx", "login", "label"), max_size=60):
    bodies = st.fixed_dictionaries(
        {
            "account": st.sampled_from("aaaab"),
            "amount": st.one_of(st.integers(1, 10**6), st.sampled_from((10**16, None, 0))),
            "country": st.sampled_from(("GB", "GB", "FR", "US", "XX", None)),
            "device": st.sampled_from(("d", "e", None)),
            "address": st.sampled_from(("i", "j", None)),
            "counterparty": st.sampled_from(("c", "c", "k", None)),
        }
    )
    success = st.sampled_from((False, False, True))
    return deltas(late).flatmap(
        lambda delta: st.lists(
            st.builds(Step, st.sampled_from(kinds), delta, bodies, success, st.integers(0, 99)),
            min_size=1,
            max_size=max_size,
        )
    )


def transaction(number, time, **fields):
    fields = {"account": "a", "amount": 10_000, **fields}
    return Transaction(str(number), time, currency="EUR", channel="web", auth_method="otp", **fields)


def events(plan):
    """The plan as ("tx", Transaction), ("login", Login) and ("label", Transaction)."""
    now, done, labelled = START, [], set()
    for number, step in enumerate(plan):
        if step.kind == "label":
            if done and (tx := done[step.pick % len(done)]).transaction_id not in labelled:
                labelled.add(tx.transaction_id)
                yield "label", tx
            continue
        now += step.delta
        if step.kind == "login":
            yield "login", Login(str(number), now, step.tx["account"], step.success)
        else:
            done.append(transaction(number, now, **step.tx))
            yield "tx", done[-1]


@contextmanager
def pruning_at(count):
    """Forget as soon as there are `count` events, so that short streams reach it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (account, counterparty, distinct, logins):
            patch.setattr(module, "PRUNE_AT", count)
        yield


@dataclass
class ListHistory:
    """A history over lists. It gives exactly what must be given, newest first."""

    stored: list[Transaction] = field(default_factory=list)
    stored_logins: list[Login] = field(default_factory=list)
    frauds: set[str] = field(default_factory=set)
    reads: int = 0
    known: int = NEVER

    def known_since(self, kind, name):
        return self.known

    def _since(self, since, **key):
        self.reads += 1
        ((name, value),) = key.items()
        return [tx for tx in reversed(self.stored) if getattr(tx, name) == value and tx.time > since]

    def account_transactions(self, account, since):
        return [(tx.time, tx.amount, tx.counterparty, tx.country) for tx in self._since(since, account=account)]

    def device_accounts(self, device, since):
        return [(tx.time, tx.account) for tx in self._since(since, device=device)]

    def address_accounts(self, address, since):
        return [(tx.time, tx.account) for tx in self._since(since, address=address)]

    def counterparty_transactions(self, counterparty, since):
        found = self._since(since, counterparty=counterparty)
        return [(tx.time, tx.transaction_id in self.frauds) for tx in found]

    def logins(self, account, since):
        return [(e.time, e.success) for e in self.stored_logins if e.account == account and e.time > since]

    def first_use(self, account, device):
        times = [tx.time for tx in self._since(-(10**30), device=device) if tx.account == account]
        return min(times, default=None)

    def first_seen(self, device):
        return min((tx.time for tx in self._since(-(10**30), device=device)), default=None)
