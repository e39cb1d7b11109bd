"""The `assay` command. Each command imports what it needs when it runs: `serve` starts without training's libraries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import AssayError
from functions.alerts.bootstrap import SENDER
from local.embedded import MODELS, Places, open_champion

app = typer.Typer(
    help="Real-time fraud decisions for payments.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
release_app = typer.Typer(help="Releases: models, rules and policy, signed.", no_args_is_help=True)
app.add_typer(release_app, name="release")
audit_app = typer.Typer(help="The audit log: every decision, in a hash chain.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
alerts_app = typer.Typer(help="Alerts: who is told of what.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")
users_app = typer.Typer(help="Users: persons who log in.", no_args_is_help=True)
app.add_typer(users_app, name="users")
clients_app = typer.Typer(help="Service clients: programs that get tokens by a secret.", no_args_is_help=True)
app.add_typer(clients_app, name="clients")
keys_app = typer.Typer(help="The keys that access tokens are signed with.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

actions_app = typer.Typer(
    help="What follows a decline: frozen accounts, orders for card management.", no_args_is_help=True
)
app.add_typer(actions_app, name="actions")

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
AlertsFile = Annotated[
    Path | None,
    typer.Option(
        "--alerts", envvar="ASSAY_ALERTS", help="Who is told of what, instead of the data folder's alerts.yaml."
    ),
]
Mail = Annotated[
    str, typer.Option("--mail", envvar="ASSAY_MAIL", help="smtp://host:port, or a folder instead of the data folder's.")
]
MailFrom = Annotated[str, typer.Option("--mail-from", envvar="ASSAY_MAIL_FROM", help="What alerts come from.")]
CardManagement = Annotated[
    str,
    typer.Option(
        "--card-management",
        envvar="ASSAY_CARD_MANAGEMENT",
        help="URL of the card system, or a folder for its orders instead of the data folder's.",
    ),
]
CardSecret = Annotated[
    Path | None,
    typer.Option(
        "--card-management-secret",
        envvar="ASSAY_CARD_MANAGEMENT_SECRET",
        help="File of the secret (whsec_...) that signs orders to a URL.",
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
    alerts: AlertsFile = None,
    mail: Mail = "",
    mail_from: MailFrom = SENDER,
    card_management: CardManagement = "",
    card_secret: CardSecret = None,
) -> None:
    """Serve the API from one process. Example: assay serve --port 8080 --data-dir var"""
    from local.server import serve as run

    password = os.environ.get("ASSAY_MAIL_PASSWORD", "")
    places = Places(
        data_dir,
        models,
        geoip,
        alerts=alerts,
        mail=mail,
        mail_from=mail_from,
        mail_password=password,
        address=f"http://{host}:{port}",
        card_management=card_management,
        card_secret=card_secret,
    )
    with _clear_errors():
        run(places, host, port, typer.echo)


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


@actions_app.command("redrive")
def actions_redrive(data_dir: DataDir = Path("var")) -> None:
    """Try the orders for card management again that were given up. Example: assay actions redrive --data-dir var"""
    import asyncio

    from local.actions import redrive

    with _clear_errors():
        typer.echo(f"{asyncio.run(redrive(Places(data_dir).database))} orders will be tried again")


AnchorTable = Annotated[
    str | None, typer.Option("--anchor-table", help="The DynamoDB table that knows the end of the log.")
]


@audit_app.command("verify")
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

    with _clear_errors():
        noted = [*map(read_head, head or ()), *(read_heads(heads) if heads else ())]
        raise typer.Exit(run(location or str(Places(data_dir).audit), anchor_table, noted, as_json))


@audit_app.command("head")
def audit_head(data_dir: DataDir = Path("var"), anchor_table: AnchorTable = None) -> None:
    """Print where the audit log ends, to be kept elsewhere. Example: assay audit head >> /mnt/elsewhere/heads"""
    from local.audit.anchors import head

    with _clear_errors():
        typer.echo(head(Places(data_dir).audit, anchor_table))


Client = Annotated[str | None, typer.Option(help="The client that sent it, when several used this id.")]


@audit_app.command("show")
def audit_show(
    id: Annotated[str, typer.Argument(help="Of a transaction, or of another event.")],  # noqa: A002 - as in the log
    client: Client = None,
    data_dir: DataDir = Path("var"),
) -> None:
    """Print what the audit log holds of a transaction or event, as JSON. Example: assay audit show sample-risky-1"""
    from local.audit.records import find, shown

    with _clear_errors():
        typer.echo(shown(find(Places(data_dir), id, client)))


@alerts_app.command("check")
def alerts_check(
    file: Annotated[Path | None, typer.Argument(help="The file, when it is not the data folder's.")] = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
) -> None:
    """Say what is wrong with alerts.yaml, secrets and rules included. Example: assay alerts check alerts.yaml"""
    from local.alerts import check

    with _clear_errors():
        typer.echo(check(file or data_dir / "alerts.yaml", open_champion(Places(data_dir, models))))


@alerts_app.command("redrive")
def alerts_redrive(data_dir: DataDir = Path("var")) -> None:
    """Send what was given up once more; the running server does. Example: assay alerts redrive"""
    from local.alerts import redrive

    with _clear_errors():
        typer.echo(f"{redrive(Places(data_dir).database)} messages are pending again")


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


OnAws = Annotated[str | None, typer.Option(help="Of an installation on AWS: see its stack's outputs.")]


def _all_or_none(**options: str | None) -> list[str]:
    """What names an installation on AWS: each of the options, or none."""
    given = [value for value in options.values() if value]
    if given and len(given) < len(options):
        missing = ", ".join(f"--{name.replace('_', '-')}" for name, value in options.items() if not value)
        raise typer.BadParameter(f"an installation on AWS needs {missing} too")
    return given


@users_app.command("create-admin")
def users_create_admin(
    email: Annotated[str, typer.Argument(help="What the admin logs in with.")],
    name: Annotated[str, typer.Option(help="What the admin is called.")] = "Admin",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, not from a prompt.")
    ] = False,
    data_dir: DataDir = Path("var"),
    users_table: OnAws = None,
    outbox_table: OnAws = None,
    events_topic: OnAws = None,
) -> None:
    """Create an admin, who can log in at once. Example: assay users create-admin ana@bank.example --name Ana"""
    from local.identity import create_admin

    deployed = _all_or_none(users_table=users_table, outbox_table=outbox_table, events_topic=events_topic)
    if password_stdin:
        password = typer.get_text_stream("stdin").readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    with _clear_errors():
        if deployed:
            from local.aws import identity

            typer.echo(identity.create_admin(identity.Tables(*deployed), email, name, password))
        else:
            typer.echo(create_admin(Places(data_dir), email, name, password))


@users_app.command("list")
def users_list(data_dir: DataDir = Path("var")) -> None:
    """List users: id, status, role, e-mail address. Example: assay users list"""
    from local.identity import users

    with _clear_errors():
        for line in users(Places(data_dir)):
            typer.echo(line)


@clients_app.command("create")
def clients_create(
    client_id: Annotated[str, typer.Argument(help="Its id, and the name its transactions are kept under.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; repeat for more.")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Create a service client; its secret is shown once. Example: assay clients create shop --scope score:write"""
    from local.identity import create_client

    with _clear_errors():
        secret = create_client(Places(data_dir), client_id, scope)
        typer.echo(f"client_id      {client_id}\nclient_secret  {secret}")


@keys_app.command("rotate")
def keys_rotate(
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="A key was stolen: what all others have signed is void, in a minute.")
    ] = False,
    data_dir: DataDir = Path("var"),
    secret: OnAws = None,
    jwks: OnAws = None,
    events_topic: OnAws = None,
) -> None:
    """Sign with a fresh key; older tokens stay good until they expire. Example: assay keys rotate

    Deployed: --secret ARN --jwks s3://bucket/key --events-topic ARN; it makes the first key too.
    """
    from local.identity import rotate_keys

    deployed = _all_or_none(secret=secret, jwks=jwks, events_topic=events_topic)
    with _clear_errors():
        if deployed:
            from local.aws import identity

            key = identity.rotate_keys(*deployed, withdraw=withdraw)
        else:
            key = rotate_keys(Places(data_dir), withdraw=withdraw)
    typer.echo(f"signing with key {key}")
