"""Opens the installation for one run on AWS: its clients, and the key that it signs with."""

from __future__ import annotations

from contextlib import AsyncExitStack

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.adapters.aws.clients import Clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.secrets import read_secrets
from assay.adapters.aws.table import Table
from assay.errors import ReleaseError
from assay.release.keys import fingerprint, load_trusted_keys, signing_key
from assay.release.registry import Keys
from assay.release.served import MODELS
from functions.trainer.aws import OnAws
from functions.trainer.bootstrap import Settings

SCHEME = "secretsmanager:"


async def open_installation(settings: Settings, undo: AsyncExitStack) -> OnAws:
    """What the settings name; `undo` closes it.

    Raises `StorageError`, also when the secret is empty, and `ReleaseError` for a key that is none, or that nobody
    would trust: what it signs, no function would serve.
    """
    clients = Clients()
    undo.push_async_callback(clients.close)
    secret_id = settings.release_key.removeprefix(SCHEME)
    secrets = await read_secrets(await clients.open("secretsmanager"), [secret_id])
    trusted = load_trusted_keys(MODELS / "keys")
    key = trusted_key(secrets[secret_id], trusted)
    dynamodb, sns = await clients.open("dynamodb"), await clients.open("sns")
    outbox = DynamoOutbox(dynamodb, settings.outbox_table, SnsEvents(sns, settings.events_topic))
    return OnAws(settings, Table(dynamodb, settings.labels_table, outbox, "labels"), outbox, trusted, key)


def trusted_key(pem: str, trusted: Keys) -> Ed25519PrivateKey:
    """The private key of the secret's text. Raises `ReleaseError`."""
    key = signing_key(pem.encode(), "the trainer's secret")
    if fingerprint(key.public_key()) not in map(fingerprint, trusted):
        raise ReleaseError("the trainer's key is none of models/keys/*.pub: put its public half there, and deploy")
    return key
