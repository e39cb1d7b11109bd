"""A login attempt at the caller's side: the source of the two authentication features."""

from __future__ import annotations

from typing import Literal

from assay.schemas.base import Contract, Token
from assay.schemas.fields import IpAddress, Timestamp


class LoginEvent(Contract):
    """One login attempt. `event_id` makes a repeated delivery count once."""

    event_id: Token
    account_id: Token
    outcome: Literal["failure", "success"]
    occurred_at: Timestamp | None = None
    device_id: Token | None = None
    ip_address: IpAddress | None = None
