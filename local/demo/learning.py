"""`assay demo --learning`: a bank drifts, Assay learns, and a bad release is taken back. Nobody helps.

A server runs over a scratch folder. The weeks before are put there at once (`backfill`), because a live stream of them
would take hours; labels, drift check, retraining, gate, promotion and rollback are the commands of the product, beside
the running server, and the traffic around them is live.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from assay.adapters.sqlite.schema import open_database
from assay.features.rates import Rates
from assay.intelligence.drift_report import DriftReport
from assay.intelligence.reports import DRIFT
from assay.release import Release
from assay.release.keys import load_or_create_signing_key
from assay.release.manifest import FILES, ManifestBody
from assay.release.registry import set_champion
from assay.release.store import write_release
from functions.trainer.golden import freeze_simulated
from local.champion import open_champion, trusted_keys
from local.console import wide_console
from local.demo.backfill import Filled, fill, label
from local.looks import drift, labels_of, record
from local.places import Places
from local.registry import RegistryCommands
from local.retraining.installation import Embedded
from local.server_process import running_server
from local.tokens import SCOPES, mint
from training.settings import Settings, default
from training.simulator import (
    Event,
    Shift,
    SimulatedLabel,
    SimulatedLogin,
    SimulatedTransaction,
    as_login,
    as_request,
    simulate,
    with_labels,
)
from training.split import DAY
from training.table import build_table
from training.train import train_on_table
from training.work import Run

START = datetime(2025, 1, 1, tzinfo=UTC)
"""Of the history, always the same: so is what comes of it. The first champion learns from the weeks before."""
CLIENT = "demo"
NEW = ("botnet", "card_testing", "device_farm", "talked_into_paying")
"""Stories that are hardly told until the drift sets in: once each, as the simulator does in every first month."""
PLANTED = "amount"
"""What drifts for certain: prices go up."""
FIRST, BAD = "demo.1", "demo.bad"
TOKEN_LIFE_S = 3_600
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """Of the demo's banks; days from the beginning of the history."""

    customers: int = 900
    first_days: int = 45
    """What the first champion learns from."""
    days: int = 100
    drift_day: int = 30
    live: int = 250
    """Transactions that are sent live at a time."""
    factor: float = 4.0
    """How often the new stories are told, once they are, compared with an ordinary bank."""
    inflation: float = 3.0
    """By how much amounts go up with the drift."""


class NewStories(Shift):
    """Amounts go up, and stories are told that nobody told before."""

    __slots__ = ()

    def of(self, kind: str, day: int) -> float:
        """A story of the shift is not told before it sets in."""
        return 0.0 if kind in NEW and day < self.from_day else Shift.of(self, kind, day)


@dataclass(slots=True)
class Protocol:
    """What was done, how long it took, and whether it was as it must be."""

    console: Console
    table: Table = field(default_factory=lambda: Table("step", "what came of it", "s", title="Learning, unattended"))
    faults: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)

    def step(self, name: str, told: str, *, good: bool = True) -> None:
        """One more is done."""
        seconds, self._began = time.perf_counter() - self._began, time.perf_counter()
        self.table.add_row(name, told if good else f"[red]{told}[/red]", f"{seconds:.1f}")
        self.console.print(f"{name}: {told}", markup=False)
        if not good:
            self.faults.append(f"{name}: {told}")


def run(size: Size | None = None) -> int:
    """Prints what happens; 0 when everything was as it must be, else 1."""
    console = wide_console()
    protocol = Protocol(console)
    with tempfile.TemporaryDirectory(prefix="assay-learning-") as folder:
        _Demo(Places(Path(folder) / "data", Path(folder) / "models"), size or Size(), protocol).run()
    console.print(protocol.table)
    for fault in protocol.faults:
        console.print(f"not as it must be: {fault}", style="red", markup=False)
    console.print("all as it must be" if not protocol.faults else f"{len(protocol.faults)} faults")
    return 1 if protocol.faults else 0


@dataclass(slots=True)
class _Demo:
    places: Places
    size: Size
    protocol: Protocol

    def run(self) -> None:
        """All steps; the first that fails is the last, for those after it stand on it."""
        first = self._first_champion()
        filled, ahead = self._history(first)
        token = mint(self.places.keys, CLIENT, SCOPES, TOKEN_LIFE_S)
        headers = {"Authorization": f"Bearer {token}"}
        with (
            running_server(self.places.data, self.places.models) as address,
            httpx.Client(base_url=address, headers=headers, timeout=PATIENCE_S) as client,
        ):
            parts: tuple[Callable[[], None], ...] = (
                lambda: self._live(client, ahead, "live traffic", FIRST),
                lambda: self._labels(client, filled),
                lambda: self._drift(first),
                lambda: self._retrain(client, ahead),
                lambda: self._bad_promotion(client, ahead),
            )
            for part in parts:
                part()
                if self.protocol.faults:
                    return

    def _first_champion(self) -> Release:
        size, key = self.size, load_or_create_signing_key(self.places.release_key)
        policy = re.sub(r"^  trials: \d+", "  trials: 3", default("policy.yaml"), flags=re.MULTILINE)
        costs = default("costs.yaml").replace("alerts_per_1000: 8", "alerts_per_1000: 40")
        (self.places.data / "costs.yaml").write_text(costs)
        settings = Settings(FIRST, trials=3, policy=policy, costs=costs)
        start = START - timedelta(days=size.first_days)
        old = dict.fromkeys(NEW, 0.0)
        rates, end = Rates.load(settings.rates), start.timestamp() + DAY * size.first_days
        bank = simulate(3, size.customers, size.first_days, start, Shift(old))
        table = build_table(bank, rates, end, lambda _step, _share: None)
        train_on_table(table, start.timestamp(), end, Run(settings, "Demo."), self.places.releases, key)
        set_champion(self.places.releases, FIRST, trusted_keys(self.places))
        release = open_champion(self.places)
        self.protocol.step("first champion", f"{FIRST}, trained on {len(table):,} transactions of quiet weeks")
        open_database(self.places.database).close()
        frozen = freeze_simulated(Embedded(self.places), release, customers=size.customers, shift=Shift(old))
        self.protocol.step("golden set", f"frozen and signed, {frozen.sha256[:12]}")
        return release

    def _history(self, release: Release) -> tuple[Filled, Iterator[Event]]:
        """Fills the folder with all but the last day; that is for live traffic."""
        size = self.size
        shift = NewStories(dict.fromkeys(NEW, size.factor) | {"amounts": size.inflation}, size.drift_day)
        events = with_labels(simulate(21, size.customers, size.days, START, shift))
        cut = START.timestamp() + DAY * (size.days - 1)
        ahead: list[Event] = []
        filled = fill(self.places, release, _until(events, cut, ahead), CLIENT)
        told = f"{filled.transactions:,} transactions, {filled.fraud} frauds; drift from day {size.drift_day}"
        self.protocol.step("history", told)
        late = cut - 14 * DAY
        early = [one for one in filled.labels if one.time < late]
        asyncio.run(label(self.places, release, early, CLIENT))
        filled.labels = [one for one in filled.labels if one.time >= late]
        self.protocol.step("labels of the past", f"{len(early)}, each at its time")
        return filled, iter(ahead)

    def _live(self, client: httpx.Client, ahead: Iterator[Event], name: str, version: str) -> None:
        """Sends some traffic; every verdict must name this release."""
        seen: dict[str, int] = {}
        for event in ahead:
            if isinstance(event, SimulatedLogin):
                client.post("/events/logins", json=as_login(event)).raise_for_status()
                continue
            assert isinstance(event, SimulatedTransaction)  # noqa: S101 - labels are not among them
            verdict = client.post("/score", json=as_request(event)).raise_for_status().json()
            named = verdict["release"]["version"]
            seen[named] = seen.get(named, 0) + 1
            if sum(seen.values()) == self.size.live:
                break
        told = ", ".join(f"{count} verdicts by {named}" for named, count in seen.items())
        self.protocol.step(name, told or "nothing left to send", good=set(seen) == {version})

    def _labels(self, client: httpx.Client, filled: Filled) -> None:
        for one in filled.labels:
            at = datetime.fromtimestamp(one.time, UTC).isoformat()
            body = {"transaction_id": one.transaction_id, "label": "fraud_confirmed", "labelled_at": at}
            client.post("/feedback", json=body).raise_for_status()
        self.protocol.step("labels arrive", f"{len(filled.labels)} by POST /feedback", good=bool(filled.labels))

    def _drift(self, release: Release) -> None:
        """What was in alarm before the drift is not counted: in the first weeks the windows are still filling."""
        onset = START + timedelta(days=self.size.drift_day)
        before = self._alarms(release, onset)
        found = next((day for day in range(1, 15) if PLANTED in self._alarms(release, onset, day) - before), None)
        told = f"{PLANTED} in alarm {found} days after it set in; before: {', '.join(sorted(before)) or 'nothing'}"
        self.protocol.step("drift, looked for day by day", told, good=found is not None)
        body = record(self.places, release, DRIFT)
        names = [] if body is None else DriftReport.model_validate_json(body).drifted
        self.protocol.step("assay drift --record", f"in alarm: {', '.join(names[:6])}", good=PLANTED in names)

    def _alarms(self, release: Release, onset: datetime, days: int = 0) -> set[str]:
        report = drift(self.places, release, onset + timedelta(days=days), labels_of(self.places))
        return set() if report is None else set(report.drifted)

    def _retrain(self, client: httpx.Client, ahead: Iterator[Event]) -> None:
        report = self._assay("retrain", "--if-needed")
        told = f"{report['triggers'][0]} -> {report['version']} {report['outcome']}: {'; '.join(report['reasons'])}"
        self.protocol.step("assay retrain --if-needed", told, good=report["outcome"] == "promoted")
        if report["outcome"] == "promoted":
            self._decides(client, report["version"])
            self._live(client, ahead, "live traffic", report["version"])
            again = self._assay("retrain", "--if-needed")
            told = f"{again['outcome']}: {'; '.join(again['reasons'])}"
            self.protocol.step("once more", told, good=again["outcome"] == "not_needed")

    def _bad_promotion(self, client: httpx.Client, ahead: Iterator[Event]) -> None:
        """Somebody promotes by hand what no gate has seen: it declines nearly everybody who is a little suspicious."""
        champion = open_champion(self.places)
        policy = champion.read("policy.yaml").decode()
        policy = re.sub(r"^((decline|challenge|flag_escalates)_above): \S+", r"\1: 0.01", policy, flags=re.MULTILINE)
        files = {name: champion.read(name) for name in FILES} | {"policy.yaml": policy.encode()}
        body = ManifestBody(**champion.manifest.model_dump(exclude={"files"})).model_copy(update={"version": BAD})
        write_release(self.places.releases, body, files, load_or_create_signing_key(self.places.release_key))
        RegistryCommands(self.places).promote(BAD, CLIENT, "planted", None, None)
        self.protocol.step("a bad release, promoted by hand", BAD)
        self._decides(client, BAD)
        self._live(client, ahead, "live traffic", BAD)
        self._recorded(BAD)
        report = self._assay("retrain", "--if-needed")
        told = f"{report['outcome']}: {'; '.join(report['reasons'])}"
        self.protocol.step("assay retrain --if-needed", told, good=report["outcome"] == "rolled_back")
        self._decides(client, champion.version)
        self._live(client, ahead, "live traffic", champion.version)

    def _decides(self, client: httpx.Client, version: str) -> None:
        """Until verdicts name the release: a server looks at the pointer every second."""
        payment = json.loads((Path(__file__).resolve().parents[2] / "events" / "score_genuine.json").read_text())
        numbers = iter(range(10_000))

        def named() -> bool:
            body = payment | {"transaction_id": f"probe-{version}-{next(numbers)}"}
            answer: dict[str, Any] = client.post("/score", json=body).raise_for_status().json()
            return bool(answer["release"]["version"] == version)

        swapped = _eventually(named)
        self.protocol.step("hot swap", f"verdicts name {version}" if swapped else "no hot swap", good=swapped)

    def _recorded(self, version: str) -> None:
        """Until the consumer has recorded what the release decided live."""

        def done() -> bool:
            with closing(sqlite3.connect(self.places.database)) as connection:
                query = "SELECT count(*) FROM scored_events WHERE release_version = ?"
                return int(connection.execute(query, (version,)).fetchone()[0]) >= self.size.live

        _eventually(done)

    def _assay(self, *command: str) -> dict[str, Any]:
        """A command of the product, beside the server."""
        places = ["--json", "--data-dir", str(self.places.data), "--models", str(self.places.models)]
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "local", *command, *places], capture_output=True, text=True, check=False
        )
        if done.returncode:
            self.protocol.step(f"assay {' '.join(command)}", done.stderr.strip()[-500:], good=False)
            return {"outcome": "failed", "reasons": [], "triggers": ["-"], "version": None}
        report: dict[str, Any] = json.loads(done.stdout)
        return report


def _until(
    events: Iterator[Event | SimulatedLabel], cut: float, ahead: list[Event]
) -> Iterator[Event | SimulatedLabel]:
    """Those before the cut; what happens after it goes to `ahead`, and what becomes known after it to nobody."""
    for event in events:
        if event.time < cut:
            yield event
        elif not isinstance(event, SimulatedLabel):
            ahead.append(event)


def _eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False
