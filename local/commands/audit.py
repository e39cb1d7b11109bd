"""Commands about the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, Client, DataDir, clear_errors
from local.places import Places

app = typer.Typer(help="The audit log: every decision, in a hash chain.", no_args_is_help=True)

AnchorTable = Annotated[
    str | None, typer.Option("--anchor-table", help="The DynamoDB table that knows the end of the log.")
]


@app.command("verify")
def audit_verify(
    location: Annotated[
        str | None, typer.Argument(help="The log's folder or s3://bucket, when it is not the data folder's.")
    ] = None,
    data_dir: DataDir = Path("var"),
    anchor_table: AnchorTable = None,
    head: Annotated[
        list[str] | None, typer.Option(help="SEQUENCE:HASH noted elsewhere at some time; repeat for more.")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="File of such heads, one per line.", exists=True, dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the audit log, offline; exit code 0 only when it is whole. Example: assay audit verify --data-dir var"""
    from local.audit.verify import read_head, read_heads, run

    with clear_errors():
        noted = [*map(read_head, head or ()), *(read_heads(heads) if heads else ())]
        raise typer.Exit(run(location or str(Places(data_dir).audit), anchor_table, noted, as_json))


@app.command("head")
def audit_head(data_dir: DataDir = Path("var"), anchor_table: AnchorTable = None) -> None:
    """Print where the audit log ends, to be kept elsewhere. Example: assay audit head >> /mnt/elsewhere/heads"""
    from local.audit.anchors import head

    with clear_errors():
        typer.echo(head(Places(data_dir).audit, anchor_table))


@app.command("show")
def audit_show(
    id: Annotated[str, typer.Argument(help="Of a transaction, or of another event.")],  # noqa: A002 - as in the log
    client: Client = None,
    data_dir: DataDir = Path("var"),
) -> None:
    """Print what the audit log holds of a transaction or event, as JSON. Example: assay audit show sample-risky-1"""
    from local.audit.records import find, shown

    with clear_errors():
        typer.echo(shown(find(Places(data_dir), id, client)))
