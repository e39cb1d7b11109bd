"""`assay replay-decision`: the pipeline decides once more, with what is on record in place of profile and store.

The profile gives the recorded features, the decision store the recorded stand-in usage, the deny list denies what it
denied, and a part that the verdict was made without is missing again. Everything else is the pipeline itself, over the
recorded release.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from assay.audit.reading import Record
from assay.errors import ReleaseError, StorageError
from assay.features.rates import Rates
from assay.features.transaction import Login, Transaction
from assay.labels.ports import Standing, TokenKind
from assay.ports import DecisionRecord, StoredDecision
from assay.release import Release, open_release
from assay.schemas.base import FeatureValue
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.stages import StandInUsage
from assay.schemas.verdict import FraudVerdict, TransactionScored
from assay.stage_client import StageClient
from functions.decision_engine.table import DENIED, TRUSTED
from functions.orchestrator.case import DENY_LIST, PROFILE
from functions.orchestrator.intake import Submission, read_transaction
from functions.orchestrator.pipeline import Pipeline, Settings
from local.audit.records import find
from local.champion import trusted_keys
from local.inline_stages import inline_stages
from local.places import Places

PATIENT_MS = 60_000
"""The deadline of then was part of what happened, and `degraded` says how it went."""
OWN_TO_EACH = frozenset({"timings_us", "challenge"})
"""Of a verdict: the id of a challenge is drawn at random."""


class RecordedProfile:
    """A profile that knows one transaction: as it was."""

    def __init__(self, event: TransactionScored) -> None:
        self._event = event

    async def observe(self, _client_id: str, _transaction: Transaction) -> dict[str, FeatureValue]:
        """The recorded features; `StorageError` when the profile was missing."""
        if PROFILE in self._event.verdict.degraded:
            raise StorageError("missing, as on record")
        return dict(self._event.features)

    async def retract(self, _client_id: str, _transaction: Transaction) -> None:
        """There is nothing to take back."""

    async def record_login(self, _client_id: str, _login: Login) -> bool:
        """Known already: what logins said is in the features."""
        return False


class RecordedDenyList:
    """Denies what it denied then."""

    def __init__(self, verdict: FraudVerdict) -> None:
        self._verdict = verdict

    async def denies(self, _account: str) -> bool:
        """As the verdict says; `StorageError` when the deny list was missing."""
        if DENY_LIST in self._verdict.degraded:
            raise StorageError("missing, as on record")
        return self._verdict.triggered_by == DENIED.triggered_by


class RecordedStandings:
    """Trusts what it trusted then; what it denied, `RecordedDenyList` denies."""

    def __init__(self, verdict: FraudVerdict) -> None:
        self._standing = Standing(is_trusted=verdict.triggered_by == TRUSTED.triggered_by)

    async def standing(self, _tokens: dict[TokenKind, str]) -> Standing:
        """As the verdict says."""
        return self._standing


class RecordedDecisions:
    """A decision store in which nothing has been decided; keeps what the pipeline commits."""

    def __init__(self, used: StandInUsage) -> None:
        self._used = used
        self.committed: DecisionRecord | None = None

    async def find(self, _client_id: str, _transaction_id: str) -> StoredDecision | None:
        """Nothing: it is decided again."""
        return None

    async def commit(self, record: DecisionRecord) -> None:
        """Keeps the record in memory."""
        self.committed = record

    async def stand_in_usage(self, _account: str) -> StandInUsage:
        """The recorded usage."""
        return self._used


def run(places: Places, transaction: str, client: str | None, as_json: bool) -> int:
    """Prints both verdicts where they differ; returns 0 when they are equal, else 1. Raises `AssayError`."""
    record = find(places, transaction, client, TRANSACTION_SCORED)
    release = recorded_release(places, record)
    differences = Redecider(release).differences(record)
    verdict = record.event["verdict"]
    if as_json:
        facts = {"equal": not differences, "sequence": record.sequence, "release": release.version}
        print(json.dumps({**facts, "differences": differences}))
    elif differences:
        for name, (then, now) in differences.items():
            print(f"{name}: on record {json.dumps(then)}, now {json.dumps(now)}")
    else:
        print(f"equal: {verdict['decision']} by {verdict['triggered_by']}, release {release.version} {release.hash}")
    return 1 if differences else 0


def recorded_release(places: Places, record: Record) -> Release:
    """The release that decided, verified. Raises `ReleaseError`, also when it is another one under the same name."""
    recorded = _event(record).verdict.release
    release = open_release(places.releases / recorded.version, trusted_keys(places))
    if release.hash != recorded.hash:
        raise ReleaseError(f"{recorded.version}: has the hash {release.hash}; {recorded.hash} decided")
    return release


class Redecider:
    """One release, ready to decide again what it decided."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._handlers = inline_stages(release)

    def differences(self, record: Record) -> dict[str, tuple[Any, Any]]:
        """What the verdict says otherwise when it is made again: field -> (on record, now); empty when equal."""
        then, now = record.event, asyncio.run(self._decide(_event(record), record.event["transaction"]))
        differences = {
            name: (then["verdict"].get(name), now["verdict"].get(name))
            for name in {**then["verdict"], **now["verdict"]}
            if name not in OWN_TO_EACH and then["verdict"].get(name) != now["verdict"].get(name)
        }
        for name in ("features", "amount_base"):
            if then[name] != now[name]:
                differences[name] = (then[name], now[name])
        return differences

    async def _decide(self, event: TransactionScored, document: dict[str, Any]) -> dict[str, Any]:
        missing = event.verdict.degraded
        handlers = {name: handler for name, handler in self._handlers.items() if name not in missing}
        decisions = RecordedDecisions(event.stand_in_usage)
        pipeline = Pipeline(
            StageClient(handlers),
            RecordedProfile(event),
            decisions,
            Settings.of(self._release, PATIENT_MS),
            now=lambda: event.verdict.decided_at,
            deny_list=RecordedDenyList(event.verdict),
            standings=RecordedStandings(event.verdict),
        )
        await pipeline.score(_submission(event, document, self._release))
        assert decisions.committed is not None  # noqa: S101 - `score` commits or raises
        again: dict[str, Any] = json.loads(decisions.committed.event)
        return again


def _event(record: Record) -> TransactionScored:
    return TransactionScored.model_validate_json(json.dumps(record.event))


def _submission(event: TransactionScored, document: dict[str, Any], release: Release) -> Submission:
    """The request as it came in, at the moment it did."""
    rates = Rates.load(release.read("rates.yaml"))
    received: datetime = event.occurred_at
    submission = read_transaction(json.dumps(document).encode(), event.client_id, rates, received)
    # A flat request may come without an id: it was given one. A country may have been looked up in what was known then.
    transaction = replace(submission.transaction, transaction_id=event.verdict.transaction_id)
    if event.geoip is not None:
        transaction.country = event.geoip.country
    return replace(submission, transaction=transaction)
