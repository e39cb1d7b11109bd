"""What is announced besides scored transactions: what operators and the system did, for the audit log and others."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from assay.schemas.base import Contract, Finite, Token
from assay.schemas.fields import Timestamp

SYSTEM = "system"
"""The actor of what no person and no client did."""
TRANSACTION_SCORED = "transaction.scored"
"""The one event of another shape: it carries the whole decision."""

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}\.[a-z_]{1,32}$")]
Fact = str | int | Finite | bool | None | list[str]


class Event(Contract):
    """Something that happened. `data` holds ids and words, nothing personal, no secret."""

    event: Kind
    version: Literal[1] = 1
    id: Token
    """Of this very event: a second delivery has the same."""
    client_id: Token
    """Who did it: a user's id, a service client's, or `system`."""
    occurred_at: Timestamp
    data: dict[Token, Fact] = Field(default_factory=dict)

    @classmethod
    def now(cls, event: str, actor: str, **data: Fact) -> Event:
        """An event of this moment, with an id of its own."""
        return cls(
            event=event, id=f"evt_{secrets.token_hex(12)}", client_id=actor, occurred_at=datetime.now(UTC), data=data
        )

    def to_json(self) -> bytes:
        """As it is published."""
        return self.model_dump_json().encode()
