"""The golden set: what was frozen is what judges, or nothing does."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.release.keys import load_trusted_keys
from training.retraining import golden
from training.retraining.golden import FILE, SIGNATURE, GoldenSetError
from training.table import CATEGORIES, NUMERIC, FeatureTable

KEY = Ed25519PrivateKey.generate()
TRUSTED = [KEY.public_key()]
ROWS = 50


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    random = np.random.default_rng(2)
    numeric = {name: np.where(random.random(ROWS) < 0.1, np.nan, random.random(ROWS)) for name in NUMERIC}
    categories: dict[str, list[str | None]] = {name: [None, "web"] * (ROWS // 2) for name in CATEGORIES}
    times = 1_790_000_000.0 + np.arange(ROWS)
    labels = np.arange(ROWS) % 5 == 0
    return FeatureTable(numeric, categories, times, labels, np.where(labels, times, np.nan), [None] * ROWS)


def loaded(folder: Path) -> golden.GoldenSet:
    sealed = golden.read(folder)
    assert sealed is not None
    return golden.opened(sealed, TRUSTED)


def test_what_was_frozen_comes_back(tmp_path: Path, table: FeatureTable) -> None:
    assert golden.read(tmp_path) is None
    rows = np.arange(ROWS) >= 10
    own = pl.DataFrame({"client_id": ["shop"] * 40, "transaction_id": [f"t-{n}" for n in range(40)]})
    sealed = golden.seal(table, rows, own, KEY)
    golden.write(tmp_path, sealed)
    assert golden.read(tmp_path) == sealed
    found = loaded(tmp_path)
    assert found.sha256 == sealed.sha256
    assert found.identity.equals(own)
    for name in NUMERIC:
        np.testing.assert_array_equal(found.table.numeric[name], table.numeric[name][rows])
    assert found.table.categories == {name: values[10:] for name, values in table.categories.items()}
    np.testing.assert_array_equal(found.table.labels, table.labels[rows])
    np.testing.assert_array_equal(found.table.times, table.times[rows])


def test_a_changed_file_is_refused(tmp_path: Path, table: FeatureTable) -> None:
    golden.write(tmp_path, golden.seal(table, table.labels | True, pl.DataFrame(), KEY))
    frame = pl.read_parquet(tmp_path / FILE)
    frame.with_columns(pl.lit(False).alias(golden.LABEL)).write_parquet(tmp_path / FILE)
    with pytest.raises(GoldenSetError, match="not the one that was frozen"):
        loaded(tmp_path)


def test_only_trusted_keys_freeze(tmp_path: Path, table: FeatureTable) -> None:
    golden.write(tmp_path, golden.seal(table, table.labels | True, pl.DataFrame(), Ed25519PrivateKey.generate()))
    with pytest.raises(GoldenSetError):
        loaded(tmp_path)
    assert load_trusted_keys(tmp_path) == []


def test_without_its_signature_it_is_refused(tmp_path: Path, table: FeatureTable) -> None:
    golden.write(tmp_path, golden.seal(table, table.labels | True, pl.DataFrame(), KEY))
    (tmp_path / SIGNATURE).unlink()
    with pytest.raises(GoldenSetError, match=SIGNATURE):
        loaded(tmp_path)


def test_a_signature_alone_is_none(tmp_path: Path, table: FeatureTable) -> None:
    """What a freezing leaves that ended in between: the next one makes it again."""
    golden.write(tmp_path, golden.seal(table, table.labels | True, pl.DataFrame(), KEY))
    (tmp_path / FILE).unlink()
    assert golden.read(tmp_path) is None


def test_a_signature_of_something_else(tmp_path: Path, table: FeatureTable) -> None:
    """One of the bytes themselves, as a release's is of its manifest."""
    golden.write(tmp_path, golden.seal(table, table.labels | True, pl.DataFrame(), KEY))
    (tmp_path / SIGNATURE).write_bytes(KEY.sign((tmp_path / FILE).read_bytes()))
    with pytest.raises(GoldenSetError):
        loaded(tmp_path)


def test_made_for_other_features(tmp_path: Path) -> None:
    body = tmp_path / "other.parquet"
    pl.DataFrame({"amount": [1.0]}).write_parquet(body)
    import hashlib

    (tmp_path / FILE).write_bytes(body.read_bytes())
    digest = hashlib.sha256(body.read_bytes()).digest()
    (tmp_path / SIGNATURE).write_bytes(KEY.sign(golden.CONTEXT + digest))
    with pytest.raises(GoldenSetError, match="make another one"):
        loaded(tmp_path)
