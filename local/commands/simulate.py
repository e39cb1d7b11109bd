"""The simulated bank: in files, as live traffic, or as a measure of the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, Seed, clear_errors
from local.places import MODELS, Places

if TYPE_CHECKING:
    from training.simulator import Shift

app = typer.Typer()


@app.command()
def simulate(
    out: Annotated[
        Path | None, typer.Option(help="Write transactions here (.parquet or .csv), the rest beside.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Send transactions to a server, for example http://127.0.0.1:8080.")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="How hard it is, and what the champion makes of it.")
    ] = False,
    customers: Annotated[int, typer.Option(help="Size of the bank.", min=50, max=10_000_000)] = 1_000,
    days: Annotated[int, typer.Option(help="Length of the history.", min=1, max=36_500)] = 60,
    seed: Seed = 11,
    shift: Annotated[
        list[str] | None,
        typer.Option(help="Plant a drift: STORY=2.0 (told as much more often) or amounts=1.5; repeat for more."),
    ] = None,
    from_day: Annotated[int, typer.Option(help="The day from which shifts hold, counted from 0.", min=0)] = 0,
    rate: Annotated[float, typer.Option(help="With --url: transactions per second.", min=0.1, max=5_000)] = 50,
    duration: Annotated[float, typer.Option(help="With --url: at most so many seconds.", min=1, max=86_400)] = 60,
    token: Annotated[str, typer.Option(envvar="ASSAY_TOKEN", help="With --url: bearer token (`assay token`).")] = "",
    labels: Annotated[
        bool, typer.Option("--labels", help="With --url: send frauds to POST /feedback as they become known.")
    ] = False,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """A simulated bank: into files, against a server, or as a report.

    Example: assay simulate --out bank.parquet --customers 2000 --days 90
    """
    if (out is not None) + (url is not None) + report != 1:
        raise typer.BadParameter("one of --out, --url and --report says what to do with the bank")
    drift = _shift(shift or [], from_day)
    with clear_errors():
        if out is not None:
            _write(out, seed, customers, days, drift, as_json)
        elif url is not None:
            _send(url, token, rate, duration, labels, (seed, customers, days, drift), as_json)
        else:
            from local.simulator_report import run

            run(Places(data_dir, models), seed, customers, days, drift, as_json)


def _shift(given: list[str], from_day: int) -> Shift:
    from training.simulator import Shift

    try:
        pairs = [text.split("=") for text in given]
        return Shift({kind: float(factor) for kind, factor in pairs}, from_day)
    except ValueError as error:
        raise typer.BadParameter(f"--shift KIND=FACTOR: {error}") from None


def _write(out: Path, seed: int, customers: int, days: int, drift: Shift, as_json: bool) -> None:
    from rich.console import Console

    from training.simulator import simulate as events
    from training.simulator.files import Written, write_files

    with Console(stderr=True).status("simulating ...") as status:

        def told(written: Written) -> None:
            status.update(f"{written.transactions:,} transactions")

        written = write_files(out, events(seed, customers, days, shift=drift), told)
    counts = {name: getattr(written, name) for name in ("transactions", "fraud", "logins", "labels")}
    if as_json:
        typer.echo(json.dumps({**counts, "files": [str(file) for file in written.files]}))
    else:
        typer.echo(", ".join(f"{count:,} {name}" for name, count in counts.items()))
        for file in written.files:
            typer.echo(str(file))


def _send(
    url: str, token: str, rate: float, duration: float, labels: bool, bank: tuple[int, int, int, Shift], as_json: bool
) -> None:
    from local.simulated_traffic import Plan, past_events, send

    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"--url {url}: neither http:// nor https://")
    if not token:
        raise typer.BadParameter("--url needs --token or ASSAY_TOKEN: assay token prints one")
    summary = send(Plan(url, token, rate, duration, labels), past_events(*bank)).summary()
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        for name, value in summary.items():
            text = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
            typer.echo(f"{name.replace('_', ' ')}: {text or 'none'}")
    raise typer.Exit(1 if summary["errors"] else 0)
