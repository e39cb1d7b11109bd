"""A release that is missing, damaged, or that nobody trusted has signed: refused with the reason, before it is used."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from assay.errors import ReleaseError
from local.embedded import Embedded
from local.places import MODELS, Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A copy of the release registry, to be damaged."""
    shutil.copytree(MODELS, tmp_path / "models")
    return Places(tmp_path / "data", tmp_path / "models")


def _release(places: Places) -> Path:
    return places.releases / (places.releases / "CHAMPION").read_text().strip()


def refused(places: Places, reason: str) -> None:
    """Each time over a folder of its own: what holds one is looked at by itself, below."""
    with pytest.raises(ReleaseError, match=reason):
        Embedded(Places(Path(tempfile.mkdtemp(dir=places.models)), places.models))


def test_a_start_that_failed_lets_go_of_its_folder(places: Places) -> None:
    good = (places.releases / "CHAMPION").read_bytes()
    (places.releases / "CHAMPION").write_text("1999.1.1")
    with pytest.raises(ReleaseError):
        Embedded(places)
    (places.releases / "CHAMPION").write_bytes(good)
    asyncio.run(_opened_and_closed(places))


def test_no_file_of_a_release_may_be_changed_or_absent(places: Places) -> None:
    files = sorted(path.name for path in _release(places).iterdir())
    assert len(files) > 5
    for name in files:
        path = _release(places) / name
        good = path.read_bytes()
        for bad in (good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1 :], b"", None):
            if bad is None:
                path.unlink()
            else:
                path.write_bytes(bad)
            refused(places, "manifest" if name.startswith("manifest") else name)
            path.write_bytes(good)
    asyncio.run(_opened_and_closed(places))


async def _opened_and_closed(places: Places) -> None:
    embedded = Embedded(places)
    await embedded.start()
    await embedded.close()


def test_a_release_that_nobody_trusted_signed_is_refused(places: Places) -> None:
    for key in (places.models / "keys").glob("*.pub"):
        key.unlink()
    refused(places, r"manifest\.sig")


@pytest.mark.parametrize("named", ["", "1999.1.1", "../2026.11.1", "/etc", "a/b", "\0", "x" * 5_000])
def test_a_champion_that_is_no_release_is_refused(places: Places, named: str) -> None:
    (places.releases / "CHAMPION").write_text(named)
    refused(places, "CHAMPION|no such release")


def test_without_a_champion_nothing_is_served(places: Places) -> None:
    (places.releases / "CHAMPION").unlink()
    refused(places, "CHAMPION")


def test_a_release_under_another_name_is_refused(places: Places) -> None:
    _release(places).rename(places.releases / "2099.1.1")
    (places.releases / "CHAMPION").write_text("2099.1.1\n")
    refused(places, "manifest.json: is of version")


def test_a_file_too_many_is_refused(places: Places) -> None:
    (_release(places) / "hook.py").write_text("raise SystemExit")
    refused(places, "hook.py")
