"""Commands that train again on what was learnt since, and let the result decide when it is better."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, Seed, clear_errors
from local.places import MODELS, Places

app = typer.Typer(help="Train again on what was learnt since; a gate decides whether it is better.")


@app.callback(invoke_without_command=True)
def retrain(
    context: typer.Context,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    if_needed: Annotated[
        bool,
        typer.Option("--if-needed", help="Only when drift, new labels or age call for it; rolls back a bad champion."),
    ] = False,
    seed: Seed = 7,
    as_json: AsJson = False,
) -> None:
    """Make a challenger of history and labels, let the gate judge it. Example: assay retrain --if-needed

    Exit code 0 also when it stays a challenger: that is an answer. docs/retraining.md says what the gate asks.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.progress import Progress

    from functions.trainer.run import Retrainer
    from local.retraining.installation import Embedded
    from local.retraining.report import show
    from training.command import COLUMNS, ShownProgress

    with clear_errors():
        with Progress(*COLUMNS, console=Console(stderr=True), disable=as_json) as shown:
            progress = ShownProgress(shown)
            installation = Embedded(Places(data_dir, models))
            report = Retrainer(installation, seed=seed, progress=progress).run(if_needed)
            progress.finish()
        if as_json:
            typer.echo(report.model_dump_json())
        else:
            show(report)


@app.command()
def shadow(data_dir: DataDir = Path("var"), models: ModelsDir = MODELS, as_json: AsJson = False) -> None:
    """What the challenger would have made of what the champion decided lately. Example: assay retrain shadow"""
    from functions.trainer.run import Retrainer
    from local.retraining.installation import Embedded
    from local.retraining.report import show_shadow

    with clear_errors():
        found = Retrainer(Embedded(Places(data_dir, models))).shadow()
        if as_json:
            typer.echo("null" if found is None else found.model_dump_json())
        elif found is None:
            typer.echo("the champion has decided nothing lately")
        else:
            show_shadow(found)


@app.command()
def golden(
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    until: Annotated[
        datetime | None, typer.Option(help="Of own history before this day (UTC), instead of a simulated bank.")
    ] = None,
    days: Annotated[int, typer.Option(help="Of own history: so many days.", min=1)] = 30,
    replace: Annotated[bool, typer.Option("--replace", help="Also when there is one.")] = False,
) -> None:
    """Freeze the golden set, which judges every challenger. Example: assay retrain golden --until 2026-10-01"""
    from functions.trainer.golden import freeze_history, freeze_simulated, require_none
    from local.champion import open_champion
    from local.retraining.installation import Embedded

    with clear_errors():
        places = Places(data_dir, models)
        installation = Embedded(places)
        if until is not None:
            frozen = freeze_history(installation, until.replace(tzinfo=UTC), days, replace=replace)
        else:
            if not replace:
                require_none(installation)
            frozen = freeze_simulated(installation, open_champion(places))
        typer.echo(frozen.sha256)
