"""The table on the screen, and the result files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, cells

RESULTS = Path(__file__).resolve().parent / "results"
COLUMNS = ("what", "measured", "target", "compared with", "reached?")


def show(figures: list[Figure], machine: dict[str, Any], console: Console) -> None:
    """Print the table."""
    table = Table(title="Assay, measured figures", title_justify="left", show_lines=False, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in {"measured", "target"} else "left", overflow="fold")
    group = ""
    for figure in figures:
        if group and figure.group != group:
            table.add_section()
        group = figure.group
        style = {"yes": "green", "NO": "bold red", "not measured": "yellow"}
        row = cells(figure)
        table.add_row(*row[:4], f"[{style[row[4]]}]{row[4]}[/]" if row[4] else "")
    console.print(table)
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_average_before']} before; "
        f"commit {machine['commit']}; Python {machine['python']}; {machine['date']}"
    )


def markdown(figures: list[Figure], machine: dict[str, Any]) -> str:
    """The same table, for people who read it later."""
    lines = ["# Measured figures", "", "Written by `python -m benchmarks`. Medians; ratios are taken in one run.", ""]
    for key in ("date", "commit", "command", "seconds", "cpu", "cores", "load_average_before", "system", "python"):
        lines.append(f"- {key.replace('_', ' ')}: {machine[key]}")
    libraries: dict[str, str] = machine["libraries"]
    lines += ["- libraries: " + ", ".join(f"{name} {version}" for name, version in libraries.items()), ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|---|---:|---:|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "/") for cell in cells(figure)) + " |" for figure in figures]
    return "\n".join(lines) + "\n"


def write(name: str, figures: list[Figure], machine: dict[str, Any]) -> tuple[Path, Path]:
    """Write `<name>.json` and `<name>.md`; returns their paths."""
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": machine, "figures": [{**asdict(figure), "reached": figure.reached} for figure in figures]}
    json_file, markdown_file = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    json_file.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
    markdown_file.write_text(markdown(figures, machine), "utf-8")
    return json_file, markdown_file
