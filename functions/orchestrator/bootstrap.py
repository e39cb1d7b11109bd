"""Builds the orchestrator for AWS, once per process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import jwt
from obstore.exceptions import BaseError
from pydantic import Field
from starlette.applications import Starlette

from assay import settings
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.decisions import DynamoDecisionStore
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.objects import S3, open_store
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.profile import DynamoProfileStore
from assay.adapters.aws.profile_log import ProfileLog
from assay.adapters.aws.transports import LambdaTransport, Signer, UrlTransport, http_session, once
from assay.errors import SettingsError, StorageError
from assay.features.rates import Rates
from assay.ports import DecisionStore
from assay.release.store import Release
from assay.security import TokenVerifier
from assay.stage_client import StageClient, Transport
from functions.orchestrator import metrics, pipeline
from functions.orchestrator.app import Api, Readiness, create_app
from functions.orchestrator.placement import Placed, Placement, inline_stages

NOBODY = "-"
"""Neither a client nor a transaction: what is asked for to see whether a table answers."""


class Settings(settings.Settings):
    """What the environment says."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""
    decisions_table: str
    profile_table: str
    outbox_table: str
    events_topic: str
    """ARN."""
    jwks: str
    """Keys that tokens are checked with: `s3://bucket/key` or a file. Read once; a new key needs new processes."""
    token_issuer: str
    token_audience: str
    stage_rules_engine: Placed
    stage_isolation_forest: Placed
    stage_autoencoder: Placed
    stage_xgboost_classifier: Placed
    stage_decision_engine: Placed
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    """For a whole decision, instead of the policy's."""

    def placements(self) -> dict[str, Placement]:
        """Where each stage runs, by its name."""
        return {stage.name: getattr(self, f"stage_{stage.name}") for stage in pipeline.STAGES}


async def build(settings: Settings, release: Release, undo: AsyncExitStack) -> Starlette:
    """The app, with clients that belong to this event loop; `undo` closes them. Raises `AssayError` with the reason."""
    rules, verifier = pipeline.Settings.of(release, settings.deadline_ms), _verifier(settings)
    clients = Clients()
    undo.push_async_callback(clients.close)
    placements = settings.placements()
    inline = inline_stages(placements, release)
    stages = StageClient(inline, await _transports(placements, rules.deadline_s, clients, undo))

    dynamodb = await clients.open("dynamodb")
    log = ProfileLog(dynamodb, settings.profile_table)
    outbox = DynamoOutbox(dynamodb, settings.outbox_table, SnsEvents(await clients.open("sns"), settings.events_topic))
    profile, decisions = DynamoProfileStore(log), DynamoDecisionStore(dynamodb, settings.decisions_table, log, outbox)
    scoring = pipeline.Pipeline(stages, profile, decisions, rules, observer=metrics.count)
    rates = Rates.load(release.read("rates.yaml"))
    return create_app(Api(scoring, profile, verifier, rates, _readiness(decisions, log)))


async def _transports(
    placements: Mapping[str, Placement], deadline_s: float, clients: Clients, undo: AsyncExitStack
) -> dict[str, Transport]:
    functions = {name: placement.target for name, placement in placements.items() if placement.kind == "lambda"}
    urls = {name: placement.target for name, placement in placements.items() if placement.kind == "url"}
    transports: dict[str, Transport] = {}
    if functions:
        client = await clients.open("lambda", once(deadline_s))
        transports.update({name: LambdaTransport(client, function) for name, function in functions.items()})
    if urls:
        http = await undo.enter_async_context(http_session(deadline_s))
        signer = Signer(clients.session, clients.session.get_config_variable("region"))
        transports.update({name: UrlTransport(http, url, signer) for name, url in urls.items()})
    return transports


def _verifier(settings: Settings) -> TokenVerifier:
    try:
        document = _read(settings.jwks)
        return TokenVerifier.from_jwks(document, settings.token_issuer, settings.token_audience)
    except (BaseError, OSError, ValueError, jwt.PyJWTError) as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(f"ASSAY_JWKS: {settings.jwks} cannot be used: {reason}") from error


def _read(location: str) -> bytes:
    if not location.startswith(S3):
        return Path(location).read_bytes()
    folder, _, name = location.rpartition("/")
    return bytes(open_store(folder).get(name).bytes())


def _readiness(decisions: DecisionStore, profile: ProfileLog) -> Readiness:
    """A read of each table that a verdict begins with. Anyone may ask, so it costs little and invokes no stage."""

    async def readiness() -> dict[str, str]:
        faults = {}
        for part, question in {
            "decisions": decisions.find(NOBODY, NOBODY),
            "profile": profile.first(NOBODY, NOBODY, 0),
        }.items():
            try:
                await question
            except StorageError as error:
                faults[part] = str(error)
        return faults

    return readiness
