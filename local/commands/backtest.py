"""The command that tries other rules on history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, ModelsDir, clear_errors
from local.places import MODELS, Places

app = typer.Typer()


@app.command()
def backtest(
    rules: Annotated[Path, typer.Argument(help="The rules to try, as a release's rules.yaml.")],
    against: Annotated[
        str,
        typer.Option(
            help="Data folder of an installation; Parquet of features with `is_fraud`; CSV or Parquet of transactions; "
            "or `simulated`."
        ),
    ] = "simulated",
    mapping: Annotated[
        str, typer.Option(help="Of transactions: `assay`, `handbook`, or a YAML file (docs/replay.md).")
    ] = "assay",
    save: Annotated[
        Path | None, typer.Option(help="Keep the history with its features as Parquet, for the next time.")
    ] = None,
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """What other rules would have caught and cost, beside those of the champion.

    Example: assay backtest rules.yaml --against var
    """
    from local.backtest import print_backtest, run
    from local.champion import open_champion

    with clear_errors():
        release = open_champion(Places(Path("var"), models))
        found = run(rules, release, against, mapping, save)
        if as_json:
            typer.echo(found.model_dump_json())
        else:
            print_backtest(found)
