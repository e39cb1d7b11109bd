"""Reads the pickles that the Handbook publishes, through an allow-list: nothing but a data frame's own parts is made.

A pickle is a program, so this reader is for this one data set and is on no path that serves or loads a release.
Needs pandas, which is optional: nothing else in the project uses it.
"""

from __future__ import annotations

import io
import pickle
from importlib import import_module
from typing import Any

import polars as pl

from assay.errors import AssayError

Name = tuple[str, str]


class HandbookError(AssayError):
    """The Handbook's data cannot be had or cannot be read. The message says what to do."""


TIME = "TX_DATETIME"
_BASE, _NUMERIC = "pandas.core.indexes.base", "pandas.core.indexes.numeric"
ALLOWED: dict[Name, Name] = {
    ("pandas.core.frame", "DataFrame"): ("pandas", "DataFrame"),
    ("pandas.core.internals.managers", "BlockManager"): ("pandas.core.internals.managers", "BlockManager"),
    ("pandas._libs.internals", "_unpickle_block"): ("pandas._libs.internals", "_unpickle_block"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
    ("pandas.core.arrays.datetimes", "DatetimeArray"): ("pandas.arrays", "DatetimeArray"),
    (_BASE, "_new_Index"): (_BASE, "_new_Index"),
    (_BASE, "Index"): ("pandas", "Index"),
    ("pandas.core.indexes.range", "RangeIndex"): ("pandas", "RangeIndex"),
    (_NUMERIC, "Int64Index"): ("pandas", "Index"),
    ("numpy", "ndarray"): ("numpy", "ndarray"),
    ("numpy", "dtype"): ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"): ("numpy._core.numeric", "_frombuffer"),
    ("builtins", "slice"): ("builtins", "slice"),
    # The same as pandas 3 and numpy 2 name them.
    ("pandas", "DataFrame"): ("pandas", "DataFrame"),
    ("pandas", "Index"): ("pandas", "Index"),
    ("pandas", "RangeIndex"): ("pandas", "RangeIndex"),
    ("pandas", "StringDtype"): ("pandas", "StringDtype"),
    ("pandas.arrays", "DatetimeArray"): ("pandas.arrays", "DatetimeArray"),
    ("pandas.arrays", "StringArray"): ("pandas.arrays", "StringArray"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"): ("numpy._core.numeric", "_frombuffer"),
}
"""What a pickled table names, as pandas 1 to 3 write it -> where that is today. All of it only holds data."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as in the base class
        place = ALLOWED.get((module, name))
        if place is None:
            raise HandbookError(f"refused: the pickle names {module}.{name}, which is no part of a table")
        return getattr(import_module(place[0]), place[1])


def read_frame(content: bytes, columns: list[str]) -> pl.DataFrame:
    """The pickled pandas data frame, with these columns, as polars makes of their arrays.

    Raises HandbookError: pandas is missing, the pickle names anything else, or it is no data frame with these columns.
    """
    try:
        import_module("pandas")
    except ImportError:
        raise HandbookError("the published files are pandas pickles: install pandas (uv pip install pandas)") from None
    try:
        frame = _Unpickler(io.BytesIO(content)).load()
        return pl.DataFrame({name: frame[name].to_numpy().tolist() for name in columns if name != TIME}).with_columns(
            pl.Series(TIME, frame[TIME].to_numpy().astype("datetime64[us]")).cast(pl.Datetime("ms"))
        )
    except HandbookError:
        raise
    except Exception as error:  # a broken pickle may raise anything at all
        raise HandbookError(f"no pickled table: {type(error).__name__}") from None
