"""reference.json of a release: what its features and scores were like in training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError

from assay.errors import ReleaseError
from assay.schemas.base import Contract, Finite, Probability

FILE = "reference.json"
Shares = Annotated[list[Probability], Field(min_length=1)]


class Number(Contract):
    """A number's bins: (-inf, edge], .. (edge, inf). Shares are of all values and, with `unknown`, add up to 1."""

    kind: Literal["number"]
    edges: list[Finite]
    shares: Shares
    unknown: Probability


class Category(Contract):
    """Shares of the categories, by name."""

    kind: Literal["category"]
    shares: dict[str, Probability]
    unknown: Probability


Distribution = Annotated[Number | Category, Field(discriminator="kind")]


class Reference(Contract):
    """The whole file. `rows`: of how many transactions the features' shares are."""

    rows: Annotated[int, Field(ge=1)]
    features: dict[str, Distribution]
    scores: dict[str, Distribution]


def load_reference(document: bytes) -> Reference:
    """Raises `ReleaseError`, naming what is wrong."""
    try:
        return Reference.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ReleaseError(f"{FILE}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
