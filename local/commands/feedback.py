"""Commands about labels, and what they say of the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, clear_errors
from local.places import MODELS, Places

app = typer.Typer(help="What transactions turned out to be, and what that says of the rules.", no_args_is_help=True)


@app.command("import")
def feedback_import(
    file: Annotated[Path, typer.Argument(help="CSV of labels: docs/feedback.md.", exists=True, dir_okay=False)],
    user: Annotated[str, typer.Option("--as", help="E-mail address of the user who labels.")],
    client: Annotated[str | None, typer.Option(help="The client of rows that name none.")] = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Take the labels of a file; exit code 1 when a row is refused.

    Example: assay feedback import labels.csv --as ana@bank.example
    """
    from local.champion import open_champion
    from local.labels import import_file

    with clear_errors():
        places = Places(data_dir, models)
        report = import_file(places.database, open_champion(places), file, user, client)
        if as_json:
            typer.echo(report.model_dump_json())
        else:
            for row in report.errors:
                typer.echo(f"line {row.line}: {row.reason}", err=True)
            counts = report.model_dump(exclude={"errors"})
            typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
        raise typer.Exit(1 if report.refused else 0)


@app.command("rules")
def feedback_rules(
    days: Annotated[int, typer.Option(help="Decided in the days before now.", min=1)] = 90,
    data_dir: DataDir = Path("var"),
    as_json: AsJson = False,
) -> None:
    """How each rule has done on labelled transactions. Example: assay feedback rules --days 30"""
    from local.labels import rules
    from local.rule_report import print_rules

    with clear_errors():
        report = rules(Places(data_dir).database, days)
        if as_json:
            typer.echo(report.model_dump_json())
        else:
            print_rules(report)
