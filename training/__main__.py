"""`python -m training`: train a signed release; the first of a registry becomes its champion."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from assay.errors import AssayError
from training.command import run
from training.train import CUSTOMERS, DAYS, VERSION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of training, with their defaults."""
    parser.add_argument("--seed", type=int, default=7, help="same seed, same release")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="customers of the simulated bank")
    parser.add_argument("--days", type=int, default=DAYS, help="days to simulate (at least 40)")
    parser.add_argument("--out", type=Path, default=Path("models/releases"), help="registry to write to")
    parser.add_argument("--version", default=VERSION, help="name of the new release")
    parser.add_argument("--signing-key", type=Path, required=True, help="Ed25519 key (PEM), made when absent")
    parser.add_argument("--promote", action="store_true", help="make it the champion even if there is one")


def main() -> int:
    """Exit code 0 only when the release was written."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    add_arguments(parser)
    given = parser.parse_args()
    try:
        folder = run(
            given.seed, given.out, given.signing_key, given.customers, given.days, given.version, given.promote
        )
    except (AssayError, OSError, ValueError) as problem:
        print(f"training failed: {problem}", file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
