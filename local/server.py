"""`assay serve`: the embedded server on uvicorn, uvloop and httptools."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
import uvloop

from local.embedded import Embedded
from local.places import Places

GRACE_S = 10
BACKLOG = 2048
RARER_COLLECTIONS = (20_000, 20, 50)
"""A request makes a few hundred objects and no cycles: looking at them every 700 costs more than it frees."""


class Server(uvicorn.Server):
    """Ends with exit code 0 when it was asked to stop: uvicorn would raise the signal again, at itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop accepting and finish what is under way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(places: Places, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way. Raises `AssayError` when it cannot start."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(_serve(places, host, port, announce))


async def _serve(places: Places, host: str, port: int, announce: Callable[[str], None]) -> None:
    listening = socket.create_server((host, port), backlog=BACKLOG)  # OSError when the port is taken
    embedded = Embedded(places)
    config = uvicorn.Config(
        embedded.app,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_S,
    )
    server = Server(config)
    try:
        await embedded.start()
        # What is loaded now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*RARER_COLLECTIONS)
        announcing = asyncio.create_task(_announce_when_up(server, f"http://{host}:{port}", announce))
        await server.serve(sockets=[listening])
        announcing.cancel()
    finally:
        await embedded.close()


async def _announce_when_up(server: uvicorn.Server, address: str, announce: Callable[[str], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    announce(f"Assay answers on {address} (docs: {address}/docs)")
