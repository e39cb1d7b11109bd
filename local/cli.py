"""The `assay` command. Each command imports what it needs when it runs: `serve` starts without training's libraries."""

from __future__ import annotations

import typer

from local.commands import (
    actions,
    alerts,
    audit,
    backtest,
    evaluate,
    events,
    explain,
    feedback,
    identity,
    intelligence,
    learning,
    offline,
    release,
    retrain,
    serving,
    simulate,
)
from local.process_end import run_to_end

app = typer.Typer(
    help="Real-time fraud decisions for payments.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
for commands in (
    serving.app,
    offline.app,
    learning.app,
    simulate.app,
    backtest.app,
    intelligence.app,
    explain.app,
):
    app.add_typer(commands)
app.add_typer(release.app, name="release")
app.add_typer(retrain.app, name="retrain")
app.add_typer(audit.app, name="audit")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(alerts.app, name="alerts")
app.add_typer(identity.users, name="users")
app.add_typer(identity.clients, name="clients")
app.add_typer(identity.keys, name="keys")
app.add_typer(actions.app, name="actions")
app.add_typer(events.app, name="events")
app.add_typer(feedback.app, name="feedback")


def main() -> None:
    """Entry point of the console script."""
    run_to_end(app)
