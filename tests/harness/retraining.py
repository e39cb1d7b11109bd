"""A small bank and its releases, for tests of retraining."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.adapters.sqlite.schema import open_database
from assay.release.folder import FolderRegistry
from assay.release.manifest import FILES, ManifestBody
from assay.release.registry import promote
from assay.release.store import write_release
from local.champion import trusted_keys
from local.places import Places
from tests.harness.releases import copied_models, packaged
from training.simulator import Event, SimulatedLabel, simulate, with_labels

KEY = Ed25519PrivateKey.generate()
START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 45
NOW = START + timedelta(days=DAYS)
CLIENT = "shop"
SMALL = {
    "trials": 1,
    "label_delay_days": 5,
    "new_labels": 5,
    "gate": {"judged_days": 10, "min_frauds": 5},
    "watch": {"min_events": 100},
}


def bank(days: int = DAYS, start: datetime = START) -> Iterator[Event | SimulatedLabel]:
    return with_labels(simulate(4, 150, days, start))


def write(root: Path, version: str, retraining: dict[str, Any], nervous: bool = False) -> Path:
    """As the packaged release, its policy as text: a retraining puts its thresholds into it."""
    own = f"retraining: {json.dumps(retraining)}\n"
    policy = re.sub(r"^retraining:\n(  .*\n)+", own, packaged().read("policy.yaml").decode(), flags=re.MULTILINE)
    if nervous:
        policy = re.sub(r"^((decline|challenge|flag_escalates)_above:) [0-9.]+", r"\1 0.01", policy, flags=re.MULTILINE)
    files = {name: packaged().read(name) for name in FILES} | {"policy.yaml": policy.encode()}
    body = ManifestBody(**packaged().manifest.model_dump(exclude={"files"})).model_copy(update={"version": version})
    return write_release(root, body, files, KEY)


def installation(folder: Path) -> Places:
    """Two releases that differ in nothing but their version; `small.1` decides."""
    places = Places(folder / "data", copied_models(folder / "models", KEY))
    places.data.mkdir()
    open_database(places.database).close()
    for version in ("small.1", "small.2"):
        write(places.releases, version, SMALL)
    promote(FolderRegistry(places.releases), "small.1", trusted_keys(places))
    return places
