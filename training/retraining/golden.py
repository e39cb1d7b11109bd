"""The golden set: labelled transactions that judge every challenger, frozen and signed, out of the reach of feedback.

A Parquet file of features and labels, and beside it an Ed25519 signature of its SHA-256 by a key that releases are
signed with. A file that was changed is refused, and so every promotion, until somebody makes another one.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from assay.errors import AssayError, ReleaseError
from assay.features.catalog import NAMES
from assay.release.files import read_regular, replace
from training.table import CATEGORIES, NUMERIC, FeatureTable

FILE = "golden.parquet"
SIGNATURE = "golden.sig"
MAX_BYTES = 256 << 20
CONTEXT = b"assay golden set 1\0"
"""What is signed begins with it: no signature of a release can stand for one of a golden set."""
SIGNATURE_BYTES = 64
IDENTITY = ("client_id", "transaction_id")
LABEL = "is_fraud"
Bools = NDArray[np.bool_]


class GoldenSetError(AssayError):
    """The golden set cannot be used. Nothing is promoted by it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A golden set as it is kept."""

    body: bytes = field(repr=False)
    """Of `FILE`."""
    signature: bytes
    """Of `SIGNATURE`."""

    @property
    def sha256(self) -> str:
        """Of the file, hex."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Rows that judge. `identity`: client_id and transaction_id of those that are an installation's own."""

    table: FeatureTable
    identity: pl.DataFrame
    sha256: str


def seal(table: FeatureTable, rows: Bools, identity: pl.DataFrame, key: Ed25519PrivateKey) -> Sealed:
    """Freezes the chosen rows of a table. `identity`: one row per chosen one, or none.

    Raises `GoldenSetError`.
    """
    frame = table.frame(rows).select(NAMES)
    frame = frame.with_columns(
        pl.Series(LABEL, table.labels[rows]),
        pl.Series("occurred_at", (table.times[rows] * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC")),
        *(identity[name] if len(identity) else pl.lit(None, pl.String).alias(name) for name in IDENTITY),
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    body = buffer.getvalue()
    if len(body) > MAX_BYTES:
        raise GoldenSetError(f"{len(frame):,} transactions are too many to be read again: choose fewer days")
    return Sealed(body, key.sign(CONTEXT + hashlib.sha256(body).digest()))


def write(folder: Path, sealed: Sealed) -> None:
    """Puts it in the place of another. Ended in between, it leaves none, or one that is refused. Raises OSError."""
    replace(folder / SIGNATURE, sealed.signature, 0o600)
    replace(folder / FILE, sealed.body, 0o600)


def read(folder: Path) -> Sealed | None:
    """As it is kept there, good or not; None: none was made. Raises `GoldenSetError`."""
    if not (folder / FILE).exists():
        return None
    try:
        body = read_regular(str(folder / FILE), MAX_BYTES)
        return Sealed(body, read_regular(str(folder / SIGNATURE), SIGNATURE_BYTES))
    except ReleaseError as error:
        raise GoldenSetError(str(error)) from error


def opened(sealed: Sealed, trusted: Sequence[Ed25519PublicKey]) -> GoldenSet:
    """The golden set, its signature verified before anything is parsed. Raises `GoldenSetError`."""
    digest, signature = hashlib.sha256(sealed.body), sealed.signature
    if not any(_signed(key, signature, CONTEXT + digest.digest()) for key in trusted):
        raise GoldenSetError(f"{FILE}: is not the one that was frozen ({SIGNATURE} is not its signature)")
    try:
        frame = pl.read_parquet(io.BytesIO(sealed.body))
    except pl.exceptions.PolarsError as error:
        raise GoldenSetError(f"{FILE}: {error}") from error
    missing = {*NAMES, *IDENTITY, LABEL, "occurred_at"} - set(frame.columns)
    if missing:
        raise GoldenSetError(f"{FILE}: made for other features, without {min(missing)}; make another one")
    return GoldenSet(_table(frame), frame.select(IDENTITY).drop_nulls(), digest.hexdigest())


def _table(frame: pl.DataFrame) -> FeatureTable:
    times = frame["occurred_at"].dt.epoch("us").to_numpy() / 1e6
    return FeatureTable(
        {name: frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy() for name in NUMERIC},
        {name: frame[name].to_list() for name in CATEGORIES},
        times,
        frame[LABEL].to_numpy().astype(np.bool_),
        np.where(frame[LABEL].to_numpy(), times, np.nan),
        [None] * len(frame),
    )


def _signed(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
