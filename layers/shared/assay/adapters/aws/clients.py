"""AWS's low-level clients: one session, each client made once and kept as long as the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from assay.errors import StorageError

CONNECTIONS = 50
FAILURES = (BotoCoreError, ClientError, ResponseParserError)
"""Everything a client raises; what aiohttp raises is among it."""


def patient(timeout_s: float = 1.0, attempts: int = 2) -> AioConfig:
    """For stores and topics. A second attempt, because the first after a pause may meet a connection that is gone."""
    return AioConfig(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": attempts, "mode": "legacy"},  # waits 50 ms; "standard" waits up to a second
        tcp_keepalive=True,
    )


class Clients:
    """Opens clients and closes them together. Belongs to one event loop."""

    def __init__(self) -> None:
        self.session = get_session()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Clients:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, service: str, config: AioConfig | None = None) -> Any:  # noqa: ANN401 - made at run time
        """A client of the service ("dynamodb", "sns", "lambda" ...). `config`: `patient()` if none is given."""
        made = self.session.create_client(service, config=config or patient())
        return await self._opened.enter_async_context(made)

    async def close(self) -> None:
        """Closes every client."""
        await self._opened.aclose()


def code_of(error: BaseException) -> str:
    """AWS's own code for what went wrong, or what kind of failure it was. Never what was sent."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Whatever a client raises within is raised as `StorageError`."""
    try:
        yield
    except FAILURES as error:
        raise StorageError(f"{doing}: {code_of(error)}") from error
