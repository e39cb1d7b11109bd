"""`assay doctor`: what is missing or wrong on this machine, and the mend."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from assay.adapters.sqlite import schema
from assay.errors import AssayError
from functions.geoip.bootstrap import open_database
from local.champion import open_champion
from local.places import Places

SMALLEST_SQLITE = (3, 35, 0)  # RETURNING, upserts and partial indexes as the store uses them


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    good: bool
    detail: str

    def line(self) -> str:
        """For a person."""
        return f"{'ok  ' if self.good else 'FAIL'}  {self.name}: {self.detail}"


def examine(places: Places) -> list[Finding]:
    """Looks at everything `assay serve` needs."""
    return [
        _python(),
        _sqlite(),
        _try("release", lambda: _release(places)),
        _try("data folder", lambda: _data(places)),
        _try("geoip", lambda: _geoip(places)),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), f"{version} (3.11 or newer)")


def _sqlite() -> Finding:
    good = sqlite3.sqlite_version_info >= SMALLEST_SQLITE
    return Finding("sqlite", good, f"{sqlite3.sqlite_version} (3.35 or newer; comes with Python)")


def _release(places: Places) -> str:
    release = open_champion(places)
    return f"{release.version} ({release.hash[:12]}), signature and {len(release.manifest.files)} files are good"


def _data(places: Places) -> str:
    if not places.data.exists():
        return f"{places.data} will be made by `assay serve`"
    if not os.access(places.data, os.W_OK):
        raise AssayError(f"{places.data} is not writable: change its owner or use --data-dir")
    database = places.data / "assay.db"
    if not database.exists():
        return f"{places.data} has no database yet"
    schema.open_database(database).close()
    return f"{database} opens"


def _geoip(places: Places) -> str:
    facts = open_database(places.geoip).metadata()
    built = datetime.fromtimestamp(facts.build_epoch, UTC).date()
    return f"{facts.database_type} of {built}, {places.geoip or 'the packaged one'}"


def _try(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except (AssayError, OSError) as error:
        return Finding(name, False, str(error))
