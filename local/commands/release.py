"""Commands about releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, clear_errors
from local.embedded import MODELS, Places, open_champion

app = typer.Typer(help="Releases: models, rules and policy, signed.", no_args_is_help=True)


@app.command("show")
def release_show(data_dir: DataDir = Path("var"), models: ModelsDir = MODELS, as_json: AsJson = False) -> None:
    """Show the champion, verified. Example: assay release show --json"""
    with clear_errors():
        release = open_champion(Places(data_dir, models))
    facts = {"version": release.version, "hash": release.hash, "metrics": release.manifest.metrics}
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{release.version}  {release.hash}")
    for name, value in sorted(release.manifest.metrics.items()):
        typer.echo(f"  {name:<48} {value:.4f}")


@app.command("verify")
def release_verify(
    folder: Annotated[Path, typer.Argument(help="The release's folder.")],
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
) -> None:
    """Check signature and hashes of a release. Example: assay release verify models/releases/2026.11.1"""
    from assay.release import load_trusted_keys, open_release

    places = Places(data_dir, models)
    with clear_errors():
        release = open_release(folder, load_trusted_keys(places.models / "keys", places.keys))
    typer.echo(f"{release.version}  {release.hash}  signature and {len(release.manifest.files)} files are good")
