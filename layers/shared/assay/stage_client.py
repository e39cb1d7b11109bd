"""Calls stages wherever they run. Apart from `stages`: a stage itself calls nobody, and starts faster without."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from assay.errors import StageError, StageFailed, StageUnavailable
from assay.schemas.base import Contract
from assay.stages import Handler, Request, Response, Stage

log = logging.getLogger(__name__)


class Transport(Protocol):
    """Carries a request to a stage somewhere else and brings its answer back, once, without retries."""

    async def send(self, stage: Stage[Request, Response], request: Request) -> Response:
        """Raises `StageFailed` for a wrong answer and `StageUnavailable` for none."""
        ...


class StageClient:
    """Calls stages wherever they run: inline ones in this process, remote ones through their transport."""

    def __init__(
        self,
        inline: Mapping[str, Handler],
        remote: Mapping[str, Transport] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inline_handlers = dict(inline)
        self._transports = dict(remote or {})
        self.clock = clock

    def has(self, stage: Stage[Any, Any]) -> bool:
        """Whether the stage runs anywhere: an enrichment that nobody configured is not missed."""
        return stage.name in self._inline_handlers or stage.name in self._transports

    async def call(self, stage: Stage[Request, Response], request: Request, deadline: float) -> Response:
        """The stage's answer. `deadline` is on the client's clock, in seconds.

        Raises `StageFailed` (an error, or not a valid answer) or `StageUnavailable` (unreachable, out of time).
        """
        handler = self._inline_handlers.get(stage.name)
        if handler is not None:
            return self._inline(stage, handler, request, deadline)
        transport = self._transports.get(stage.name)
        if transport is None:
            raise StageUnavailable(stage.name, "not configured")
        try:
            async with asyncio.timeout(max(0.0, deadline - self.clock())):
                answer = await transport.send(stage, request)
        except TimeoutError:
            raise StageUnavailable(stage.name, "out of time") from None
        except StageError:
            raise
        except OSError as error:
            raise StageUnavailable(stage.name, type(error).__name__) from error
        except Exception as error:
            raise StageFailed(stage.name, type(error).__name__) from error
        return _valid(stage, answer)

    async def call_together(
        self, calls: Sequence[tuple[Stage[Any, Any], Contract]], deadline: float
    ) -> list[Contract | StageError]:
        """Calls several stages at once; the answers in order, an error in place of an answer that did not come.

        Stages in this process share its interpreter, so they run one after the other without the cost of tasks.
        """
        if all(stage.name in self._inline_handlers for stage, _ in calls):
            return [await self._outcome(stage, request, deadline) for stage, request in calls]
        return await asyncio.gather(*(self._outcome(stage, request, deadline) for stage, request in calls))

    async def _outcome(self, stage: Stage[Any, Any], request: Contract, deadline: float) -> Contract | StageError:
        try:
            answer: Contract = await self.call(stage, request, deadline)
        except StageError as error:
            return error
        return answer

    def _inline(self, stage: Stage[Request, Response], handler: Handler, request: Request, deadline: float) -> Response:
        if self.clock() >= deadline:
            raise StageUnavailable(stage.name, "out of time")
        try:
            answer = handler(request)
        except StageError:
            raise
        except Exception as error:
            log.exception("stage %s failed", stage.name)
            raise StageFailed(stage.name, type(error).__name__) from error
        return _valid(stage, answer)


def _valid(stage: Stage[Request, Response], answer: object) -> Response:
    """Contracts validate when they are made (NaN, infinity, out of range), so the type is what is left to check."""
    if not isinstance(answer, stage.response_type):
        raise StageFailed(stage.name, "not a valid answer")
    return answer
