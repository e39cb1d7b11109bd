"""`python -m training`: train a release and, if there is no champion yet, make it the champion."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from assay.errors import AssayError
from assay.release.store import champion, load_or_create_signing_key, set_champion
from training.train import CUSTOMERS, DAYS, VERSION, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of training, with their defaults."""
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="customers of the simulated bank")
    parser.add_argument("--days", type=int, default=DAYS, help="days to simulate (at least 40)")
    parser.add_argument("--out", type=Path, default=Path("models/releases"), help="folder of the releases")
    parser.add_argument("--version", default=VERSION, help="name of the new release")
    parser.add_argument(
        "--signing-key", type=Path, required=True, help="Ed25519 key (PEM), made when missing; keep it out of here"
    )
    parser.add_argument("--promote", action="store_true", help="make it the champion even if there is one")


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


def main() -> int:
    """Exit code 0 only when the release was written."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn())
    try:
        key = load_or_create_signing_key(options.signing_key)
        with Progress(*columns, console=console) as shown:
            progress = ShownProgress(shown)
            arguments = (options.seed, options.customers, options.days, options.out, key, progress)
            folder = train(*arguments, version=options.version)
            progress.finish()
        if options.promote or not _has_champion(options.out):
            set_champion(options.out, options.version)
    except (AssayError, OSError, ValueError) as problem:
        console.print(f"[red]training failed:[/red] {problem}")
        return 1
    print(folder)
    return 0


def _has_champion(root: Path) -> bool:
    try:
        champion(root)
    except AssayError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
