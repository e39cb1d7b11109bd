"""The Handbook's files: found, fetched, and read through the allow-list."""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import sys
from datetime import datetime, timedelta

import httpx
import polars as pl
import pytest

from training.handbook import fetch as fetching
from training.handbook.load import TYPES, load
from training.handbook.pickles import ALLOWED, HandbookError, read_frame


def day(first, start, count=3):
    return {
        "TRANSACTION_ID": list(range(first, first + count)),
        "TX_DATETIME": [start + timedelta(minutes=minute) for minute in range(count)],
        "CUSTOMER_ID": list(range(count)),
        "TERMINAL_ID": [7] * count,
        "TX_AMOUNT": [12.5] * count,
        "TX_TIME_DAYS": [(start - datetime(2018, 4, 1)).days] * count,
        "TX_FRAUD": [0] * (count - 1) + [1],
        "TX_FRAUD_SCENARIO": [0] * (count - 1) + [2],
    }


FIRST, SECOND = day(0, datetime(2018, 4, 1)), day(3, datetime(2018, 4, 2))


def told(step, share):
    assert 0.0 <= share <= 1.0


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


def pickled(pandas, content, protocol=4):
    """As the Handbook writes a day: ids as text, an index that is left of a larger table."""
    frame = pandas.DataFrame(content).astype({"CUSTOMER_ID": object, "TERMINAL_ID": object, "TX_TIME_DAYS": object})
    return pickle.dumps(frame[frame["TX_AMOUNT"] > 0], protocol=protocol)


class Command:
    """What a malicious pickle does: a call when it is read."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


class Stored:
    """Is pickled as an object of another class with that state."""

    def __init__(self, of, state):
        self.of, self.state = of, state

    @property
    def __class__(self):
        return self.of

    def __reduce_ex__(self, _):
        return copyreg.__newobj__, (self.of,), self.state


def stored_before_1_3(pandas, content):
    """A table as pandas before 1.3 pickled it, when the Handbook's files were made."""
    frame = pandas.DataFrame(content)
    axes = [frame.columns, frame.index]
    blocks = [
        {"values": frame[name].to_numpy().reshape(1, -1), "mgr_locs": slice(place, place + 1, 1)}
        for place, name in enumerate(frame.columns)
    ]
    inside = (axes, [block["values"] for block in blocks], [axes[0]], {"0.14.1": {"axes": axes, "blocks": blocks}})
    manager = Stored(pandas.core.internals.managers.BlockManager, inside)
    return Stored(pandas.DataFrame, {"_mgr": manager, "_typ": "dataframe", "_metadata": [], "attrs": {}})


def test_a_day_pickled_by_pandas_before_1_3_is_read(pandas):
    frame = read_frame(pickle.dumps(stored_before_1_3(pandas, FIRST), protocol=4), list(TYPES))
    assert frame.select(list(TYPES)).cast(TYPES).to_dict(as_series=False) == FIRST


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_pickled_day_is_read(pandas, protocol):
    frame = read_frame(pickled(pandas, FIRST, protocol), list(TYPES))
    assert frame.select(list(TYPES)).cast(TYPES).to_dict(as_series=False) == FIRST


def test_pickles_of_a_clone_are_read_in_the_order_of_ids(pandas, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "2018-04-01.pkl").write_bytes(pickled(pandas, SECOND))
    (tmp_path / "data" / "2018-04-02.pkl").write_bytes(pickled(pandas, FIRST))
    frame = load(tmp_path, tmp_path / "cache", told)
    assert frame.schema == pl.Schema(TYPES)
    assert frame["TRANSACTION_ID"].to_list() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "malicious",
    [
        Command(os.system, "true"),
        Command(eval, "1"),
        Command(getattr, "text", "upper"),
        Command(io.open, "file", "w"),
        Command(__import__, "os"),
        {"nested": [Command(os.remove, "file")]},
    ],
)
def test_a_pickle_that_names_anything_else_is_refused(monkeypatch, malicious):
    monkeypatch.setitem(sys.modules, "pandas", sys.modules[__name__])  # refused before pandas would be used
    with pytest.raises(HandbookError, match="refused: the pickle names"):
        read_frame(pickle.dumps(malicious), list(TYPES))


def test_a_name_below_an_allowed_one_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", sys.modules[__name__])
    with pytest.raises(HandbookError, match=r"names pandas\.DataFrame\.to_pickle"):
        read_frame(b"\x80\x04\x8c\x06pandas\x8c\x13DataFrame.to_pickle\x93.", list(TYPES))


def test_the_allow_list_holds_no_way_out():
    assert {module.split(".")[0] for module, _ in {*ALLOWED, *ALLOWED.values()}} == {"pandas", "numpy", "builtins"}
    assert [name for module, name in ALLOWED if module == "builtins"] == ["slice"]


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"not a pickle", pickle.dumps([1, 2]), pickle.dumps({"TX_FRAUD": 1})]
)
def test_what_is_no_table_is_a_clear_error(monkeypatch, content):
    monkeypatch.setitem(sys.modules, "pandas", sys.modules[__name__])
    with pytest.raises(HandbookError, match="no pickled table"):
        read_frame(content, list(TYPES))


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HandbookError, match="install pandas"):
        read_frame(b"", list(TYPES))


def test_parquet_is_found_by_folder_and_by_environment(monkeypatch, tmp_path):
    (tmp_path / "handbook").mkdir()
    pl.DataFrame({**FIRST, "OTHER": [0] * 3}).write_parquet(tmp_path / "handbook" / "transactions_x.parquet")
    monkeypatch.setenv("ASSAY_DATA_DIR", str(tmp_path))
    for folder in (tmp_path, tmp_path / "handbook", None):
        assert load(folder, tmp_path / "cache", told).to_dict(as_series=False) == FIRST


def test_a_folder_without_data_or_with_other_data_is_a_clear_error(tmp_path):
    with pytest.raises(HandbookError, match="no transactions"):
        load(tmp_path, tmp_path, told)
    (tmp_path / "transactions.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(HandbookError, match=r"transactions\.parquet"):
        load(tmp_path, tmp_path, told)
    pl.DataFrame({"TRANSACTION_ID": [1]}).write_parquet(tmp_path / "transactions.parquet")
    with pytest.raises(HandbookError, match=r"transactions\.parquet"):
        load(tmp_path, tmp_path, told)
    backwards = {**FIRST, "TRANSACTION_ID": [2, 1, 0]}
    pl.DataFrame(backwards).write_parquet(tmp_path / "transactions.parquet")
    with pytest.raises(HandbookError, match="order of their times"):
        load(tmp_path, tmp_path, told)


def test_fetch_goes_on_where_it_was(tmp_path):
    asked = []

    def answer(request):
        asked.append(request.url.path)
        if len(asked) == 3:
            raise httpx.ConnectError("no network")
        return httpx.Response(200, content=b"day")

    with pytest.raises(HandbookError, match=r"cannot be fetched \(ConnectError\).*--data"):
        fetching.fetch(tmp_path, told, httpx.MockTransport(answer))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2018-04-01.pkl", "2018-04-02.pkl"]
    files = fetching.fetch(tmp_path, told, httpx.MockTransport(answer))
    assert len(files) == 167 and all(file.read_bytes() == b"day" for file in files)
    assert len(asked) == len(set(asked)) + 1
    assert asked[0].endswith(f"/simulated-data-raw/{fetching.COMMIT}/data/2018-04-01.pkl")


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(200, content=b"x" * (fetching.LARGEST + 1))])
def test_a_wrong_answer_leaves_no_file(tmp_path, answer):
    with pytest.raises(HandbookError, match=r"raw\.githubusercontent\.com"):
        fetching.fetch(tmp_path, told, httpx.MockTransport(lambda _: answer))
    assert not list(tmp_path.iterdir())
