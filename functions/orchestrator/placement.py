"""Where a stage runs: `inline`, `lambda:<name or ARN>` or `url:<function URL>`."""

from __future__ import annotations

import logging
import re
from asyncio import CancelledError
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Literal

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from assay.errors import AssayError, SettingsError, StageError
from assay.geoip import GEOIP
from assay.release.store import Release
from assay.stage_client import Transport
from assay.stages import Handler, Request, Response, Stage

log = logging.getLogger(__name__)

ENRICHMENTS = frozenset({GEOIP.name})
"""Verdicts can do without."""
FUNCTION = re.compile(r"(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[\w-]{1,140}(:[\w$-]{1,128})?", re.ASCII)
URL = re.compile(
    r"(https://[\w.-]+|http://(127\.0\.0\.1|localhost|host\.docker\.internal))(:\d{1,5})?(/[\w./~-]*)?", re.ASCII
)
"""Plain HTTP only where it does not leave the machine."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a stage runs. `target`: the function, or the URL; empty for a stage in this process."""

    kind: Literal["inline", "lambda", "url"]
    target: str = ""


def parse(text: object) -> Placement:
    """The placement that a setting names. Raises pydantic's error."""
    kind, _, target = str(text).partition(":")
    if text == "inline":
        return Placement("inline")
    if kind == "lambda" and FUNCTION.fullmatch(target):
        return Placement("lambda", target)
    if kind == "url" and URL.fullmatch(target):
        return Placement("url", target)
    raise PydanticCustomError(
        "placement", "should be inline, lambda:<name or ARN> or url:<https URL> (plain http on this machine only)"
    )


Placed = Annotated[Placement, PlainValidator(parse)]
"""A setting."""


def inline_stages(
    placements: Mapping[str, Placement], release: Release, notes: MutableMapping[str, str]
) -> dict[str, Handler]:
    """The stages that run in this process, by name. Raises `SettingsError`, or what the stage raises for its files.

    By name, and only when the settings say so: functions never import each other, and the image holds the folder of
    another function only if it was built to (`INLINE` of functions/Dockerfile). What verdicts can do without is left
    out when it cannot be opened, and noted.
    """
    stages: dict[str, Handler] = {}
    for name in (name for name, placement in placements.items() if placement.kind == "inline"):
        try:
            stages[name] = _inline(name, release)
        except SettingsError:
            raise
        except AssayError as error:
            if name not in ENRICHMENTS:
                raise
            log.warning("%s: %s", name, error)
            notes[name] = str(error)
    return stages


def _inline(name: str, release: Release) -> Handler:
    try:
        bootstrap = import_module(f"functions.{name}.bootstrap")
    except ModuleNotFoundError as error:
        variable = f"ASSAY_STAGE_{name.upper()}"
        raise SettingsError(f"{variable}: inline, but this image was built without {error.name}") from error
    handler: Handler = bootstrap.stage(release)
    return handler


class Noting:
    """Carries requests to a stage elsewhere, and keeps a note of why it has no answer, until it has one again."""

    def __init__(self, transport: Transport, notes: MutableMapping[str, str]) -> None:
        self._transport = transport
        self._notes = notes

    async def send(self, stage: Stage[Request, Response], request: Request) -> Response:
        """What the transport gives, or raises."""
        try:
            answer = await self._transport.send(stage, request)
        except BaseException as error:
            self._notes[stage.name] = _why(error)
            raise
        self._notes.pop(stage.name, None)
        return answer


def _why(error: BaseException) -> str:
    if isinstance(error, StageError):
        return error.reason
    return "out of time" if isinstance(error, CancelledError) else type(error).__name__
