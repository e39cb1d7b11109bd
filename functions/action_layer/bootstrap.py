"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import assay.settings
from assay.accounts.ports import AccountStore, CardManagement
from assay.errors import SettingsError
from assay.policy import Policy
from assay.release import Release
from functions.action_layer.accounts import Accounts
from functions.action_layer.consumer import ActionLayer

UNSIGNED = "card management: a URL needs a secret to sign with (ASSAY_CARD_MANAGEMENT_SECRET)"


class Settings(assay.settings.AccessSettings):
    """What the environment says, on AWS."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""
    accounts_table: str
    outbox_table: str
    events_topic: str
    """ARN."""
    card_management: str = ""
    """URL that orders go to. Empty: accounts are frozen, and nobody is told."""
    card_management_secret: str = ""
    """What orders are signed with: `secretsmanager:<arn>`, or a file."""


def build(store: AccountStore, accounts: Accounts, release: Release) -> ActionLayer:
    """The consumer, by the release's policy. Raises `PolicyError`, `ReleaseError`."""
    return ActionLayer(accounts, store, Policy.of(release).actions)


async def open_cards(place: str, secret: Path | None, opened: AsyncExitStack) -> CardManagement:
    """Card management behind a URL, for this event loop, or a folder. Raises `SettingsError`.

    `secret`: the file of what orders are signed with (`whsec_..`); a URL needs one.
    """
    if "://" not in place:
        from assay.adapters.local.cards import FolderCardManagement

        return FolderCardManagement(Path(place))
    if secret is None:
        raise SettingsError(UNSIGNED)
    from assay.adapters.cards_http import HttpCardManagement, secret_in

    source = secret_in(secret)
    await source()  # a file that cannot be used is told of now
    return await opened.enter_async_context(HttpCardManagement(place, source))
