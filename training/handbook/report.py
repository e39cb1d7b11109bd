"""The rows of the evaluation, and how they are shown: JSON, Markdown, a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from rich.table import Table

from training.handbook.measure import PUBLISHED_MEASURES, Measures
from training.handbook.protocol import Fold, date_of
from training.handbook.published import TOLERANCE
from training.metrics import rounded

HEADERS = ("model", "ROC AUC", "AP", "CP@100", "AP, amount ≤ 220", "scenario 2: AP", "scenario 2: recall")
"""AP: average precision. CP@100: card precision. Recall at 0.5 % false positives."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model's measures, fold by fold. `published` are the Handbook's own figures for it."""

    name: str
    folds: Sequence[Fold]
    measured: Sequence[Measures]
    published: tuple[float, ...] | None = None
    reproducible: bool = False
    features: Sequence[str] = field(default=())

    def mean(self) -> dict[str, float]:
        """Over the folds."""
        return _over(self.measured, np.mean)

    def spread(self) -> dict[str, float]:
        """Standard deviation over the folds; 0 for one."""
        return _over(self.measured, np.std)

    def off(self) -> float:
        """The largest distance from a published figure."""
        mean = self.mean()
        pairs = zip(PUBLISHED_MEASURES, self.published or (), strict=False)
        return max((abs(mean[name] - figure) for name, figure in pairs), default=0.0)

    def missed(self) -> bool:
        """It should be as published and is not."""
        return self.reproducible and not self.off() <= TOLERANCE


def _over(measured: Sequence[Measures], what: Any) -> dict[str, float]:  # noqa: ANN401 - numpy's mean or std
    if not measured:
        return {}
    return {part.name: float(what([getattr(each, part.name) for each in measured])) for part in fields(Measures)}


def as_document(rows: Iterable[Row], facts: dict[str, Any]) -> dict[str, Any]:
    """Ready for JSON. The same data, seed and libraries give the same document."""
    return rounded({**facts, "tolerance": TOLERANCE, "rows": [_row(row) for row in rows]})  # type: ignore[no-any-return]


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "test_weeks": [date_of(fold.test_day) for fold in row.folds],
        "folds": [asdict(each) for each in row.measured],
        "mean": row.mean(),
        "std": row.spread(),
        "published": None if row.published is None else dict(zip(PUBLISHED_MEASURES, row.published, strict=True)),
        "off": row.off() if row.published and row.measured else None,
        "reproduced": None if not row.reproducible else not row.missed(),
        "features": list(row.features),
    }


def cells(row: Row) -> list[str]:
    """One line of the table: mean ± spread where there are several folds, `!` where it should be as published."""
    if not row.measured:
        return [row.name, *(f"{figure:.3f} (published)" for figure in row.published or ()), "", "", ""]
    mean, spread = row.mean(), row.spread()
    figures = list(row.published or ())
    texts = [row.name + (" !" if row.missed() else "")]
    for index, name in enumerate(mean):
        text = "–" if np.isnan(mean[name]) else f"{mean[name]:.3f}"
        if len(row.folds) > 1 and text != "–":
            text += f" ± {spread[name]:.3f}"
        texts.append(f"{text} ({figures[index]:.3f})" if index < len(figures) else text)
    return texts


def as_markdown(title: str, rows: Iterable[Row]) -> str:
    """A Markdown table; published figures in brackets."""
    lines = [f"### {title}", "", f"| {' | '.join(HEADERS)} |", "|---" * len(HEADERS) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in rows), ""])


def as_table(title: str, rows: Iterable[Row]) -> Table:
    """The same for a terminal."""
    table = Table(title=title)
    for header in HEADERS:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*cells(row))
    return table
