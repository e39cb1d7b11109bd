"""Card management as a folder: every order is a file, for whoever carries it out, or looks."""

from __future__ import annotations

from pathlib import Path

from assay.accounts.orders import CardOrder
from assay.accounts.ports import Answer, Outcome
from assay.adapters.local.archive import FolderArchive
from assay.errors import StorageError


class FolderCardManagement:
    """`<order id>.json`, written at once or not at all; a repeated order finds its file there."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made with its first order."""
        self._folder = FolderArchive(folder)

    async def carry_out(self, order: CardOrder) -> Answer:
        """On the disk when this returns."""
        try:
            await self._folder.put(f"{order.id}.json", order.body)
        except StorageError as error:
            return Answer(Outcome.RETRY, str(error))
        return Answer(Outcome.DONE)
