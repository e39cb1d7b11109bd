"""What `POST /feedback` takes: one label, as a body or as the row of a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from assay.labels.records import Label
from assay.schemas.base import Contract, Token
from assay.schemas.fields import Timestamp


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("printable", "Input should be one line of printable text")
    return text


class LabelRequest(Contract):
    """What a transaction turned out to be."""

    transaction_id: Token
    client_id: Token | None = Field(
        default=None, description="Of the client that sent it: persons name it, a client labels its own transactions."
    )
    label: Annotated[Label, Field(strict=False)]
    labelled_at: Timestamp | None = Field(
        default=None, description="When somebody came to it; now, when left out. The newest of several is in effect."
    )
    note: Annotated[str, StringConstraints(max_length=200), AfterValidator(_one_line)] = Field(
        default="", description="One line of printable text."
    )
