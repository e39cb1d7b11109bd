"""Commands about what follows a decline."""

from __future__ import annotations

from pathlib import Path

import typer

from local.commands.options import DataDir, OnAws, all_or_none, clear_errors
from local.places import Places

app = typer.Typer(help="What follows a decline: frozen accounts, orders for card management.", no_args_is_help=True)


@app.command("redrive")
def actions_redrive(
    data_dir: DataDir = Path("var"),
    accounts_table: OnAws = None,
    outbox_table: OnAws = None,
    events_topic: OnAws = None,
) -> None:
    """Try the orders for card management again that were given up. Example: assay actions redrive --data-dir var

    Deployed: --accounts-table NAME --outbox-table NAME --events-topic ARN.
    """
    import asyncio

    deployed = all_or_none(accounts_table=accounts_table, outbox_table=outbox_table, events_topic=events_topic)
    with clear_errors():
        if deployed:
            from local.aws import actions

            redriven = asyncio.run(actions.redrive(*deployed))
        else:
            from local.actions import redrive

            redriven = redrive(Places(data_dir).database)
        typer.echo(f"{redriven} orders will be tried again")
