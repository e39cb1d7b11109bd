"""`make bench-lambda`: builds the images, runs every topology at every size, prints the tables, writes the result."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.lambda_cost import cost, tables
from benchmarks.lambda_cost.deployment import Usage, measure
from benchmarks.lambda_cost.topologies import TOPOLOGIES
from benchmarks.machine import ROOT, describe

MEMORIES_MB = (512, 1024, 1769)
RESULT = ROOT / "benchmarks" / "results" / "lambda_cost.md"


def main() -> None:
    """Needs Docker and root's right to use it."""
    parser = argparse.ArgumentParser(prog="make bench-lambda", description=__doc__)
    parser.add_argument("--verdicts", type=int, default=200, help="measured per run (default: %(default)s)")
    parser.add_argument("--memory", type=int, nargs="+", default=MEMORIES_MB, help="megabytes (default: all sizes)")
    arguments = parser.parse_args()
    machine, console = describe(), Console()
    base_image = os.environ.get("ASSAY_BASE_IMAGE", "")
    runs: dict[tuple[str, int], Usage] = {}
    with tempfile.TemporaryDirectory() as folder:
        for topology in TOPOLOGIES:
            for memory in arguments.memory:
                console.print(f"{topology.name}, {memory} MB", style="dim")
                runs[topology.name, memory] = measure(topology, memory, arguments.verdicts, base_image, Path(folder))
    costs = {(name, memory): cost.of(usage, memory) for (name, memory), usage in runs.items()}
    text = tables.document(runs, costs, machine)
    console.print(Markdown(text))
    RESULT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
