"""Training as a command: progress shown, the key loaded, the first release of a registry made its champion."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from assay.errors import AssayError, ReleaseError
from assay.release.store import champion, load_or_create_signing_key, set_champion
from training.train import CUSTOMERS, DAYS, VERSION, train

COLUMNS = (TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn())


def run(
    seed: int,
    out: Path,
    signing_key: Path,
    customers: int | None = None,
    days: int | None = None,
    version: str | None = None,
    promote: bool = False,
) -> Path:
    """Trains, writes the release and answers with its folder; progress goes to stderr.

    The release becomes the champion when it is the registry's first, or with `promote`. None takes the default.
    Raises AssayError (key, parity, a version that exists with other bytes, too small a world) or OSError.
    """
    key = load_or_create_signing_key(signing_key)
    version = version or VERSION
    with Progress(*COLUMNS, console=Console(stderr=True)) as shown:
        progress = ShownProgress(shown)
        try:
            folder = train(seed, customers or CUSTOMERS, days or DAYS, out, key, progress, version=version)
        except ValueError as error:  # a world too small to learn from
            raise AssayError(str(error)) from error
        progress.finish()
    if promote or not _has_champion(out):
        set_champion(out, version)
    return folder


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
