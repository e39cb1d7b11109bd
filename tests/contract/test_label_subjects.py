"""What a label is about, and what the profile learns of it: the same from a file and from DynamoDB."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from assay.adapters.aws.decisions import DynamoDecisionStore
from assay.adapters.aws.labels_subjects import DynamoSubjects
from assay.adapters.sqlite.labels import SqliteSubjects
from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteProfileStore
from assay.features.windows import DAY
from assay.moments import microseconds
from tests.contract.installations import DECIDED, START, AwsInstallation, Installation, Stores, record, run, transaction

VERDICT = json.dumps({"decision": "CHALLENGE", "fraud_score": 0.25, "triggered_rules": ["a", "b"], "more": 1}).encode()


def opened(installation: Installation, stores: Stores) -> tuple[Any, Any]:
    """(subjects, what records labels in the profile)."""
    decisions, profile = stores.decisions, stores.profile
    if isinstance(installation, AwsInstallation):
        assert isinstance(decisions, DynamoDecisionStore)
        tables = installation.tables
        both = DynamoSubjects(decisions._client, tables["Decisions"], tables["Profile"])
        return both, both
    assert isinstance(decisions, SqliteDecisionStore)
    assert isinstance(profile, SqliteProfileStore)
    return SqliteSubjects(decisions._ledger), profile


def test_the_subject_is_the_transaction_as_it_was_decided(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:
            subjects, _ = opened(installation, stores)
            for tx in (transaction(1), transaction(2, account=None)):
                await stores.profile.observe("bank", tx)
                await stores.decisions.commit(replace(record(tx), verdict=VERDICT))
            found = await subjects.find("bank", "t-1")
            assert (found.client_id, found.transaction_id, found.time) == ("bank", "t-1", transaction(1).time)
            assert (found.decided_at, found.decision) == (microseconds(DECIDED), "CHALLENGE")
            assert (found.fraud_score, found.rules, found.amount) == (0.25, ("a", "b"), 10.0001)
            assert (found.account, found.device, found.counterparty) == ("a", "d", "c")
            flat = await subjects.find("bank", "t-2")
            assert (flat.account, flat.decision) == (None, "CHALLENGE")
            assert await subjects.find("shop", "t-1") is None
            assert await subjects.find("bank", "t-3") is None

    run(scenario)


def test_the_profile_counts_confirmed_fraud_and_forgets_what_was_none(installation: Installation) -> None:
    async def share(n: int) -> object:
        """As a new process reads it."""
        async with installation.process() as stores:
            probe = transaction(n, seconds=0)
            probe.time = START + 7 * DAY + 3_600_000_000
            features = await stores.profile.observe("bank", probe)
            await stores.profile.retract("bank", probe)
        assert features["counterparty_tx_count_1d"] == 2.0
        return features["counterparty_fraud_share_1d"]

    async def scenario() -> None:
        async with installation.process() as stores:
            _, labelled = opened(installation, stores)
            for n in (1, 2):
                await stores.profile.observe("bank", transaction(n))
                await stores.decisions.commit(replace(record(transaction(n)), verdict=VERDICT))
            for _ in range(2):
                await labelled.record_label("bank", "t-1", is_fraud=True)
            await labelled.record_label("bank", "nothing", is_fraud=True)
        assert await share(3) == 0.5
        async with installation.process() as stores:
            _, labelled = opened(installation, stores)
            await labelled.record_label("bank", "t-1", is_fraud=False)
        assert await share(4) == 0.0

    run(scenario)
