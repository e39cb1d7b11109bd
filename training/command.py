"""Training as a command: progress shown, the key loaded, the report written, the first release made the champion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from assay.errors import ReleaseError
from assay.release.keys import load_or_create_signing_key
from assay.release.registry import champion, set_champion
from training.datasets import ColumnMapping
from training.report_html import write_report
from training.settings import Settings
from training.train import CUSTOMERS, DAYS, Trained, train, train_on_file

COLUMNS = (TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn())


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated bank to train on; None takes the default."""

    seed: int
    customers: int | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of labelled transactions to train on."""

    path: Path
    mapping: ColumnMapping


def run(source: Simulation | File, settings: Settings, out: Path, signing_key: Path, promote: bool = False) -> Path:
    """Trains, writes the release, its report beside the registry (`reports/<version>.html`), and answers with the
    release's folder; progress goes to stderr.

    The release becomes the champion when it is the registry's first, or with `promote`. Raises AssayError (data that
    nothing can be learnt from, key, parity, a version that exists with other bytes) or OSError.
    """
    key = load_or_create_signing_key(signing_key)
    with Progress(*COLUMNS, console=Console(stderr=True)) as shown:
        progress = ShownProgress(shown)
        if isinstance(source, File):
            trained = train_on_file(source.path, source.mapping, settings, out, key, progress)
        else:
            customers, days = source.customers or CUSTOMERS, source.days or DAYS
            trained = train(source.seed, customers, days, out, key, progress, settings=settings)
        progress.finish()
    write_report(report_file(out, trained), trained)
    if promote or not _has_champion(out):
        set_champion(out, settings.version, [key.public_key()])
    return trained.folder


def report_file(out: Path, trained: Trained) -> Path:
    """Where a release's report is: not among the signed files, which servers read."""
    return out.parent / "reports" / f"{trained.folder.name}.html"


class ShownProgress:
    """Shows the step under way and how far it is, as long as it runs."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._task: TaskID | None = None
        self._step = ""

    def __call__(self, step: str, share: float) -> None:
        """Told by training."""
        if self._task is None or step != self._step:
            self.finish()
            self._step, self._task = step, self._shown.add_task(step, total=1.0)
        self._shown.update(self._task, completed=share)

    def finish(self) -> None:
        """The step under way is done."""
        if self._task is not None:
            self._shown.update(self._task, completed=1.0)


def _has_champion(root: Path) -> bool:
    try:
        champion(root)
    except ReleaseError:
        return False
    return True
