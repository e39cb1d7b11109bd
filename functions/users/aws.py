"""Builds the function for AWS, once per process."""

from __future__ import annotations

from contextlib import AsyncExitStack

from starlette.applications import Starlette

from assay.adapters.aws.access import open_access
from assay.adapters.aws.attempts import DynamoAttemptStore
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.service_clients import DynamoServiceClientStore
from assay.adapters.aws.sessions import DynamoSessionStore
from assay.adapters.aws.signing_keys import SCHEME, SecretSigningKeys
from assay.adapters.aws.table import open_table
from assay.adapters.aws.users import DynamoUserStore
from assay.http.application import application
from assay.identity.signing import Issuer
from functions.users.app import routes
from functions.users.bootstrap import Settings, build

SETTLED_S = 0.25
"""A registration that is kept waits for one transaction and the topic."""


async def open_app(settings: Settings, undo: AsyncExitStack) -> Starlette:
    """The app, with clients that belong to this event loop; `undo` closes them. Raises `AssayError` with the reason."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    table = await open_table(clients, settings.identity_table, settings.outbox_table, settings.events_topic, "identity")
    revocations = DynamoRevocations(table.client, table.name)
    secret_id = settings.signing_keys.removeprefix(SCHEME)
    api = build(
        users=DynamoUserStore(table, revocations),
        sessions=DynamoSessionStore(table, revocations),
        clients=DynamoServiceClientStore(table, revocations),
        attempts=DynamoAttemptStore(table),
        keys=SecretSigningKeys(await clients.open("secretsmanager"), secret_id),
        issuer=Issuer(settings.token_issuer, settings.token_audience),
        access=await open_access(settings, table.client),
        settled_s=SETTLED_S,
    )
    return application(routes(api))
