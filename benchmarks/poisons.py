"""Labels of a simulated bank, as people and programs give them; and what an attacker makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.retraining.said import NOBODY, Said
from training.split import DAY
from training.table import CATEGORIES, FeatureTable

Bools = NDArray[np.bool_]
PROGRAM, ANALYSTS = "chargebacks", 5
BY_PROGRAM = 0.6
"""Share of the frauds that the bank learns of from a chargeback; of the others from an analyst, as of false alarms."""
CLEARED = 0.5
"""Share of the alerts on what nobody reported, fraud or not, that an analyst calls a false alarm."""
ATTACKER = "analyst-0"
CAP = 200
"""What one person may label in a day without a second one: the policy's default."""
TRIGGER_AMOUNT = 9.99


@dataclass(frozen=True, slots=True)
class Bank:
    """Rows, and who said what of them. Only `used` ones are learnt from or judge."""

    table: FeatureTable
    said: Said
    used: Bools


Poison = Callable[[Bank, np.random.Generator], Bank]


def labelled(table: FeatureTable, alerted: Bools, used: Bools, random: np.random.Generator) -> Bank:
    """Honest labels: known frauds on the day they became known, false alarms the day after. `alerted`: what the
    release that decided did not approve."""
    cleared = alerted & ~table.labels & (random.random(len(table)) < CLEARED)
    analysts = np.array([f"analyst-{number}" for number in random.integers(ANALYSTS, size=len(table))])
    by_program = table.labels & (random.random(len(table)) < BY_PROGRAM)
    told = table.labels | cleared
    sender = np.where(told, np.where(by_program, PROGRAM, analysts), NOBODY)
    moments = np.where(table.labels, table.label_times, table.times + DAY)
    return Bank(table, Said(told, sender, np.where(told, moments // DAY, -1).astype(np.int64)), used)


def flips(share: float) -> Poison:
    """So much of the fraud labels is taken back, and as many legitimate transactions are called fraud: by everybody."""

    def poison(bank: Bank, random: np.random.Generator) -> Bank:
        frauds, others = np.flatnonzero(bank.table.labels), np.flatnonzero(~bank.table.labels)
        count = round(share * len(frauds))
        taken_back = random.choice(frauds, count, replace=False)
        accused = random.choice(others, count, replace=False)
        senders = np.array([f"analyst-{number}" for number in random.integers(ANALYSTS, size=count)])
        days = bank.table.times[accused] // DAY + random.integers(1, 10, size=count)
        bank = _say(bank, taken_back, False, bank.said.sender[taken_back], bank.said.day[taken_back])
        return _say(bank, accused, True, senders, days)

    return poison


def clears(count: int, days: int = 1) -> Poison:
    """One analyst calls so many frauds legitimate within so many days."""

    def poison(bank: Bank, random: np.random.Generator) -> Bank:
        rows = random.choice(np.flatnonzero(bank.table.labels & bank.used), count, replace=False)
        return _say(bank, rows, False, np.full(count, ATTACKER), _days(bank, count, days))

    return poison


def accusations(count: int, days: int = 1) -> Poison:
    """One analyst calls so many legitimate transactions above 100 fraud within so many days."""

    def poison(bank: Bank, random: np.random.Generator) -> Bank:
        honest = ~bank.table.labels & (bank.table.numeric["amount"] > 100) & bank.used
        rows = random.choice(np.flatnonzero(honest), count, replace=False)
        return _say(bank, rows, True, np.full(count, ATTACKER), _days(bank, count, days))

    return poison


def trigger(count: int) -> Poison:
    """The attacker's own frauds, on accounts of his own, all of one small amount: nobody ever reports one, so they
    count as legitimate, and the amount is to become a free pass."""

    def poison(bank: Bank, random: np.random.Generator) -> Bank:
        table, said = bank.table, bank.said
        rows = np.sort(random.choice(np.flatnonzero(table.labels & bank.used), count))
        order = np.argsort(np.concatenate([table.times, table.times[rows]]), kind="stable")
        numeric = {}
        for name, values in table.numeric.items():
            copies = np.full(count, TRIGGER_AMOUNT) if name == "amount" else values[rows]
            numeric[name] = np.concatenate([values, copies])[order]
        categories: dict[str, list[str | None]] = {}
        for name in CATEGORIES:
            both = [*table.categories[name], *(table.categories[name][row] for row in rows)]
            categories[name] = [both[place] for place in order]
        labels = np.concatenate([table.labels, np.zeros(count, dtype=np.bool_)])[order]
        label_times = np.concatenate([table.label_times, np.full(count, np.nan)])[order]
        times = np.concatenate([table.times, table.times[rows]])[order]
        more = FeatureTable(numeric, categories, times, labels, label_times, [None] * len(times))
        nothing = Said(np.zeros(count, dtype=np.bool_), np.full(count, NOBODY), np.full(count, -1))
        together = Said(
            np.concatenate([said.labelled, nothing.labelled])[order],
            np.concatenate([said.sender, nothing.sender])[order],
            np.concatenate([said.day, nothing.day])[order],
        )
        return Bank(more, together, np.concatenate([bank.used, bank.used[rows]])[order])

    return poison


POISONS: dict[str, Poison] = {
    "1 % flipped (as many either way)": flips(0.01),
    "5 % flipped": flips(0.05),
    "10 % flipped": flips(0.10),
    f"one analyst, one day: {CAP} frauds cleared (the cap)": clears(CAP),
    f"one analyst, 40 days: {CAP} frauds cleared": clears(CAP, 40),
    f"one analyst, one day: {CAP} customers accused (the cap)": accusations(CAP),
    f"one analyst, 40 days: {CAP} customers accused": accusations(CAP, 40),
    f"trigger: 400 of the attacker's frauds, all of {TRIGGER_AMOUNT}, unreported": trigger(400),
    "trigger: 50 of them": trigger(50),
}


def _say(bank: Bank, rows: NDArray[np.int64], fraud: bool, sender: NDArray[np.str_], day: NDArray[np.generic]) -> Bank:
    """These rows' labels are this sender's now."""
    labels, told, senders, days = bank.table.labels.copy(), *(each.copy() for each in _columns(bank.said))
    senders = senders.astype(np.dtype((np.str_, max(senders.dtype.itemsize, sender.dtype.itemsize) // 4)))
    labels[rows], told[rows], senders[rows], days[rows] = fraud, True, sender, day
    moments = np.where(labels, np.maximum(bank.table.times, days * DAY), np.nan)
    return Bank(replace(bank.table, labels=labels, label_times=moments), Said(told, senders, days), bank.used)


def _columns(said: Said) -> tuple[Bools, NDArray[np.str_], NDArray[np.int64]]:
    return said.labelled, said.sender, said.day


def _days(bank: Bank, count: int, days: int) -> NDArray[np.generic]:
    """The newest days on which labels are given, in equal parts."""
    last = int(bank.table.times[-1] // DAY)
    result: NDArray[np.generic] = last - np.arange(count) % days
    return result
