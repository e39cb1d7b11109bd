"""The function on AWS: over the archive and the table of labels, by the policy of the champion."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from assay.adapters.archives import open_archive
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.intelligence import DynamoReportStore
from assay.adapters.aws.labels import DynamoLabelStore
from assay.adapters.aws.labels_effects import DynamoEffectStore
from assay.adapters.aws.labels_step_ups import DynamoStepUpStore
from assay.adapters.aws.labels_subjects import DynamoSubjects
from assay.adapters.aws.table import Table, open_table
from assay.labels.step_ups import StepUp
from assay.policy import Policy
from assay.ports import ScoredEvent
from assay.release.champion import Champion
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.bootstrap import Settings
from functions.post_auth_intelligence.events import Happened, Labelled
from functions.post_auth_intelligence.feedback import Feedback
from functions.post_auth_intelligence.feedback_effects import LabelEffects

if TYPE_CHECKING:
    from starlette.applications import Starlette

MAX_ROWS = 250
"""Of a file in one request: a label takes some eight calls of DynamoDB and SNS, one after the other, so that a row has
a tenth of a second of the function's 28."""


class Function:
    """What the entry point does. It belongs to one event loop, and lives as long as the process."""

    def __init__(self, settings: Settings, champion: Champion, table: Table) -> None:
        """`table`: of labels. Raises `PolicyError`, `ReleaseError`, `SettingsError`."""
        self._settings = settings
        self._dynamodb = table.client
        self.scored = ScoredEventArchive(open_archive(settings.archive))
        self.labels, self.reports = DynamoLabelStore(table), DynamoReportStore(table)
        self.step_ups = DynamoStepUpStore(table)
        subjects = DynamoSubjects(table.client, settings.decisions_table, settings.profile_table)
        limits = Policy.of(champion.current()).feedback
        self.feedback = Feedback(subjects, self.labels, limits)
        self.effects = LabelEffects(self.labels, subjects, DynamoEffectStore(table), limits)
        champion.follow_policy(self._decide_by)

    async def take(self, events: Sequence[Happened]) -> None:
        """Does what each kind asks for. All of it may be repeated. Raises `StorageError`."""
        if scored := [event for event in events if isinstance(event, ScoredEvent)]:
            await self.scored.record(scored)
        await self.step_ups.record([event for event in events if isinstance(event, StepUp)])
        await self.effects.follow([event for event in events if isinstance(event, Labelled)])

    async def app(self) -> Starlette:
        """Serves the routes. Raises `SettingsError` without the keys of tokens: events do not wait for them."""
        from assay.adapters.aws.access import open_access
        from assay.http.application import application
        from functions.post_auth_intelligence.app import Api, routes

        access = await open_access(self._settings, self._dynamodb)
        return application(routes(Api(self.feedback, self.step_ups, self.reports, access, MAX_ROWS)))

    def _decide_by(self, policy: Policy) -> None:
        self.feedback.limits = self.effects.policy = policy.feedback


async def open_function(settings: Settings, champion: Champion, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it. Raises `AssayError`."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    place = (settings.labels_table, settings.outbox_table, settings.events_topic)
    return Function(settings, champion, await open_table(clients, *place, "labels"))
