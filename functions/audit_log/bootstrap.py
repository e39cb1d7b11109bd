"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import assay.settings
from assay.adapters.archives import open_archive
from assay.ports import Archive, AuditAnchorStore
from functions.audit_log.recorder import AuditLog

if TYPE_CHECKING:
    from starlette.applications import Starlette


class Settings(assay.settings.AccessSettings):
    """What the function reads from its environment."""

    audit: str
    """Where the log is: `s3://bucket/prefix`, or a folder."""
    audit_anchor_table: str


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
        from assay.adapters.aws.access import open_access
        from assay.http.application import application
        from functions.audit_log.app import Api, routes

        access = await open_access(self.settings, self.dynamodb)
        return application(routes(Api(self.archive, self.anchor, access)))


async def open_function(settings: Settings, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it. Raises `SettingsError`."""
    from assay.adapters.aws.audit import DynamoAuditAnchorStore
    from assay.adapters.aws.clients import Clients

    archive = open_archive(settings.audit)
    clients = Clients()
    undo.push_async_callback(clients.close)
    dynamodb = await clients.open("dynamodb")
    return Function(settings, dynamodb, archive, DynamoAuditAnchorStore(dynamodb, settings.audit_anchor_table))
