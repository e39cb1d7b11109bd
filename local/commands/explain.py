"""Why a transaction was decided as it was, and what would have changed it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, Client, DataDir, ModelsDir, clear_errors
from local.places import MODELS, Places

app = typer.Typer()


@app.command()
def explain(
    transaction: Annotated[str, typer.Argument(help="The transaction's id.")],
    client: Client = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """The reasons on record, and the fewest causes without which a decline would be none.

    Example: assay explain sample-risky-1
    """
    from local.explanation import explanation, told

    with clear_errors():
        found = explanation(Places(data_dir, models), transaction, client)
        typer.echo(json.dumps(asdict(found)) if as_json else told(found))
