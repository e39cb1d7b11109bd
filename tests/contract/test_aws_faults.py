"""DynamoDB and SNS that throttle, stay silent, lose answers or are not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay.errors import AlreadyDecided, StorageError
from assay.features.transaction import Login
from assay.schemas.stages import StandInUsage
from tests.contract.faults import Faults, Kind
from tests.contract.installations import START, AwsInstallation, Stores, record, run, transaction

LOGIN = Login("l-1", START, "a", False)
CALLS: dict[str, Callable[[Stores], Awaitable[Any]]] = {
    "observe": lambda stores: stores.profile.observe("bank", transaction(1)),
    "retract": lambda stores: stores.profile.retract("bank", transaction(1)),
    "record_login": lambda stores: stores.profile.record_login("bank", LOGIN),
    "find": lambda stores: stores.decisions.find("bank", "t-1"),
    "commit": lambda stores: stores.decisions.commit(record(transaction(1))),
    "stand_in_usage": lambda stores: stores.decisions.stand_in_usage("a"),
}
OPERATIONS = ("Query", "GetItem", "PutItem", "DeleteItem", "TransactWriteItems")


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Callable[[Stores], Awaitable[Any]]:
    return CALLS[request.param]


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "refused"])
def test_every_call_says_so_when_dynamodb_fails(
    aws: AwsInstallation, faults: Faults, call: Callable[[Stores], Awaitable[Any]], kind: Kind
) -> None:
    async def scenario() -> None:
        async with aws.process() as stores:
            for operation in OPERATIONS:
                faults.add(operation, kind)
            with pytest.raises(StorageError):
                await call(stores)
            faults.clear()
            assert await stores.decisions.find("bank", "t-1") is None
            await call(stores)

    run(scenario)
    assert [item["sk"] for item in aws.items("Outbox")] == []


def test_every_call_says_so_when_the_table_is_missing(
    aws: AwsInstallation, call: Callable[[Stores], Awaitable[Any]]
) -> None:
    async def scenario() -> None:
        aws.tables = dict.fromkeys(aws.tables, "nowhere")
        async with aws.process() as stores:
            with pytest.raises(StorageError, match="ResourceNotFound"):
                await call(stores)

    run(scenario)


def test_every_call_says_so_when_nobody_listens(
    aws: AwsInstallation, aws_environment: pytest.MonkeyPatch, call: Callable[[Stores], Awaitable[Any]]
) -> None:
    async def scenario() -> None:
        aws_environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        async with aws.process() as stores:
            with pytest.raises(StorageError, match="EndpointConnectionError"):
                await call(stores)

    run(scenario)


def test_a_query_that_stays_silent_is_given_up(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.process(timeout_s=0.2) as stores:
            faults.add("Query", "silent")
            with pytest.raises(StorageError, match="Timeout"):
                await stores.profile.observe("bank", transaction(1))

    run(scenario)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["lost", "silent"])
def test_a_commit_whose_answer_was_lost_is_found_to_have_landed(
    aws: AwsInstallation, faults: Faults, kind: Kind, times: int
) -> None:
    """Sent twice by the SDK, the second time refused by our own first (1), or without an answer as well (2)."""

    async def scenario() -> None:
        async with aws.process(timeout_s=2.0) as stores:
            faults.add("TransactWriteItems", kind, times)
            await stores.decisions.commit(record(transaction(1)))
            assert faults.calls.count("TransactWriteItems") == 2
            assert (await stores.profile.observe("bank", transaction(2)))["account_tx_count_1d"] == 2.0

    run(scenario)
    assert {body for body, _ in aws.published()} | {bytes(i["body"]["B"]) for i in aws.items("Outbox")} == {
        record(transaction(1)).event
    }


def test_a_lost_answer_is_not_mistaken_for_ours(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.process() as stores:
            await stores.decisions.commit(record(transaction(1), verdict=b"theirs"))
            faults.add("TransactWriteItems", "lost", 1)
            with pytest.raises(AlreadyDecided):
                await stores.decisions.commit(record(transaction(1), verdict=b"ours"))
            found = await stores.decisions.find("bank", "t-1")
            assert found is not None
            assert found.verdict == b"theirs"

    run(scenario)


def test_an_outcome_that_cannot_be_learnt_is_no_success(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.process() as stores:
            faults.add("TransactWriteItems", "lost")
            faults.add("GetItem", "unavailable")
            with pytest.raises(StorageError):
                await stores.decisions.commit(record(transaction(1)))

    run(scenario)


def test_a_conflict_is_waited_for_but_not_for_ever(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.process() as stores:
            faults.add("TransactWriteItems", "conflict", 2)
            await stores.decisions.commit(record(transaction(1)))
            assert await stores.decisions.find("bank", "t-1") is not None
            faults.add("TransactWriteItems", "conflict")
            with pytest.raises(StorageError, match="TransactionConflict"):
                await stores.decisions.commit(record(transaction(2)))
            with pytest.raises(StorageError, match="TransactionConflict"):
                await stores.profile.record_login("bank", LOGIN)
            faults.clear()
            assert await stores.decisions.find("bank", "t-2") is None
            assert await stores.profile.record_login("bank", LOGIN) is True

    run(scenario)


@pytest.mark.parametrize("new", [StandInUsage(count=1, amount=9.0), StandInUsage(count=3, amount=9.0)])
def test_stand_in_usage_that_moved_meanwhile_commits_nothing(aws: AwsInstallation, new: StandInUsage) -> None:
    async def scenario() -> None:
        async with aws.process() as one, aws.process() as two:
            await one.decisions.commit(record(transaction(1), StandInUsage(count=1, amount=1.0)))
            with pytest.raises(StorageError, match="stand-in usage moved"):
                await two.decisions.commit(record(transaction(2), new))
            assert await two.decisions.find("bank", "t-2") is None
            assert await two.decisions.stand_in_usage("a") == StandInUsage(count=1, amount=1.0)
            assert (await two.profile.observe("bank", transaction(3)))["account_tx_count_1d"] == 2.0

    run(scenario)
