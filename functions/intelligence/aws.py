"""The function on AWS: over the archive and the table of labels, by the policy of the champion."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

from assay.adapters.archives import open_archive
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.intelligence import DynamoReportStore
from assay.adapters.aws.labels import DynamoLabelStore
from assay.adapters.aws.table import Table, open_table
from assay.intelligence.scored_history import archived_history
from assay.release.champion import Champion
from functions.intelligence.bootstrap import Settings
from functions.intelligence.labels import labels_before
from functions.intelligence.looking import Looker


class Function:
    """What the entry point does. It belongs to one event loop, and lives as long as the process."""

    def __init__(self, settings: Settings, champion: Champion, table: Table) -> None:
        """`table`: of labels. Raises `SettingsError`."""
        self._champion = champion
        self._history = archived_history(open_archive(settings.archive))
        self._labels, self.reports = DynamoLabelStore(table), DynamoReportStore(table)

    async def look(self) -> dict[str, bool]:
        """Looks for drift and patterns by the champion of this moment; which of the reports are new.

        Raises `AssayError`; then the next run makes up for it.
        """
        self._champion.look()
        looker = Looker(self._history, self.reports, partial(labels_before, self._labels), self._champion.current())
        return await looker.look(datetime.now(UTC))


async def open_function(settings: Settings, champion: Champion, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it. Raises `AssayError`."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    place = (settings.labels_table, settings.outbox_table, settings.events_topic)
    return Function(settings, champion, await open_table(clients, *place, "labels"))
