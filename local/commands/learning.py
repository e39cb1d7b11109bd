"""Commands that train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import clear_errors

app = typer.Typer()


@app.command()
def train(
    seed: Annotated[int, typer.Option(help="Same seed, same release.")] = 7,
    out: Annotated[Path, typer.Option(help="Release registry to write to.")] = Path("var/models/releases"),
    customers: Annotated[int | None, typer.Option(help="Size of the simulated world.", min=50)] = None,
    days: Annotated[int | None, typer.Option(help="Length of the simulated history.", min=40)] = None,
    version: Annotated[str | None, typer.Option(help="Name of the new release.")] = None,
    signing_key: Annotated[Path, typer.Option(help="Ed25519 key, made when absent.")] = Path("var/keys/release.pem"),
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion of its registry.")] = False,
) -> None:
    """Train a signed release on a simulated bank. Example: assay train --seed 7"""
    from training.command import run

    with clear_errors():
        typer.echo(run(seed, out, signing_key, customers, days, version, promote))
