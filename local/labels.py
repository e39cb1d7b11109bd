"""Labels in the embedded installation: taken from people and programs, and what follows from them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from assay import moments
from assay.adapters.sqlite.identity import SqliteUserStore
from assay.adapters.sqlite.labels import SqliteLabelStore, SqliteSubjects
from assay.adapters.sqlite.labels_effects import SqliteEffectStore
from assay.adapters.sqlite.ledger import SqliteLedger, SqliteProfileStore
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.adapters.sqlite.step_ups import SqliteStepUpStore
from assay.errors import AssayError, StorageError
from assay.features.windows import DAY
from assay.identity import scopes
from assay.identity.access import Access
from assay.identity.records import Status, normal_email
from assay.intelligence.reports import ReportStore
from assay.policy import Policy
from assay.problems import Problem
from assay.release import Release
from functions.post_auth_intelligence.app import Api, rule_feedback
from functions.post_auth_intelligence.feedback import Feedback, Sender
from functions.post_auth_intelligence.feedback_csv import ImportReport, LabelFile, import_labels
from functions.post_auth_intelligence.feedback_effects import LabelEffects
from functions.post_auth_intelligence.rule_feedback import RuleFeedback
from functions.post_auth_intelligence.step_ups import StepUpRecorder
from local.ledger import existing, with_ledger

if TYPE_CHECKING:
    import polars as pl

LABELS = (
    "SELECT client_id, transaction_id, label, labelled_by, labelled_at, counts_since FROM labels"
    " WHERE label IS NOT NULL"
)


class LabelError(AssayError):
    """What a command was told to do cannot be done."""


class Labels:
    """The function's parts that have to do with labels."""

    def __init__(
        self,
        release: Release,
        ledger: SqliteLedger,
        profile: SqliteProfileStore,
        reports: ReportStore,
        access: Access,
    ) -> None:
        limits = Policy.of(release).feedback
        store = SqliteLabelStore(ledger)
        self.effects = SqliteEffectStore(ledger)
        """Also asked for every score."""
        self.consumer = LabelEffects(store, profile, self.effects, limits)
        step_ups = SqliteStepUpStore(ledger)
        self.step_ups = StepUpRecorder(step_ups)
        self.api = Api(Feedback(SqliteSubjects(ledger), store, limits), step_ups, reports, access)

    def decide_by(self, policy: Policy) -> None:
        """Of another release, from now on. From any thread."""
        self.api.feedback.limits = self.consumer.policy = policy.feedback


def import_file(database: Path, release: Release, file: Path, email: str, client_id: str | None) -> ImportReport:
    """Takes a file's labels from a user, beside a running server or without one.

    Raises `LabelError` for a user who may not label or a header that cannot be used, `StorageError`, `OSError`.
    """
    limits = Policy.of(release).feedback

    async def work(ledger: SqliteLedger) -> ImportReport:
        user = await SqliteUserStore(ledger, SqliteRevocations(ledger)).by_email(normal_email(email))
        if user is None or user.status is not Status.ACTIVE or scopes.LABELS not in scopes.scopes_of(user.role):
            raise LabelError("no active user with this address who may label; see assay users list")
        feedback = Feedback(SqliteSubjects(ledger), SqliteLabelStore(ledger), limits)
        return await import_labels(feedback, Sender(user.id, is_person=True), labels)

    try:
        labels = LabelFile(file.read_bytes(), client_id)
    except Problem as problem:
        raise LabelError(f"{file.name}: {problem.errors[0].detail}") from None
    return with_ledger(database, work)


def rules(database: Path, days: int) -> RuleFeedback:
    """How the rules have done on what was decided in so many days and has a label. Raises `StorageError`."""
    since = moments.now() - days * DAY
    return with_ledger(database, lambda ledger: rule_feedback(SqliteLabelStore(ledger), since))


def labels_table(database: Path) -> pl.DataFrame:
    """The labels in effect, for reading in bulk: client_id, transaction_id, label, by whom, and two moments (UTC).

    `labelled_at`: when somebody came to it, `known_at`: since when it counts here. Raises `StorageError`.
    """
    import polars as pl

    texts = dict.fromkeys(("client_id", "transaction_id", "label", "labelled_by"), pl.String())
    schema = pl.Schema(texts | dict.fromkeys(("labelled_at", "known_at"), pl.Int64()))
    try:
        with closing(sqlite3.connect(f"{existing(database).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(LABELS).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{database}: {error}") from error
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("labelled_at", "known_at").cast(pl.Datetime("us", "UTC"))
    )
