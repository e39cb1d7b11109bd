"""What commands have in common: options, and how an error is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import AssayError

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the database and the keys.")]

ModelsDir = Annotated[
    Path, typer.Option("--models", envvar="ASSAY_MODELS", help="Folder of the release registry and its trusted keys.")
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]

Client = Annotated[str | None, typer.Option(help="The client that sent it, when several used this id.")]

Seed = Annotated[int, typer.Option(help="Same seed and data, same result.", min=0, max=10**9)]

OnAws = Annotated[str | None, typer.Option(help="Of an installation on AWS: see its stack's outputs.")]


@contextmanager
def clear_errors() -> Iterator[None]:
    """An error Assay raises on purpose is one line and exit code 1, not a traceback."""
    try:
        yield
    except (AssayError, OSError) as error:
        typer.echo(f"assay: {error}", err=True)
        raise typer.Exit(1) from None


def all_or_none(**options: str | None) -> list[str]:
    """What names an installation on AWS: each of the options, or none."""
    given = [value for value in options.values() if value]
    if given and len(given) < len(options):
        missing = ", ".join(f"--{name.replace('_', '-')}" for name, value in options.items() if not value)
        raise typer.BadParameter(f"an installation on AWS needs {missing} too")
    return given
