"""The `assay` command. Each command imports what it needs when it runs: `serve` starts without training's libraries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import AssayError
from local.embedded import MODELS, Places, open_champion

app = typer.Typer(
    help="Real-time fraud decisions for payments.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
release_app = typer.Typer(help="Releases: models, rules and policy, signed.", no_args_is_help=True)
app.add_typer(release_app, name="release")
audit_app = typer.Typer(help="The audit log: every decision, in a hash chain.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the database and the keys.")]
ModelsDir = Annotated[
    Path, typer.Option("--models", envvar="ASSAY_MODELS", help="Folder of the release registry and its trusted keys.")
]
GeoIp = Annotated[
    Path | None,
    typer.Option(
        "--geoip", envvar="ASSAY_GEOIP_DATABASE", help="Country database in MaxMind's format, instead of the packaged."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def main() -> None:
    """Entry point of the console script."""
    app()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """An error Assay raises on purpose is one line and exit code 1, not a traceback."""
    try:
        yield
    except (AssayError, OSError) as error:
        typer.echo(f"assay: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    geoip: GeoIp = None,
) -> None:
    """Serve the API from one process. Example: assay serve --port 8080 --data-dir var"""
    from local.server import serve as run

    with _clear_errors():
        run(Places(data_dir, models, geoip), host, port, typer.echo)


@app.command()
def token(
    data_dir: DataDir = Path("var"),
    client: Annotated[str, typer.Option(help="The client the token speaks for.")] = "dev",
    scope: Annotated[list[str] | None, typer.Option(help="A scope; repeat for more. All, when none is given.")] = None,
    ttl: Annotated[int, typer.Option(help="Lifetime in seconds.", min=1, max=86_400)] = 300,
) -> None:
    """Print a bearer token for development. Example: assay token --client shop --scope score:write"""
    from local.tokens import SCOPES, mint

    unknown = set(scope or ()) - set(SCOPES)
    if unknown:
        raise typer.BadParameter(f"unknown scope {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}")
    with _clear_errors():
        typer.echo(mint(data_dir / "keys", client, tuple(scope or SCOPES), ttl))


@app.command()
def jwks(data_dir: DataDir = Path("var")) -> None:
    """Print the public keys that verify this installation's tokens. Example: assay jwks > jwks.json"""
    from local.tokens import jwks as public_keys

    with _clear_errors():
        typer.echo(public_keys(data_dir / "keys"))


@app.command()
def demo(
    transactions: Annotated[int, typer.Option(help="Length of the simulated stream.", min=100)] = 4_000,
) -> None:
    """Start a server, score samples and a simulated stream, print the verdicts. Example: assay demo"""
    from local.demo.run import run

    with _clear_errors():
        raise typer.Exit(run(transactions))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet of transactions.", exists=True, dir_okay=False)],
    mapping: Annotated[
        str, typer.Option(help="`assay`, `handbook`, or a YAML file naming the columns (docs/replay.md).")
    ] = "assay",
    out: Annotated[Path, typer.Option(help="Verdicts, as Parquet (.parquet) or CSV (.csv).")] = Path(
        "verdicts.parquet"
    ),
    limit: Annotated[int | None, typer.Option(help="Stop after so many transactions.", min=1)] = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Score a file offline, through the whole pipeline. Example: assay replay day.csv --out verdicts.csv"""
    from local.replay.run import run

    with _clear_errors():
        raise typer.Exit(run(file, mapping, out, limit, Places(data_dir, models), as_json))


@app.command()
def train(
    seed: Annotated[int, typer.Option(help="Same seed, same release.")] = 7,
    out: Annotated[Path, typer.Option(help="Release registry to write to.")] = Path("var/models/releases"),
    customers: Annotated[int | None, typer.Option(help="Size of the simulated world.", min=50)] = None,
    days: Annotated[int | None, typer.Option(help="Length of the simulated history.", min=40)] = None,
    version: Annotated[str | None, typer.Option(help="Name of the new release.")] = None,
    signing_key: Annotated[Path, typer.Option(help="Ed25519 key, made when absent.")] = Path("var/keys/release.pem"),
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion of its registry.")] = False,
) -> None:
    """Train a signed release on a simulated bank. Example: assay train --seed 7"""
    from training.command import run

    with _clear_errors():
        typer.echo(run(seed, out, signing_key, customers, days, version, promote))


@app.command()
def doctor(data_dir: DataDir = Path("var"), models: ModelsDir = MODELS, geoip: GeoIp = None) -> None:
    """Say what is missing or wrong on this machine, and the mend. Example: assay doctor"""
    from local.doctor import examine

    findings = examine(Places(data_dir, models, geoip))
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)


@release_app.command("show")
def release_show(data_dir: DataDir = Path("var"), models: ModelsDir = MODELS, as_json: AsJson = False) -> None:
    """Show the champion, verified. Example: assay release show --json"""
    with _clear_errors():
        release = open_champion(Places(data_dir, models))
    facts = {"version": release.version, "hash": release.hash, "metrics": release.manifest.metrics}
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{release.version}  {release.hash}")
    for name, value in sorted(release.manifest.metrics.items()):
        typer.echo(f"  {name:<48} {value:.4f}")


@release_app.command("verify")
def release_verify(
    folder: Annotated[Path, typer.Argument(help="The release's folder.")],
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
) -> None:
    """Check signature and hashes of a release. Example: assay release verify models/releases/2026.11.1"""
    from assay.release import load_trusted_keys, open_release

    places = Places(data_dir, models)
    with _clear_errors():
        release = open_release(folder, load_trusted_keys(places.models / "keys", places.keys))
    typer.echo(f"{release.version}  {release.hash}  signature and {len(release.manifest.files)} files are good")


@audit_app.command("verify")
def audit_verify(
    folder: Annotated[
        Path | None, typer.Argument(help="The log's folder, when it is not the data folder's.", file_okay=False)
    ] = None,
    data_dir: DataDir = Path("var"),
    as_json: AsJson = False,
) -> None:
    """Prove the audit log, offline; exit code 0 only when it is whole. Example: assay audit verify --data-dir var"""
    from local.audit.verify import run

    with _clear_errors():
        raise typer.Exit(run(folder or Places(data_dir).audit, as_json))


Client = Annotated[str | None, typer.Option(help="The client that sent it, when several used this id.")]


@audit_app.command("show")
def audit_show(
    transaction: Annotated[str, typer.Argument(help="The transaction's id.")],
    client: Client = None,
    data_dir: DataDir = Path("var"),
) -> None:
    """Print what the audit log holds of a transaction, as JSON. Example: assay audit show sample-risky-1"""
    from local.audit.records import find, shown

    with _clear_errors():
        typer.echo(shown(find(Places(data_dir), transaction, client)))


@app.command("replay-decision")
def replay_decision(
    transaction: Annotated[str, typer.Argument(help="The transaction's id.")],
    client: Client = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Decide again from the audit log, with the release of then. Example: assay replay-decision sample-risky-1"""
    from local.audit.redecide import run

    with _clear_errors():
        raise typer.Exit(run(Places(data_dir, models), transaction, client, as_json))
