"""Measure the figures, print the table, write it to benchmarks/results/.

    python -m benchmarks                     everything (some minutes)
    python -m benchmarks --quick             a smoke run of everything (about a minute; not for quoting)
    python -m benchmarks --only core rules   only these

Exit code 0 when everything could be measured, reached or not; 1 when something could not; 130 when interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
import traceback
import warnings
from typing import Any

from rich.console import Console

from benchmarks import machine, report
from benchmarks.figures import Figure, Measure, Settings
from benchmarks.processes import stop_on_terminate

GROUPS = {
    "core": "benchmarks.core",
    "models": "benchmarks.model_rows",
    "rules": "benchmarks.rules_table",
    "profile": "benchmarks.profile_cost",
    "start": "benchmarks.startup",
    "replay": "benchmarks.replay",
    "drift": "benchmarks.drift",
    "challenges": "benchmarks.challenges",
    "simulator": "benchmarks.simulator",
    "reasons": "benchmarks.reasons",
    "http": "benchmarks.serving",
    "identity": "benchmarks.identity",
}


def measured(name: str, settings: Settings) -> list[Figure]:
    """One group's figures; a row that says why when it cannot be measured."""
    try:
        measure: Measure = importlib.import_module(GROUPS[name]).measure
        return measure(settings)
    except Exception as error:  # one part that fails must not cost the others' figures
        traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return [Figure(name, "could not be measured", None, "", note=text[-400:])]


def options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", nargs="+", choices=tuple(GROUPS), metavar="NAME", help=", ".join(GROUPS))
    arguments.add_argument("--quick", action="store_true", help="a smoke run")
    arguments.add_argument("--name", help="name of the result files (default: figures, with what was chosen)")
    return arguments.parse_args()


def result_name(chosen: argparse.Namespace) -> str:
    """A quick or partial run never overwrites a full one."""
    parts = ["figures", *(chosen.only or ()), *(["quick"] if chosen.quick else [])]
    return chosen.name or "-".join(parts)


def main() -> int:
    chosen = options()
    stop_on_terminate()
    logging.basicConfig(level=logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning)
    console = Console(width=None if sys.stdout.isatty() else 180)
    about: dict[str, Any] = machine.describe()
    start = time.monotonic()
    figures: list[Figure] = []
    try:
        for name in chosen.only or GROUPS:
            console.print(f"[dim]measuring {name} ...[/]")
            figures += measured(name, Settings(quick=chosen.quick))
    except KeyboardInterrupt:
        console.print("interrupted; nothing is written, every process is stopped")
        return 130
    about["seconds"] = round(time.monotonic() - start)
    about["command"] = " ".join(["python -m benchmarks", *sys.argv[1:]])
    report.show(figures, about, console)
    for path in report.write(result_name(chosen), figures, about):
        console.print(f"[dim]{path.relative_to(machine.ROOT)}[/]")
    return 1 if any(figure.measured is None for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
