"""Model arrays as bytes: `.npz` without pickle, the same bytes for the same arrays, checked when read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import ReleaseError

Array = NDArray[Any]
Spec = Mapping[str, tuple[type[np.generic], int]]
"""Per array name: the scalar type and the number of dimensions."""


def pack(arrays: Mapping[str, Array]) -> bytes:
    """The arrays as an uncompressed .npz. No clock and no order of insertion in it: equal arrays, equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})
    return buffer.getvalue()


def unpack(data: bytes, spec: Spec) -> dict[str, Array]:
    """Arrays of exactly the names, types and dimensions of the spec, every float finite; else ReleaseError."""
    try:
        arrays = _members(data, len(spec))
    except ReleaseError:
        raise
    except Exception as error:  # the parsers of zip and npy headers do not say what they may raise
        raise ReleaseError(f"not readable as arrays: {type(error).__name__}: {error}") from error
    if sorted(arrays) != sorted(spec):
        raise ReleaseError(f"holds the arrays {sorted(arrays)}, expected {sorted(spec)}")
    for name, (scalar, dimensions) in spec.items():
        array = arrays[name]
        if array.dtype != np.dtype(scalar) or array.ndim != dimensions:
            raise ReleaseError(f"array {name} is {array.dtype} with {array.ndim} dimensions")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ReleaseError(f"array {name} holds a value that is not finite")
    return arrays


def _members(data: bytes, limit: int) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if len(entries) != limit or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ReleaseError("an array is missing, too many, or compressed")
        # reading a member whole checks its CRC before numpy sees it
        members = {entry.filename.removesuffix(".npy"): archive.read(entry) for entry in entries}
    return {name: _array(member) for name, member in members.items()}


def _array(member: bytes) -> Array:
    stream = io.BytesIO(member)
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    require(not stream.read(1), "an array is followed by something else")
    return np.ascontiguousarray(array)


def require(condition: object, reason: str) -> None:
    """ReleaseError with the reason unless the condition holds."""
    if not condition:
        raise ReleaseError(reason)
