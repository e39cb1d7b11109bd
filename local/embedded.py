"""The embedded composition root: every function of Assay in one process, over one file."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import ExitStack
from pathlib import Path

from starlette.applications import Starlette

from assay.adapters.local.archive import FolderArchive
from assay.adapters.local.installation_key import installation_key
from assay.adapters.sqlite.audit import SqliteAuditAnchorStore
from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.errors import StorageError
from assay.geoip import GEOIP
from assay.http.application import application
from assay.identity.access import Access
from assay.ports import Consumer
from assay.release import Release
from assay.release.files import sync_folder
from assay.stage_client import StageClient, Transport
from assay.stages import Handler
from functions.action_layer import app as action_layer_app
from functions.alerts import app as alerts_app
from functions.alerts.bootstrap import open_mailer
from functions.audit_log import app as audit_app
from functions.audit_log import bootstrap as audit_log
from functions.challenges.bootstrap import open_sender
from functions.geoip import bootstrap as geoip
from functions.orchestrator.app import Api, routes
from functions.orchestrator.pipeline import Pipeline, Settings
from functions.post_auth_intelligence import app as intelligence_app
from functions.post_auth_intelligence import bootstrap as post_auth_intelligence
from functions.users.app import routes as user_routes
from local import identity, tokens
from local.actions import Actions
from local.alerts import Alerts, read_config
from local.challenges import Challenges
from local.champion import open_champion
from local.client_events import ClientEvents
from local.inline_stages import inline_stages
from local.intelligence import Intelligence
from local.labels import Labels
from local.places import MODELS, Places
from local.relay import Relay
from local.releases import Releases

log = logging.getLogger(__name__)
AUDIT_IDLE_S = 1.0
"""Between batches when there is little to record: an object of the log is written once, so small ones stay small."""
SELDOM_IDLE_S = 1.0
"""Nearly every event alerts nobody, labels nothing, ends no challenge: they are passed over together."""


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

            def stages_of(release: Release) -> StageClient:
                return StageClient(_without(inline_stages(release) | enrichment, remote or {}), remote)

            client, settings = stages_of(release), Settings.of(release)
            verifier = tokens.verifier(places.keys)
            tokens.jwks(places.keys)  # keys that cannot be used are told of now
            alerts_config = read_config(places.alerts, places.data, places.address)
            mailer = open_mailer(places.mail or str(places.mailbox), places.mail_password)
            codes = open_sender(places.codes, places.mail_from, places.mail_password)
            key = installation_key(places.keys)
            self.ledger = SqliteLedger(places.database)
            undo.pop_all()
        revocations = SqliteRevocations(self.ledger)
        access = Access(verifier, revocations)
        self.scored_events = SqliteScoredEventStore(self.ledger)
        records, anchor = FolderArchive(places.audit), SqliteAuditAnchorStore(self.ledger)
        audit = audit_log.build(records, anchor)
        self.alerts = Alerts(alerts_config, mailer, places.mail_from, self.ledger)
        cards = places.card_management or str(places.card_orders)
        self.actions = Actions(release, self.ledger, cards, places.card_secret)
        self.challenges = Challenges(release, self.ledger, codes, key, access)
        self.client_events = ClientEvents(self.ledger, key, access, places.allow_local_webhooks)
        profile = SqliteProfileStore(self.ledger)
        self.intelligence = Intelligence(places.data, places.models, self.ledger, retrains=places.models != MODELS)
        self.labels = Labels(release, self.ledger, profile, self.intelligence.store, access)
        recorders: list[Consumer] = [post_auth_intelligence.build(self.scored_events), audit, self.alerts.recorder]
        actors: list[Consumer] = [
            self.actions.consumer,
            self.challenges.opener,
            self.client_events.recorder,
            self.labels.consumer,
            self.labels.step_ups,
        ]
        consumers = [*recorders, *actors]
        self.outbox = SqliteOutbox(self.ledger, [consumer.name for consumer in consumers])
        unhurried = (self.alerts.recorder, self.labels.consumer, self.labels.step_ups)
        idle_s = {audit.name: AUDIT_IDLE_S} | {consumer.name: SELDOM_IDLE_S for consumer in unhurried}
        self.relay = Relay(self.outbox, consumers, idle_s)
        decisions = SqliteDecisionStore(self.ledger)
        self.pipeline = Pipeline(
            client, profile, decisions, settings, deny_list=self.actions.store, standings=self.labels.effects
        )
        self.releases = Releases(places, release, self.ledger, notes)
        self.releases.decide_by(self.pipeline, stages_of)
        for part_of_policy in (self.actions.consumer, self.challenges.service, self.labels):
            self.releases.champion.follow_policy(part_of_policy.decide_by)
        parts = [
            routes(Api(self.pipeline, profile, access, self._readiness, notes)),
            user_routes(identity.build(self.ledger, revocations, access, places.keys)),
            action_layer_app.routes(action_layer_app.Api(self.actions.accounts, access)),
            self.challenges.routes,
            self.client_events.routes,
            intelligence_app.routes(self.labels.api),
            alerts_app.routes(alerts_app.Api(self.alerts.store, access)),
            audit_app.routes(audit_app.Api(records, anchor, access)),
        ]
        self.app: Starlette = application([route for part in parts for route in part])

    async def start(self) -> None:
        """Begins delivering events."""
        await self.outbox.open()
        await self.alerts.start()
        await self.actions.start()
        self.challenges.start()
        await self.client_events.start()
        self.intelligence.start()
        self.relay.start()
        self.releases.start()

    async def close(self) -> None:
        """Delivers nothing more, finishes what is being committed, closes the file."""
        await self.releases.stop()
        await self.relay.stop()
        await self.alerts.stop()
        await self.actions.stop()
        await self.challenges.stop()
        await self.client_events.stop()
        await self.intelligence.stop()
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
