"""Commands about who may do what: users, service clients, keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import DataDir, OnAws, all_or_none, clear_errors
from local.places import Places

users = typer.Typer(help="Users: persons who log in.", no_args_is_help=True)
clients = typer.Typer(help="Service clients: programs that get tokens by a secret.", no_args_is_help=True)
keys = typer.Typer(help="The keys that access tokens are signed with.", no_args_is_help=True)


@users.command("create-admin")
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

    deployed = all_or_none(users_table=users_table, outbox_table=outbox_table, events_topic=events_topic)
    if password_stdin:
        password = typer.get_text_stream("stdin").readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password (12 characters or more)", hide_input=True, confirmation_prompt=True)
    with clear_errors():
        if deployed:
            from local.aws import identity

            typer.echo(identity.create_admin(identity.Tables(*deployed), email, name, password))
        else:
            typer.echo(create_admin(Places(data_dir), email, name, password))


@users.command("list")
def users_list(data_dir: DataDir = Path("var")) -> None:
    """List users: id, status, role, e-mail address. Example: assay users list"""
    from local.identity import users

    with clear_errors():
        for line in users(Places(data_dir)):
            typer.echo(line)


@clients.command("create")
def clients_create(
    client_id: Annotated[str, typer.Argument(help="Its id, and the name its transactions are kept under.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; repeat for more.")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Create a service client; its secret is shown once. Example: assay clients create shop --scope score:write"""
    from local.identity import create_client

    with clear_errors():
        secret = create_client(Places(data_dir), client_id, scope)
        typer.echo(f"client_id      {client_id}\nclient_secret  {secret}")


@keys.command("rotate")
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

    deployed = all_or_none(secret=secret, jwks=jwks, events_topic=events_topic)
    with clear_errors():
        if deployed:
            from local.aws import identity

            key = identity.rotate_keys(*deployed, withdraw=withdraw)
        else:
            key = rotate_keys(Places(data_dir), withdraw=withdraw)
    typer.echo(f"signing with key {key}")
