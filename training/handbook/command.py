"""`assay evaluate handbook`: progress shown, results written and printed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sklearn
import xgboost
from rich.console import Console
from rich.progress import Progress

from training.command import COLUMNS, ShownProgress
from training.handbook import own
from training.handbook.evaluate import Prepared, our_rows, prepare, reproduce, rule_row
from training.handbook.load import load
from training.handbook.protocol import date_of
from training.handbook.published import TOLERANCE
from training.handbook.report import Row, as_document, as_markdown, as_table

PUBLISHED_TITLE = "Handbook: the published rows, reproduced (published figures in brackets)"
OWN_TITLE = "Handbook: ours, the four test weeks from 2018-08-08 to 2018-09-04"


def run(data: Path | None, out: Path, seed: int, published_only: bool, as_json: bool) -> int:
    """Writes `out`/handbook.json and handbook.md and prints one of them.

    Returns 0, or 1 when a row that should be as published is not. Raises HandbookError (no data) or OSError.
    """
    with Progress(*COLUMNS, console=Console(stderr=True)) as shown:
        progress = ShownProgress(shown)
        prepared = prepare(load(data, out / "handbook", progress), progress)
        rows = reproduce(prepared, progress)
        ours, facts = ([], {}) if published_only else _ours(prepared, seed, progress)
        progress.finish()
    document = as_document([*rows, *ours], {"seed": seed, **_versions(), **_sizes(prepared), **facts})
    text = json.dumps(document, indent=1, allow_nan=False)
    tables = [(PUBLISHED_TITLE, rows), *([(OWN_TITLE, ours)] if ours else [])]
    out.mkdir(parents=True, exist_ok=True)
    (out / "handbook.json").write_text(text + "\n", encoding="utf-8")
    (out / "handbook.md").write_text("\n".join(as_markdown(*table) for table in tables), encoding="utf-8")
    if as_json:
        print(text)
    else:
        _show(tables, out)
    return 1 if any(row.missed() for row in rows) else 0


def _ours(prepared: Prepared, seed: int, progress: ShownProgress) -> tuple[list[Row], dict[str, Any]]:
    rows, trials = our_rows(prepared, seed, progress)
    tried = [asdict(trial) for trial in trials]
    return [rule_row(prepared), *rows], {
        "settings_by_validation": tried,
        "validation_weeks": [date_of(fold.test_day) for fold in own.VALIDATION],
        "trained_since": date_of(own.SINCE),
    }


def _versions() -> dict[str, str]:
    return {"scikit-learn": sklearn.__version__, "xgboost": xgboost.__version__}


def _sizes(prepared: Prepared) -> dict[str, int]:
    return {"transactions": len(prepared.frame), "frauds": int(prepared.columns.frauds.sum())}


def _show(tables: list[tuple[str, list[Row]]], out: Path) -> None:
    console = Console()
    for title, rows in tables:
        console.print(as_table(title, rows))
    missed = [row.name for _, rows in tables for row in rows if row.missed()]
    told = f"not within {TOLERANCE} of the published figures: {', '.join(missed)}" if missed else "all reproduced"
    console.print(f"{told}; written to {out / 'handbook.json'} and {out / 'handbook.md'}")
