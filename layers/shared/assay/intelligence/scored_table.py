"""Scored events as columns: one row per event, every feature and score a column of its own."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import polars as pl

from assay.errors import StorageError
from assay.features.catalog import ALL

MOMENT = pl.Datetime("us", "UTC")
_TEXT, _NUMBER, _WORDS = pl.String(), pl.Float64(), pl.List(pl.String())
FEATURES: dict[str, pl.DataType] = {feature.name: _TEXT if feature.kind == "category" else _NUMBER for feature in ALL}
_PLACES: dict[str, tuple[tuple[str, ...], pl.DataType]] = {
    "client_id": (("client_id",), _TEXT),
    "transaction_id": (("verdict", "transaction_id"), _TEXT),
    "occurred_at": (("occurred_at",), _TEXT),
    "decided_at": (("verdict", "decided_at"), _TEXT),
    "account_id": (("transaction", "account_id"), _TEXT),
    "device_id": (("transaction", "device_id"), _TEXT),
    "ip_address": (("transaction", "ip_address"), _TEXT),
    "counterparty_id": (("transaction", "counterparty_id"), _TEXT),
    "transaction_type": (("transaction", "transaction_type"), _TEXT),
    "merchant_category": (("transaction", "merchant_category"), _TEXT),
    "decision": (("verdict", "decision"), _TEXT),
    "triggered_by": (("verdict", "triggered_by"), _TEXT),
    "fraud_score": (("verdict", "fraud_score"), _NUMBER),
    "if_score": (("verdict", "if_score"), _NUMBER),
    "ae_error": (("verdict", "ae_error"), _NUMBER),
    "rules_flag": (("verdict", "rules_flag"), _TEXT),
    "triggered_rules": (("verdict", "triggered_rules"), _WORDS),
    "is_early_exit": (("verdict", "is_early_exit"), pl.Boolean()),
    "degraded": (("verdict", "degraded"), _WORDS),
    "release_version": (("verdict", "release", "version"), _TEXT),
    "release_hash": (("verdict", "release", "hash"), _TEXT),
    **{name: (("features", name), kind) for name, kind in FEATURES.items()},
}
"""Column -> where it is in an event, and what it is there. The feature `amount` is in the base currency."""
MOMENTS = ("occurred_at", "decided_at")
IDENTITY = ("client_id", "transaction_id")
SCORES = ("fraud_score", "if_score", "ae_error")
COLUMNS: tuple[str, ...] = tuple(_PLACES)
SHAPE = repr(_PLACES)
"""Another one for other columns."""


def decode(bodies: Sequence[bytes], columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """The events' columns, a row per body; what an event does not say, or says in another type, is null.

    The fewer columns, the faster. Raises `StorageError` for a body that is no JSON, `KeyError` for an unknown column.
    """
    places = {name: _PLACES[name] for name in columns}
    lines = b"\n".join(body.replace(b"\n", b" ") for body in bodies)
    try:
        frame = pl.read_ndjson(io.BytesIO(lines), schema=_schema(places.values()), ignore_errors=True)
    except pl.exceptions.PolarsError as error:
        raise StorageError("a scored event that is no JSON") from error
    if len(frame) != len(bodies):
        raise StorageError("a scored event that is no JSON")
    return frame.select(_column(name, *place) for name, place in places.items())


def empty(columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """No row."""
    kinds = {name: MOMENT if name in MOMENTS else _PLACES[name][1] for name in columns}
    return pl.DataFrame(schema=kinds)


def _schema(places: Iterable[tuple[tuple[str, ...], pl.DataType]]) -> dict[str, pl.DataType]:
    tree: dict[str, object] = {}
    for path, kind in places:
        branch = tree
        for name in path[:-1]:
            branch = branch.setdefault(name, {})  # type: ignore[assignment]
        branch[path[-1]] = kind
    return {name: _kind(branch) for name, branch in tree.items()}


def _kind(branch: object) -> pl.DataType:
    if isinstance(branch, dict):
        return pl.Struct({name: _kind(inner) for name, inner in branch.items()})
    assert isinstance(branch, pl.DataType)  # noqa: S101 - for the type checker
    return branch


def _column(name: str, path: tuple[str, ...], _kind: pl.DataType) -> pl.Expr:
    value = pl.col(path[0])
    for step in path[1:]:
        value = value.struct.field(step)
    if name in MOMENTS:
        value = value.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    return value.alias(name)
