"""Commands that serve, and those for whoever tries it out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import DataDir, ModelsDir, clear_errors
from local.places import MODELS, SENDER, Places

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

AllowLocalWebhooks = Annotated[
    bool,
    typer.Option(
        "--allow-local-webhooks",
        envvar="ASSAY_ALLOW_LOCAL_WEBHOOKS",
        help="For development: clients may have webhooks on private addresses, and without TLS.",
    ),
]

app = typer.Typer()


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
    allow_local_webhooks: AllowLocalWebhooks = False,
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
        allow_local_webhooks=allow_local_webhooks,
    )
    with clear_errors():
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
    with clear_errors():
        typer.echo(mint(data_dir / "keys", client, tuple(scope or SCOPES), ttl))


@app.command()
def jwks(data_dir: DataDir = Path("var")) -> None:
    """Print the public keys that verify this installation's tokens. Example: assay jwks > jwks.json"""
    from local.tokens import jwks as public_keys

    with clear_errors():
        typer.echo(public_keys(data_dir / "keys"))


@app.command()
def demo(
    transactions: Annotated[int, typer.Option(help="Length of the simulated stream.", min=100)] = 4_000,
    learning: Annotated[
        bool, typer.Option("--learning", help="Instead: a drift is found, learnt, promoted; a bad release taken back.")
    ] = False,
) -> None:
    """Start a server, score samples and a simulated stream, print the verdicts. Example: assay demo"""
    if learning:
        from local.demo.learning import run as learn

        with clear_errors():
            raise typer.Exit(learn())
    from local.demo.run import run

    with clear_errors():
        raise typer.Exit(run(transactions))


@app.command()
def doctor(data_dir: DataDir = Path("var"), models: ModelsDir = MODELS, geoip: GeoIp = None) -> None:
    """Say what is missing or wrong on this machine, and the mend. Example: assay doctor"""
    from local.doctor import examine

    findings = examine(Places(data_dir, models, geoip))
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(0 if all(finding.good for finding in findings) else 1)
