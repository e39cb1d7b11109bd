"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("assay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("assay")


@pytest.fixture(scope="session")
def handbook() -> Path:
    """The folder with the Handbook's data and golden files (`ASSAY_DATA_DIR` names the folder around it).

    Without it the test is skipped, or fails where `ASSAY_REQUIRE_DATA` is set.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ASSAY_DATA_DIR") or beside) / "handbook"
    if not folder.is_dir():
        reason = f"no Handbook data in {folder}: set ASSAY_DATA_DIR"
        if os.environ.get("ASSAY_REQUIRE_DATA"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
