"""`assay replay` over a file: the whole pipeline offline, start and writing of the verdicts included."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from pathlib import Path

from benchmarks import product
from benchmarks.bodies import transaction_bodies
from benchmarks.figures import Figure, Settings
from benchmarks.machine import ROOT
from benchmarks.timing import median

STARTING = 1_000
"""A replay of so few is all start."""
PATIENCE_S = 60
"""No further run begins after so long."""
HANDBOOK = "transactions_20180401_20180914.parquet"


def handbook() -> Path | None:
    """The Handbook's transactions, where they are at hand."""
    folders = [ROOT.parent / "shared" / "data" / "handbook"]
    if "ASSAY_DATA_DIR" in os.environ:
        folders.insert(0, Path(os.environ["ASSAY_DATA_DIR"]) / "handbook")
    return next((folder / HANDBOOK for folder in folders if (folder / HANDBOOK).is_file()), None)


def generated(folder: Path, rows: int) -> Path:
    """Our own transactions as a CSV with the request's field names."""
    file = folder / "transactions.csv"
    with file.open("w", newline="", encoding="utf-8") as output:
        writer: csv.DictWriter[str] | None = None
        for body in transaction_bodies(rows, prefix="replay"):
            row = json.loads(body)
            if writer is None:
                writer = csv.DictWriter(output, list(row))
                writer.writeheader()
            writer.writerow(row)
    return file


def run(file: Path, mapping: str, out: Path, limit: int) -> float:
    """Seconds of one replay."""
    argv = product.command("replay", str(file), f"--mapping={mapping}", f"--out={out}", f"--limit={limit}", "--json")
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    spent = time.perf_counter() - start
    if done.returncode != 0 or not out.is_file():
        raise RuntimeError(f"assay replay ended with {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
    return spent


def measure(settings: Settings) -> list[Figure]:
    """Transactions per second of a whole replay, and of what comes after its start; medians of the runs."""
    limit = settings.pick(300_000, 20_000)
    with product.working_folder() as folder:
        there = handbook()
        file = there or generated(folder, limit)
        mapping = "handbook" if there else "assay"
        start = run(file, mapping, folder / "start.parquet", STARTING)
        spent: list[float] = []
        while len(spent) < settings.pick(3, 1) and sum(spent) < PATIENCE_S:
            spent.append(run(file, mapping, folder / f"verdicts-{len(spent)}.parquet", limit))
    note = f"{limit:,} of {'the Handbook' if there else 'generated'} transactions, process start and writing included"
    whole = median(spent)
    rows = [Figure("replay", "assay replay", limit / whole, "tx/s", 20_000, ">=", "", note)]
    if whole > start:
        after = f"a replay of {STARTING:,} takes {start:.1f} s"
        rows.append(Figure("replay", "  after its start", (limit - STARTING) / (whole - start), "tx/s", note=after))
    return rows
