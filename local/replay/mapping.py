"""Which column of a file holds what: a ready mapping by name, or a YAML file of the user's own."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import polars as pl

from assay.errors import AssayError
from assay.yaml_file import load_mapping
from training.datasets import HANDBOOK, ColumnMapping

# The fields of `POST /score`, for files that already speak Assay's language.
ASSAY = ColumnMapping(
    account="account_id",
    time="occurred_at",
    amount="amount",
    transaction_id="transaction_id",
    counterparty="counterparty_id",
    device="device_id",
    address="ip_address",
    country="geo_country",
    currency="currency",
    channel="channel",
    auth_method="auth_method",
    opened="account_opened_at",
    balance_before="balance_before",
    label="label",
    label_known_at="label_known_at",
)
READY = {"assay": ASSAY, "handbook": HANDBOOK}
REQUIRED = ("account", "time", "amount")


class MappingError(AssayError):
    """A mapping that cannot be used. The message names the field."""


def resolve(name: str, file: Path) -> ColumnMapping:
    """The ready mapping of that name, or the one in the YAML file of that name.

    `assay` maps the optional fields that `file` has; every other mapping must fit the file as it is.
    """
    if name == "assay":
        return _present(ASSAY, file)
    ready = READY.get(name)
    return ready if ready is not None else _from_file(Path(name))


def _present(mapping: ColumnMapping, file: Path) -> ColumnMapping:
    try:
        frame = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_csv(file, infer_schema=False)
        header = set(frame.collect_schema().names())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise MappingError(f"{file.name}: {error}") from None
    absent = {field for field, column in mapping.columns().items() if column not in header and field not in REQUIRED}
    return replace(mapping, **dict.fromkeys(absent))  # type: ignore[arg-type]  # only optional columns


def _from_file(path: Path) -> ColumnMapping:
    if not path.is_file():
        raise MappingError(f"{path}: no such file, and no ready mapping (there are {', '.join(READY)})")
    document = load_mapping(path.read_bytes(), MappingError, path.name)
    known = {field.name for field in fields(ColumnMapping)}
    for field, column in document.items():
        if field not in known:
            raise MappingError(f"{path.name}: no field {field!r}; there are {', '.join(sorted(known))}")
        if not isinstance(column, dict if field == "constants" else str):
            raise MappingError(f"{path.name}: {field}: should be a column name")
    for field in REQUIRED:
        if field not in document:
            raise MappingError(f"{path.name}: {field} is required")
    return ColumnMapping(**document)
