"""The running server as the tests see it: an address, tokens for it, the folder it works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from assay.errors import AssayError
from local.server_process import running_server
from local.tokens import SCOPES, mint
from tests.harness import state

TOKEN_LIFE_S = 3600
JSON = {"Content-Type": "application/json"}
EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True, slots=True)
class Service:
    """`address` is http://host:port, `log` what the server wrote to stderr."""

    address: str
    data: Path
    log: Path

    def token(self, client: str = "shop", scopes: tuple[str, ...] = SCOPES, ttl_s: int = TOKEN_LIFE_S) -> str:
        """A signed token."""
        return mint(self.data / "keys", client, scopes, ttl_s)

    def client(self, name: str = "shop", scopes: tuple[str, ...] = SCOPES) -> httpx.Client:
        """An HTTP client that speaks as the named one."""
        headers = {"Authorization": f"Bearer {self.token(name, scopes)}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30)

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        return state.counts(self.data)


@contextmanager
def running_service(data: Path) -> Iterator[Service]:
    """A server process over the folder, its stderr kept in a file."""
    data.mkdir(parents=True, exist_ok=True)
    log = data / "stderr.log"
    with ExitStack() as running:
        try:
            with _stderr_to(log):
                address = running.enter_context(running_server(data))
        except AssayError as error:
            raise AssayError(f"{error}: {log.read_text()}") from None
        yield Service(address, data, log)


@contextmanager
def _stderr_to(path: Path) -> Iterator[None]:
    """Processes started meanwhile write their stderr to the file."""
    saved = os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
