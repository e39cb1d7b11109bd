"""How fast drift is looked for, and how soon what is planted is found.

python -m benchmarks --only drift      how fast
python -m benchmarks.drift             planted drifts and quiet months, some minutes (--quick: two of them)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from multiprocessing import get_context

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from assay.adapters.sqlite.schema import open_database
from assay.intelligence.drift_report import DriftReport, Level
from assay.intelligence.reference import FILE, Category, Distribution, load_reference
from assay.intelligence.scored_table import FEATURES
from assay.release import Release
from benchmarks import drift_history, machine, product
from benchmarks.drift_history import Change, History, history, moment
from benchmarks.figures import Figure, Settings
from benchmarks.timing import median, tidy
from functions.intelligence import patterns
from functions.intelligence.drift_cells import step_end
from functions.intelligence.drift_check import DriftCheck, crossing, policy_of
from functions.intelligence.looking import read
from local.history import history_of, scored_table
from local.places import Places

FIRST_DAY, CHANGE_DAY = 104, 150
"""Of the simulation. Training ended before the first; looks begin with the change."""
PLANTED_DAYS, QUIET_DAYS = 28, 84
"""How long is looked."""
KINDS: dict[str, tuple[str, dict[str, Change]]] = {
    "amounts": ("all amounts times", {f"{x:g}": drift_history.amounts(x) for x in (1.25, 1.5, 2)}),
    "spread": ("spread of amounts, power", {f"{x:g}": drift_history.spread(x) for x in (1.2, 1.5, 2)}),
    "country": ("share from a new country", {f"{x:.0%}": drift_history.new_country(x) for x in (0.02, 0.05, 0.2)}),
    "device": ("share without device, address", {f"{x:.0%}": drift_history.without_device(x) for x in (0.1, 0.3, 0.7)}),
    "unseen": (
        "fraud that looks honest, share",
        {f"{x:.1%}": drift_history.unseen_fraud(x) for x in (0.002, 0.005, 0.01)},
    ),
}
SPEED_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Planted:
    """What became of one. `hours`: from the change to the first alarm that the quiet bank does not have at that time;
    None: none within four weeks."""

    kind: str
    size: str
    hours: float | None
    looks: int | None
    first: list[str]


def measure(settings: Settings) -> list[Figure]:
    """Seconds for a check of a table in memory, for patterns, and for a check out of the database."""
    events, release = settings.pick(SPEED_EVENTS, 50_000), product.release()
    table = drawn(release, events, 42)
    at = step_end(table["occurred_at"].max(), policy_of(release))  # type: ignore[arg-type]
    checks = [_seconds(lambda: _check(release, table, at)) for _ in range(settings.pick(3, 1))]
    looks = [_seconds(lambda: patterns.look(with_parties(table), at)) for _ in range(settings.pick(3, 1))]
    figures = [
        Figure("drift", f"check of {events:,} events in memory", median(checks), "s", 10.0, note="counting included"),
        Figure("drift", f"patterns in {events // 3:,} of them", median(looks), "s"),
    ]
    return [*figures, *_of_database(settings, release)]


def _of_database(settings: Settings, release: Release) -> list[Figure]:
    """A check of the file's events: the first makes the days' tables, the second reads them."""
    events = settings.pick(SPEED_EVENTS, 20_000)
    with product.working_folder() as folder:
        connection = open_database(folder / "assay.db")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO scored_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _rows(release, events))
        connection.execute("COMMIT")
        connection.close()
        places = Places(folder)
        at = step_end(moment(0), policy_of(release))

        def check() -> None:
            drift = DriftCheck(release, at)
            asyncio.run(read(history_of(places), at, [drift]))
            drift.report()

        first, again = _cpu_seconds(check), _cpu_seconds(check)
        everything = _cpu_seconds(lambda: scored_table(places))
    what = f"{events:,} events in the file"
    return [
        Figure("drift", f"check of {what}, first", first, "s CPU", note="tables of its days are made"),
        Figure("drift", f"check of {what}, with day tables", again, "s CPU", 10.0, note="and counting"),
        Figure("drift", f"reading {what}, every column", everything, "s CPU", note="most of it out of day tables"),
    ]


def drawn(release: Release, count: int, days: int) -> pl.DataFrame:
    """Rows as the release's reference says, evenly over so many days before the simulation's start."""
    rng = np.random.default_rng(3)
    reference = load_reference(release.read(FILE))
    start = moment(-days)
    return pl.DataFrame(
        {
            "client_id": ["bank"] * count,
            "transaction_id": [f"t-{n}" for n in range(count)],
            "occurred_at": pl.Series(
                [start + timedelta(days=days) * (n / count) for n in range(count)]
            ).dt.cast_time_unit("us"),
            "decision": rng.choice(["APPROVE", "CHALLENGE", "DECLINE"], count, p=[0.978, 0.015, 0.007]),
            "release_hash": [release.hash] * count,
            "is_early_exit": [False] * count,
            **{name: _draw(of, count, rng) for name, of in {**reference.features, **reference.scores}.items()},
        }
    )


def with_parties(table: pl.DataFrame) -> pl.DataFrame:
    """With accounts, devices and the like, for patterns."""
    rng, count = np.random.default_rng(4), len(table)
    names = {
        "account_id": count // 30,
        "device_id": count // 25,
        "ip_address": count // 20,
        "counterparty_id": count // 100,
    }
    return table.with_columns(
        *(pl.Series(name, rng.integers(0, size, count)).cast(pl.String) for name, size in names.items()),
        pl.lit("payment").alias("transaction_type"), pl.lit("grocery").alias("merchant_category"),
        pl.Series("triggered_rules", rng.integers(0, 40, count)).map_elements(_fired, return_dtype=pl.List(pl.String)),
    )  # fmt: skip


def _fired(number: int) -> list[str]:
    return [f"rule-{number}", "rule-0"] if 0 < number < 4 else []


def _draw(distribution: Distribution, count: int, rng: np.random.Generator) -> pl.Series:
    if isinstance(distribution, Category):
        names, shares = [*distribution.shares, None], [*distribution.shares.values(), distribution.unknown]
        return pl.Series([names[place] for place in _places(shares, count, rng)], dtype=pl.String)
    places = _places([*distribution.shares, distribution.unknown], count, rng)
    last = distribution.edges[-1] if distribution.edges else 0.0
    uppers = np.array([*distribution.edges, last + 1.0, np.nan])
    return pl.Series(uppers[places])


def _places(shares: list[float], count: int, rng: np.random.Generator) -> np.ndarray:
    weights = np.array(shares)
    return rng.choice(len(shares), count, p=weights / weights.sum())


def _rows(release: Release, count: int) -> Iterator[tuple[object, ...]]:
    for row in drawn(release, count, 42).iter_rows(named=True):
        at = row["occurred_at"]
        features = {name: None if row[name] != row[name] else row[name] for name in FEATURES}
        verdict = {
            name: row[name]
            for name in ("transaction_id", "decision", "is_early_exit", "fraud_score", "if_score", "ae_error")
        }
        verdict |= {
            "decided_at": at.isoformat(),
            "release": {"version": release.version, "hash": release.hash},
            "triggered_rules": [],
        }
        head = {"event": "transaction.scored", "version": 1, "client_id": "bank", "occurred_at": at.isoformat()}
        event = {**head, "features": features, "transaction": {"account_id": "a"}, "verdict": verdict}
        decided = round(at.timestamp() * 1e6)
        yield "bank", row["transaction_id"], decided, row["decision"], "", "", 0, json.dumps(event).encode()


def _check(release: Release, table: pl.DataFrame, at: object) -> DriftReport:
    check = DriftCheck(release, at)  # type: ignore[arg-type]
    check.add(table)
    return check.report()


def _cpu_seconds(work: object) -> float:
    """Of all threads of this process."""
    tidy()
    start = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - start


def _seconds(work: object) -> float:
    tidy()
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


@cache
def quiet_reports(days: int) -> list[DriftReport]:
    """Of the bank as it is, from the day of the change on."""
    return reports(history(_release(), FIRST_DAY, CHANGE_DAY, days), days)


@cache
def _release() -> Release:
    return product.release()


def reports(found: History, days: int) -> list[DriftReport]:
    """One per look from the day of the change on, each knowing the one before."""
    release = _release()
    looks = days * 24 // policy_of(release).step_hours
    check = DriftCheck(release, moment(CHANGE_DAY + days), found.labels, earlier=looks)
    check.add(found.table)
    made: list[DriftReport] = []
    for back in range(looks, -1, -1):
        made.append(check.report(made[-1] if made else None, back))
    return made


def plant(kind: str, size: str) -> Planted:
    """One change in the bank, beside the bank without it."""
    change = KINDS[kind][1][size]
    changed = reports(history(_release(), FIRST_DAY, CHANGE_DAY, PLANTED_DAYS, change), PLANTED_DAYS)
    for number, (with_it, without) in enumerate(zip(changed, quiet_reports(PLANTED_DAYS), strict=True)):
        grave = [one.name for one in with_it.measurements if one.level is Level.ALARM]
        new = [name for name in dict.fromkeys(grave) if name not in without.drifted]
        if new:
            hours = (with_it.at - moment(CHANGE_DAY)) / timedelta(hours=1)
            return Planted(kind, size, hours, number, new[:3])
    return Planted(kind, size, None, None, [])


def false_alarms() -> dict[str, object]:
    """What was announced of the bank as it is."""
    made = quiet_reports(QUIET_DAYS)
    events = [event for one, other in zip([None, *made], made, strict=False) if (event := crossing(one, other))]
    told = [f"{event.occurred_at:%d %b}: {', '.join(event.data['names'])}" for event in events]  # type: ignore[arg-type]
    return {
        "days": QUIET_DAYS,
        "events": len(events),
        "per_month": round(len(events) * 30 / QUIET_DAYS, 1),
        "told": told,
    }


def _told(one: Planted) -> Planted:
    """Says so at once: each takes a while."""
    print(f"{one.kind} {one.size}: {one.hours} h", file=sys.stderr, flush=True)
    return one


def main() -> int:
    """Runs them all, prints the table and writes it."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.drift")
    options.add_argument("--quick", action="store_true", help="two of them, and no quiet months")
    quick = options.parse_args().quick
    wanted = [(kind, size) for kind, (_, sizes) in KINDS.items() for size in sizes]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        quiet = None if quick else pool.submit(false_alarms)
        found = [_told(one) for one in pool.map(plant, *zip(*(wanted[2:7:4] if quick else wanted), strict=True))]
        alarms = None if quiet is None else quiet.result()
    table = Table(
        "what changes", "size", "found after", "looks", "by", title="Planted drifts, 2,900 transactions a day"
    )
    for one in found:
        after = "not in 28 days" if one.hours is None else f"{one.hours:g} h"
        table.add_row(KINDS[one.kind][0], one.size, after, str(one.looks or ""), ", ".join(one.first))
    console = Console(width=120)
    console.print(table)
    if alarms is not None:
        console.print(
            f"Quiet: {alarms['events']} announcements in {alarms['days']} days, {alarms['per_month']} a month"
        )
        for line in alarms["told"]:  # type: ignore[attr-defined]
            console.print(f"  {line}")
        document = {"about": machine.describe(), "planted": [asdict(one) for one in found], "quiet": alarms}
        target = machine.ROOT / "benchmarks" / "results" / "drift.json"
        target.write_text(json.dumps(document, indent=1, default=str) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
