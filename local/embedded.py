"""The embedded composition root: every function of Assay in one process, over one file."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from assay import stages
from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import SqliteAuditAnchorStore
from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.errors import StorageError
from assay.features.rates import Rates
from assay.geoip import GEOIP
from assay.ports import Consumer
from assay.release import Release, champion, load_trusted_keys, open_release
from assay.release.files import sync_folder
from assay.stage_client import StageClient, Transport
from assay.stages import Handler
from functions.audit_log import bootstrap as audit_log
from functions.autoencoder import bootstrap as autoencoder
from functions.decision_engine import bootstrap as decision_engine
from functions.geoip import bootstrap as geoip
from functions.isolation_forest import bootstrap as isolation_forest
from functions.orchestrator.app import Api, create_app
from functions.orchestrator.pipeline import Pipeline, Settings
from functions.post_auth_intelligence import bootstrap as post_auth_intelligence
from functions.rules_engine import bootstrap as rules_engine
from functions.xgboost_classifier import bootstrap as xgboost_classifier
from local import tokens
from local.relay import Relay

log = logging.getLogger(__name__)
AUDIT_IDLE_S = 1.0
"""Between batches when there is little to record: an object of the log is written once, so small ones stay small."""
MODELS = Path(__file__).resolve().parents[1] / "models"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the embedded installation keeps things."""

    data: Path
    models: Path = MODELS
    geoip: Path | None = None
    """A database in MaxMind's format; the packaged one, when none is named."""

    @property
    def keys(self) -> Path:
        """Signing keys of this installation."""
        return self.data / "keys"

    @property
    def database(self) -> Path:
        """Everything but the audit log."""
        return self.data / "assay.db"

    @property
    def audit(self) -> Path:
        """The audit log; its anchor is in the database."""
        return self.data / "audit"

    @property
    def releases(self) -> Path:
        """The release registry."""
        return self.models / "releases"


def open_champion(places: Places) -> Release:
    """The release that decides. Raises `ReleaseError` with the reason when it must not be served."""
    trusted = load_trusted_keys(places.models / "keys", places.keys)
    return open_release(places.releases / champion(places.releases), trusted)


def inline_stages(release: Release) -> dict[str, Handler]:
    """Every stage of the release, in this process."""
    return {
        stages.RULES_ENGINE.name: rules_engine.build(release).evaluate,
        stages.ISOLATION_FOREST.name: isolation_forest.build(release).score,
        stages.AUTOENCODER.name: autoencoder.build(release).score,
        stages.XGBOOST_CLASSIFIER.name: xgboost_classifier.build(release).score,
        stages.DECISION_ENGINE.name: decision_engine.build(release).decide,
    }


class Embedded:
    """Assay in one process. Open it, serve `app`, close it."""

    def __init__(self, places: Places, remote: dict[str, Transport] | None = None) -> None:
        """`remote`: stages that run elsewhere. Raises `AssayError` with the reason; then nothing is left open."""
        places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as undo:
            self._lock = _lock(places.data / "assay.lock")
            undo.callback(os.close, self._lock)
            places.audit.mkdir(exist_ok=True, mode=0o700)
            sync_folder(places.data)  # a power cut must not take the log from under its anchor
            release = open_champion(places)
            enrichment, notes = _geoip(places.geoip)
            client = StageClient(_without(inline_stages(release) | enrichment, remote or {}), remote)
            settings, rates = Settings.of(release), Rates.load(release.read("rates.yaml"))
            verifier = tokens.verifier(places.keys)
            self.ledger = SqliteLedger(places.database)
            undo.pop_all()
        self.scored_events = SqliteScoredEventStore(self.ledger)
        audit = audit_log.build(FolderArchive(places.audit), SqliteAuditAnchorStore(self.ledger))
        consumers: list[Consumer] = [post_auth_intelligence.build(self.scored_events), audit]
        self.outbox = SqliteOutbox(self.ledger, [consumer.name for consumer in consumers])
        self.relay = Relay(self.outbox, consumers, {audit.name: AUDIT_IDLE_S})
        profile = SqliteProfileStore(self.ledger)
        self.pipeline = Pipeline(client, profile, SqliteDecisionStore(self.ledger), settings)
        self.app: Starlette = create_app(Api(self.pipeline, profile, verifier, rates, self._readiness, notes))

    async def start(self) -> None:
        """Begins delivering events."""
        await self.outbox.open()
        self.relay.start()

    async def close(self) -> None:
        """Delivers nothing more, finishes what is being committed, closes the file."""
        await self.relay.stop()
        await self.ledger.close()
        os.close(self._lock)

    async def _readiness(self) -> dict[str, str]:
        try:
            await self.ledger.commits.commit([("UPDATE consumers SET sequence = sequence WHERE 0", ())])
        except StorageError as error:
            return {"storage": str(error)}
        return {}


def _geoip(database: Path | None) -> tuple[dict[str, Handler], dict[str, str]]:
    """The stage, or nothing and a note why: without a database the country is what the caller sends."""
    try:
        return {GEOIP.name: geoip.build(database).locate}, {}
    except geoip.GeoIpError as error:
        log.warning("geoip: %s", error)
        return {}, {GEOIP.name: str(error)}


def _without(handlers: dict[str, Handler], remote: dict[str, Transport]) -> dict[str, Handler]:
    return {name: handler for name, handler in handlers.items() if name not in remote}


def _lock(path: Path) -> int:
    """Two processes over one file would each count with half of the profile: only one may run."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StorageError(f"{path.parent}: another Assay is running on this data folder") from None
    return descriptor
