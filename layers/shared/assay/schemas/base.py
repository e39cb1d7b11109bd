"""What all wire contracts share: strict, closed, immutable."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

IDENTIFIER = r"^[A-Za-z0-9._:-]+$"
MAX_TOKEN = 64
Token = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TOKEN, pattern=IDENTIFIER)]
"""An opaque identifier: 1-64 of `[A-Za-z0-9._:-]`."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
FeatureValue = Finite | str | None
"""A number, a category, or None: unknown. Unknown is never zero."""

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class Contract(BaseModel):
    """Base of every request, answer and event: unknown fields refused, no coercion, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def is_token(text: str) -> bool:
    """Whether it can be an identifier. What cannot is nobody's, and a store need not take such a key."""
    return len(text) <= MAX_TOKEN and re.fullmatch(IDENTIFIER, text) is not None
