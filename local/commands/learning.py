"""Commands that train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import Seed, clear_errors

app = typer.Typer()


@app.command()
def train(
    seed: Seed = 7,
    data: Annotated[
        Path | None, typer.Option(help="Labelled transactions, CSV or Parquet, in place of a simulated bank.")
    ] = None,
    mapping: Annotated[
        str, typer.Option(help="Of --data: `assay`, `handbook`, or a YAML file naming the columns (docs/replay.md).")
    ] = "assay",
    out: Annotated[Path, typer.Option(help="Release registry to write to.")] = Path("var/models/releases"),
    customers: Annotated[int | None, typer.Option(help="Size of the simulated world.", min=50)] = None,
    days: Annotated[int | None, typer.Option(help="Length of the simulated history.", min=40)] = None,
    trials: Annotated[int, typer.Option(help="Candidates of the tuning.", min=1, max=200)] = 9,
    costs: Annotated[
        Path | None, typer.Option(help="What decisions cost, in place of training/defaults/costs.yaml.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Name of the new release.")] = None,
    signing_key: Annotated[Path, typer.Option(help="Ed25519 key, made when absent.")] = Path("var/keys/release.pem"),
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion of its registry.")] = False,
) -> None:
    """Train a signed release on a simulated bank or a file. Example: assay train --seed 7"""
    from local.replay.mapping import resolve
    from training.command import File, Simulation, run
    from training.settings import Settings, default
    from training.train import VERSION

    with clear_errors():
        chosen = costs.read_text("utf-8") if costs else default("costs.yaml")
        settings = Settings(version or VERSION, seed, trials, costs=chosen)
        source = File(data, resolve(mapping, data)) if data else Simulation(seed, customers, days)
        typer.echo(run(source, settings, out, signing_key, promote))
