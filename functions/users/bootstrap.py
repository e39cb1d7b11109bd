"""Builds the function's collaborators."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from assay import settings
from assay.identity.access import Access
from assay.identity.ports import AttemptStore, ServiceClientStore, SessionStore, SigningKeys, UserStore
from assay.identity.signing import Issuer
from functions.users.accounts import Accounts
from functions.users.app import Api
from functions.users.clients import Clients
from functions.users.minting import Mint
from functions.users.passwords import Passwords
from functions.users.sessions import Sessions
from functions.users.throttle import Throttle


class Settings(settings.AccessSettings):
    """What the environment says, on AWS."""

    outbox_table: str
    events_topic: str
    """ARN."""
    signing_keys: Annotated[str, StringConstraints(pattern=r"^secretsmanager:.+$")]
    """Where the private keys are: `secretsmanager:` and the ARN of the secret."""


def build(
    users: UserStore,
    sessions: SessionStore,
    clients: ServiceClientStore,
    attempts: AttemptStore,
    keys: SigningKeys,
    issuer: Issuer,
    access: Access,
    settled_s: float,
) -> Api:
    """What `routes` serves, over the given stores and keys. `settled_s`: as in `Accounts`."""
    passwords, throttle, mint = Passwords(), Throttle(attempts), Mint(keys, issuer)
    accounts = Accounts(users, sessions, passwords, throttle, settled_s)
    return Api(
        accounts=accounts,
        sessions=Sessions(users, sessions, accounts, passwords, throttle, mint),
        clients=Clients(clients, throttle, mint),
        mint=mint,
        access=access,
    )
