"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import assay.settings
from assay.ports import Archive, AuditAnchorStore
from functions.audit_log.recorder import AuditLog

if TYPE_CHECKING:
    from starlette.applications import Starlette


class Settings(assay.settings.Settings):
    """What the function reads from its environment."""

    audit: str
    """Where the log is: `s3://bucket/prefix`, or a folder."""
    audit_anchor_table: str
    jwks: str
    """Keys that tokens are checked with: `s3://bucket/key` or a file."""
    token_issuer: str
    token_audience: str
    identity_table: str
    """Of it, the list of revoked sessions."""


def build(archive: Archive, anchor: AuditAnchorStore) -> AuditLog:
    """The consumer over the given log and its anchor."""
    return AuditLog(archive, anchor)


@dataclass(frozen=True, slots=True)
class Function:
    """The function on AWS. What it opens belongs to one event loop, and lives as long as the process."""

    settings: Settings
    dynamodb: Any
    archive: Archive
    anchor: AuditAnchorStore

    def consumer(self) -> AuditLog:
        """Records what comes from the queue."""
        return build(self.archive, self.anchor)

    async def app(self) -> Starlette:
        """Serves the routes. Raises `SettingsError` without the keys of tokens: recording does not wait for them."""
        from assay.adapters.aws.jwks import open_verifier
        from assay.adapters.aws.revocations import DynamoRevocations
        from assay.http.application import application
        from assay.identity.access import Access
        from functions.audit_log.app import Api, routes

        settings = self.settings
        verifier = await open_verifier(settings.jwks, settings.token_issuer, settings.token_audience)
        access = Access(verifier, DynamoRevocations(self.dynamodb, settings.identity_table))
        return application(routes(Api(self.archive, self.anchor, access)))


async def open_function(settings: Settings, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it. Raises `SettingsError`."""
    from assay.adapters.aws.audit import DynamoAuditAnchorStore
    from assay.adapters.aws.clients import Clients

    archive = _open_archive(settings.audit)
    clients = Clients()
    undo.push_async_callback(clients.close)
    dynamodb = await clients.open("dynamodb")
    return Function(settings, dynamodb, archive, DynamoAuditAnchorStore(dynamodb, settings.audit_anchor_table))


def _open_archive(location: str) -> Archive:
    if location.startswith("s3://"):
        from assay.adapters.aws.archive import S3Archive
        from assay.adapters.aws.objects import open_store

        return S3Archive(open_store(location))
    from assay.adapters.local.archive import FolderArchive

    return FolderArchive(Path(location))
