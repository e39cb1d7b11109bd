"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from assay.accounts.ports import AccountStore, CardManagement
from assay.errors import SettingsError
from assay.policy import FILE, Policy
from assay.release import Release
from functions.action_layer.accounts import Accounts
from functions.action_layer.consumer import ActionLayer


def build(store: AccountStore, accounts: Accounts, release: Release) -> ActionLayer:
    """The consumer, by the release's policy. Raises `PolicyError`, `ReleaseError`."""
    return ActionLayer(accounts, store, Policy.load(release.read(FILE)).actions)


async def open_cards(place: str, secret: Path | None, opened: AsyncExitStack) -> CardManagement:
    """Card management behind a URL, for this event loop, or a folder. Raises `SettingsError`.

    `secret`: the file of what orders are signed with (`whsec_..`); a URL needs one.
    """
    if "://" not in place:
        from assay.adapters.local.cards import FolderCardManagement

        return FolderCardManagement(Path(place))
    if secret is None:
        raise SettingsError("card management: a URL needs a secret to sign with (ASSAY_CARD_MANAGEMENT_SECRET)")
    from assay.adapters.cards_http import HttpCardManagement, read_secret

    return await opened.enter_async_context(HttpCardManagement(place, read_secret(secret)))
