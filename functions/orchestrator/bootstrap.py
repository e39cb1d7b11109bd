"""Builds the orchestrator for AWS, once per process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Annotated

from pydantic import Field
from starlette.applications import Starlette

from assay import settings
from assay.adapters.aws.access import open_access
from assay.adapters.aws.accounts import DynamoDenyList
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.decisions import DynamoDecisionStore
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.labels_effects import DynamoEffectStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.profile import DynamoProfileStore
from assay.adapters.aws.profile_log import ProfileLog
from assay.adapters.aws.table import Table
from assay.adapters.aws.transports import LambdaTransport, Signer, UrlTransport, http_session, once
from assay.errors import StorageError
from assay.geoip import GEOIP
from assay.http.application import application
from assay.labels.ports import Standings
from assay.ports import DecisionStore, DenyList
from assay.release.champion import Champion
from assay.release.store import Release
from assay.stage_client import StageClient, Transport
from functions.orchestrator import metrics, pipeline
from functions.orchestrator.app import Api, Readiness, routes
from functions.orchestrator.placement import Noting, Placed, Placement, inline_stages

NOBODY = "-"
"""Neither a client nor a transaction: what is asked for to see whether a table answers."""


class Settings(settings.AccessSettings):
    """What the environment says."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""
    decisions_table: str
    profile_table: str
    outbox_table: str
    events_topic: str
    """ARN."""
    stage_rules_engine: Placed
    stage_isolation_forest: Placed
    stage_autoencoder: Placed
    stage_xgboost_classifier: Placed
    stage_decision_engine: Placed
    stage_geoip: Placed | None = None
    """None: no address is looked up, the country is what the caller sends."""
    accounts_table: str | None = None
    """Where frozen accounts are. None: nothing freezes them, and only the policy's deny list denies."""
    labels_table: str | None = None
    """Where what follows from labels is. None: no label denies or trusts anybody."""
    challenges: bool = False
    """Whether somebody answers for challenges: then verdicts name them."""
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    """For a whole decision, instead of the policy's."""

    def placements(self) -> dict[str, Placement]:
        """Where each stage runs, by its name."""
        placed = {stage.name: getattr(self, f"stage_{stage.name}") for stage in (*pipeline.STAGES, GEOIP)}
        return {name: placement for name, placement in placed.items() if placement is not None}


async def build(settings: Settings, champion: Champion, undo: AsyncExitStack) -> Starlette:
    """The app, with clients that belong to this event loop; `undo` closes them. Raises `AssayError` with the reason.

    It decides by whatever is the champion.
    """
    rules = _rules(settings, champion.current())
    clients = Clients()
    undo.push_async_callback(clients.close)
    placements = settings.placements()
    notes = champion.notes
    transports = await _transports(placements, rules.deadline_s, clients, undo)
    if GEOIP.name in transports:
        transports[GEOIP.name] = Noting(transports[GEOIP.name], notes)

    def stages(release: Release) -> StageClient:
        return StageClient(inline_stages(placements, release, notes), transports)

    dynamodb = await clients.open("dynamodb")
    log = ProfileLog(dynamodb, settings.profile_table)
    outbox = DynamoOutbox(dynamodb, settings.outbox_table, SnsEvents(await clients.open("sns"), settings.events_topic))
    profile, decisions = DynamoProfileStore(log), DynamoDecisionStore(dynamodb, settings.decisions_table, log, outbox)
    frozen = None if settings.accounts_table is None else DynamoDenyList(dynamodb, settings.accounts_table)
    labels = settings.labels_table
    standings = None if labels is None else DynamoEffectStore(Table(dynamodb, labels, outbox, "labels"))
    scoring = pipeline.Pipeline(
        stages(champion.current()),
        profile,
        decisions,
        rules,
        observer=metrics.count,
        deny_list=frozen,
        standings=standings,
    )
    champion.follow(lambda release: partial(scoring.switch, stages(release), _rules(settings, release)))
    access = await open_access(settings, dynamodb)
    return application(routes(Api(scoring, profile, access, _readiness(decisions, log, frozen, standings), notes)))


def _rules(settings: Settings, release: Release) -> pipeline.Settings:
    rules = pipeline.Settings.of(release, settings.deadline_ms)
    return rules if settings.challenges else replace(rules, challenge_ttl_s=None)


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


def _readiness(
    decisions: DecisionStore, profile: ProfileLog, deny_list: DenyList | None, standings: Standings | None
) -> Readiness:
    """A read of each table that a verdict needs. Anyone may ask, so it costs little and invokes no stage."""
    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "decisions": lambda: decisions.find(NOBODY, NOBODY),
        "profile": lambda: profile.first(NOBODY, NOBODY, 0),
    }
    if deny_list is not None:
        questions["accounts"] = lambda: deny_list.denies(NOBODY)
    if standings is not None:
        questions["labels"] = lambda: standings.standing({"device": NOBODY})

    async def readiness() -> dict[str, str]:
        faults = {}
        for part, question in questions.items():
            try:
                await question()
            except StorageError as error:
                faults[part] = str(error)
        return faults

    return readiness
