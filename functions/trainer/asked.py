"""What a person may ask the function for, as JSON. The schedule asks for a training if it is needed."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from assay.adapters.aws.schedules import is_scheduled
from assay.errors import RequestError
from assay.schemas.base import Contract
from assay.schemas.fields import CalendarDate


class Training(Contract):
    """`{"if_needed": false}` trains now."""

    if_needed: bool
    """Whether it trains only when something calls for it."""


class Shadow(Contract):
    """`{"shadow": true}`: what the challenger would have made of what the champion decided lately."""

    shadow: Literal[True]


class OwnHistory(Contract):
    """The transactions of so many days before this one (UTC)."""

    until: CalendarDate
    days: Annotated[int, Field(ge=1, le=3_650)] = 30
    replace: bool = False
    """Also when there is a golden set."""

    @property
    def end(self) -> datetime:
        """The day's beginning."""
        return datetime.combine(self.until, time(), UTC)


class Golden(Contract):
    """`{"golden": {"until": "2026-10-01"}}` freezes the golden set of the installation's own history."""

    golden: OwnHistory


_READER = TypeAdapter[Training | Shadow | Golden](Training | Shadow | Golden)


def asked(event: Any) -> Training | Shadow | Golden:  # noqa: ANN401 - any JSON may arrive
    """Raises `RequestError`."""
    if is_scheduled(event):
        return Training(if_needed=True)
    try:
        return _READER.validate_python(event)
    except ValidationError:
        raise RequestError(
            'neither a run of the schedule nor {"if_needed": true or false}, {"shadow": true} or '
            '{"golden": {"until": "YYYY-MM-DD", "days": 30, "replace": false}}'
        ) from None
