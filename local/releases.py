"""Releases of the embedded installation: the server follows its registry, commands move the pointer beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.releases import announce
from assay.release.champion import Champion
from assay.release.folder import FolderRegistry
from assay.release.pointer import Move
from assay.release.store import Release
from assay.stage_client import StageClient
from functions.orchestrator.pipeline import Pipeline, Settings
from local.background import Periodic
from local.champion import trusted_keys
from local.places import Places

LOOK_EVERY_S = 1.0
TOLD = 2
"""Moves that are announced when one is seen: the command before may have ended too soon."""


class Releases:
    """Follows the registry while the server runs. `start` it, `stop` it."""

    def __init__(self, places: Places, release: Release, ledger: SqliteLedger, notes: MutableMapping[str, str]) -> None:
        """`notes`: of `/ready`; a release that is refused is told of there."""
        self.champion = Champion(FolderRegistry(places.releases), partial(trusted_keys, places), release, notes)
        self._ledger = ledger
        self._looking = Periodic("releases", self._look, LOOK_EVERY_S)

    def decide_by(self, pipeline: Pipeline, stages_of: Callable[[Release], StageClient]) -> None:
        """The pipeline decides by the champion from now on."""

        def prepare(release: Release) -> Callable[[], None]:
            return partial(pipeline.switch, stages_of(release), Settings.of(release))

        self.champion.follow(prepare)

    def start(self) -> None:
        """Begins to look."""
        self._looking.start()

    async def stop(self) -> None:
        """Stays with the release that serves."""
        await self._looking.stop()

    async def _look(self) -> None:
        """In a thread: a release takes some hundred milliseconds to read and build, and requests go on."""
        pointer = await asyncio.to_thread(self.champion.look)
        if pointer is not None:
            await announce(self._ledger, reversed(pointer.moves[:TOLD]))


async def tell(places: Places, moves: Iterable[Move]) -> None:
    """Announces moves in the installation's file, beside a running server or without one. Raises `StorageError`."""
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with SqliteLedger(places.database) as ledger:
        await announce(ledger, moves)
