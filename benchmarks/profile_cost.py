"""Does the profile's cost grow with an account's history? The hundredth transaction against the millionth."""

from __future__ import annotations

import time
from dataclasses import dataclass

from assay.features.history import EMPTY
from assay.features.profile import Profile
from assay.features.transaction import MONEY_SCALE, Transaction
from benchmarks.figures import Figure, Settings
from benchmarks.timing import median, tidy

SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_700_000_000 * SECOND
HUNDREDTH = 100
BLOCK = 20
BLOCKS = 150
COUNTERPARTIES = 50
CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often accounts of a kind pay, and when they began."""

    name: str
    apart: int
    start: int

    def transactions(self, account: str, first: int, count: int) -> list[Transaction]:
        """Numbers `first` onwards of the account, at fifty shops, from one device and address."""
        return [
            Transaction(
                transaction_id=f"{account}-{number}",
                time=self.start + number * self.apart,
                account=account,
                amount=(2000 + number % 700) * MONEY_SCALE // 100,
                currency="EUR",
                channel="mobile",
                auth_method="biometric",
                country="DE",
                device=f"device-{account}",
                address=f"address-{account}",
                counterparty=f"shop-{account}-{number % COUNTERPARTIES}",
            )
            for number in range(first, first + count)
        ]


def block(profile: Profile, transactions: list[Transaction]) -> float:
    """Microseconds per transaction."""
    start = time.perf_counter_ns()
    for item in transactions:
        profile.observe(item)
    return (time.perf_counter_ns() - start) / 1000 / len(transactions)


def grow(profile: Profile, pace: Pace, count: int) -> float:
    """Gives the account its history; microseconds per transaction, everything that is done only now and then included.

    The median of blocks cannot see pruning; this mean does.
    """
    spent = 0.0
    for start in range(0, count, CHUNK):
        chunk = pace.transactions("old", start, min(CHUNK, count - start))
        spent += block(profile, chunk) * len(chunk)
    return spent / count


def measure(settings: Settings) -> list[Figure]:
    """Blocks of each kind in turn, so that whatever else the machine does falls on all of them."""
    millionth = settings.pick(1_000_000, 30_000)
    profile, first_old, first = Profile(EMPTY), millionth - BLOCK * BLOCKS // 2, HUNDREDTH - BLOCK // 2
    busy = Pace("busy", SECOND, START)
    end = START + millionth * SECOND
    # Three a day: its hundredth has all five windows moving, as the millionth has. One a second: it has none moving.
    usual, hasty = (
        Pace(name, apart, end - HUNDREDTH * apart) for name, apart in (("usual", DAY // 3), ("hasty", SECOND))
    )
    life = grow(profile, busy, first_old)
    for turn in range(BLOCKS):
        for pace in (usual, hasty):
            block(profile, pace.transactions(f"{pace.name}-{turn}", 0, first))
    tidy()
    spent: dict[str, list[float]] = {"busy": [], "usual": [], "hasty": []}
    for turn in range(BLOCKS):
        for pace in (usual, hasty):
            spent[pace.name].append(block(profile, pace.transactions(f"{pace.name}-{turn}", first, BLOCK)))
        spent["busy"].append(block(profile, busy.transactions("old", first_old + turn * BLOCK, BLOCK)))
    latest, hundredth, windowless = (median(spent[name]) for name in ("busy", "usual", "hasty"))
    name = f"{millionth:,}th"
    return [
        Figure("profile", f"a busy account's {name} transaction over a usual account's 100th", latest / hundredth, "x",
               1.2, "<=", "", f"observe; one a second, three a day; medians over {BLOCKS} blocks of {BLOCK}, in turn"),
        Figure("profile", f"a busy account's {name} over its own 100th", latest / windowless, "x", 1.2, "<=",
               "", "one a second both: at the 100th no window has begun to move"),
        Figure("profile", "  the 100th, three a day", hundredth, "us"),
        Figure("profile", f"  the {name}, one a second", latest, "us"),
        Figure("profile", "  the 100th, one a second", windowless, "us"),
        Figure("profile", "  mean over the busy account's life, pruning included", life, "us"),
    ]  # fmt: skip
