"""Opens the database, once per process."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile

import maxminddb

from assay import settings
from assay.errors import AssayError, StageFailed
from assay.geoip import GEOIP
from assay.schemas.geoip import GeoIpRequest, GeoIpResult
from assay.stages import Handler
from functions.geoip.lookup import CountryLookup

log = logging.getLogger(__name__)

PACKAGED = ("geoacumen", "db/Geoacumen-Country.mmdb")
"""Package and file of the default database. The package is found, never imported."""


class Settings(settings.Settings):
    """What the function reads from its environment."""

    geoip_database: str = ""
    """A file in MaxMind's format; empty: the packaged one."""


class GeoIpError(AssayError):
    """There is no database to use. The message says why, and the mend."""


def build(database: Path | None) -> CountryLookup:
    """The look-up over a database in MaxMind's format, or over the packaged one. Raises GeoIpError."""
    return CountryLookup(open_database(database))


def stage(_: object = None) -> Handler:
    """The stage over the database that the environment names, with any release. Raises GeoIpError."""
    database = Settings.from_environment().geoip_database
    return build(Path(database) if database else None).locate


def served() -> Handler:
    """The stage. Without a database it fails at every request: callers do without, and alarms hear of it."""
    try:
        return stage()
    except GeoIpError as error:
        reason = str(error)
        log.error("geoip: %s", reason)

    def fail(_: GeoIpRequest) -> GeoIpResult:
        raise StageFailed(GEOIP.name, reason)

    return fail


def open_database(database: Path | None) -> maxminddb.Reader:
    """A reader of its own copy of the file. Raises GeoIpError.

    The reader maps its file into memory, and a mapped file that somebody overwrites ends the process (SIGBUS): the
    copy is unlinked, so nobody can.
    """
    path = database or _packaged()
    try:
        with NamedTemporaryFile(suffix=".mmdb") as copy:
            copy.write(path.read_bytes())
            copy.flush()
            reader = maxminddb.open_database(copy.name)
            reader.get("198.41.0.4")  # a file that is cut off opens, and fails when it is read
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a database in MaxMind's format"
        raise GeoIpError(f"{path}: {reason}; name another with ASSAY_GEOIP_DATABASE") from error
    return reader


def _packaged() -> Path:
    package, file = PACKAGED
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise GeoIpError("no database: name one with ASSAY_GEOIP_DATABASE, or install python-geoacumen")
    return Path(spec.submodule_search_locations[0]) / file
