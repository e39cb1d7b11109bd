"""Events on AWS: published with the commit, or by the sweeper."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from assay.adapters.aws import outbox
from functions.outbox_sweeper.bootstrap import Settings, build
from functions.outbox_sweeper.sweeper import Swept
from tests.contract.faults import Faults
from tests.contract.installations import PATIENT_S, SECOND, START, AwsInstallation, record, run, transaction

ATTRIBUTES = {"event": "transaction.scored", "decision": "APPROVE"}
HANDLER = "functions.outbox_sweeper.handler"


def settings(aws: AwsInstallation) -> Settings:
    return Settings(outbox_table=aws.tables["Outbox"], events_topic=aws.topic)


async def sweep(aws: AwsInstallation, has_time: Callable[[], bool] = lambda: True) -> Swept:
    sweeper = await build(settings(aws))
    sweeper._clock = aws.clock
    return await sweeper.sweep(has_time)


def event(n: int) -> tuple[bytes, dict[str, str]]:
    return record(transaction(n)).event, ATTRIBUTES


async def commit(aws: AwsInstallation, *numbers: int) -> None:
    async with aws.process() as stores:
        for n in numbers:
            await stores.decisions.commit(record(transaction(n)))


def test_a_committed_event_is_published_with_its_attributes(aws: AwsInstallation) -> None:
    run(lambda: commit(aws, 1, 2))
    assert aws.published() == [event(1), event(2)]
    assert aws.items("Outbox") == []


def test_what_a_topic_that_is_down_did_not_take_is_swept_once(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        faults.add("sns", "unavailable")
        await commit(aws, *range(5))
        assert len(aws.items("Outbox")) == 5
        aws.clock.now = START + 59 * SECOND
        assert await sweep(aws) == Swept(), "who committed them may still be publishing them"
        aws.clock.now = START + 61 * SECOND
        assert await sweep(aws) == Swept(failed=5, oldest_s=61.0)
        faults.clear()
        assert aws.published() == []
        assert await sweep(aws) == Swept(swept=5, oldest_s=61.0)
        assert sorted(aws.published(), key=str) == [event(n) for n in range(5)]
        assert await sweep(aws) == Swept()
        assert aws.items("Outbox") == []

    run(scenario)


def test_a_process_that_ends_between_commit_and_publication_loses_nothing(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        faults.clear()
        faults.add("sns", "silent")
        task = asyncio.create_task(commit(aws, 1))
        while "sns" not in faults.calls:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        faults.clear()
        async with aws.process() as stores:
            assert await stores.decisions.find("bank", "t-1") is not None
        aws.clock.now = START + 61 * SECOND
        assert await sweep(aws) == Swept(swept=1, oldest_s=61.0)
        assert set(map(str, aws.published())) == {str(event(1))}
        assert aws.items("Outbox") == []

    run(scenario)


def test_a_verdict_does_not_wait_for_a_topic_that_stays_silent(
    aws: AwsInstallation, aws_environment: pytest.MonkeyPatch, faults: Faults
) -> None:
    async def scenario() -> None:
        aws_environment.setattr(outbox, "PUBLISH_WITHIN_S", 0.1)
        faults.add("sns", "silent")
        async with asyncio.timeout(PATIENT_S / 2):
            await commit(aws, 1)
        assert len(aws.items("Outbox")) == 1

    run(scenario)


def test_an_event_that_could_not_be_forgotten_is_published_again(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        faults.add("DeleteItem", "throttled")
        await commit(aws, 1)
        aws.clock.now = START + 61 * SECOND
        assert await sweep(aws) == Swept(failed=1, oldest_s=61.0)
        faults.clear()
        assert (await sweep(aws)).swept == 1
        assert aws.published() == [event(1)] * 3

    run(scenario)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"verdict":{}}', b'{"verdict":"x"}', b"x" * 1000])
def test_a_poison_event_does_not_stop_the_others(aws: AwsInstallation, body: bytes) -> None:
    async def scenario() -> None:
        place = {"TableName": aws.tables["Outbox"]}
        for n in range(3):
            item = {"pk": {"S": "O#0"}, "sk": {"S": f"{START + n:016d}#bank#t-{n}"}, "body": {"B": event(n)[0]}}
            aws.api["dynamodb"].put_item(**place, Item=item if n != 1 else {**item, "body": {"B": body}})
        aws.clock.now = START + 100 * SECOND
        for swept in (2, 0):
            assert await sweep(aws) == Swept(swept=swept, failed=1, oldest_s=100.0 - (0.0 if swept else 1e-6))
        assert aws.published() == [event(0), event(2)]

    run(scenario)


def test_the_largest_event_goes_through(aws: AwsInstallation) -> None:
    """Far larger than any: 500 rules that fired are 40 kB, in the verdict and again in the event."""
    padding = "x" * 100_000
    body = json.dumps({"event": "transaction.scored", "features": padding, "verdict": {"decision": "APPROVE"}}).encode()
    large = replace(record(transaction(1)), verdict=padding.encode(), event=body)

    async def scenario() -> None:
        async with aws.process() as stores:
            await stores.decisions.commit(large)
            found = await stores.decisions.find("bank", "t-1")
            assert found is not None
            assert found.verdict == large.verdict

    run(scenario)
    assert aws.published() == [(body, ATTRIBUTES)]


class Context:
    """Lambda's, with this much time."""

    def __init__(self, remaining_ms: int) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


@pytest.fixture
def handler(aws: AwsInstallation, aws_environment: pytest.MonkeyPatch) -> Any:
    """The Lambda function, as a new process has it."""
    aws_environment.setenv("ASSAY_OUTBOX_TABLE", aws.tables["Outbox"])
    aws_environment.setenv("ASSAY_EVENTS_TOPIC", aws.topic)
    sys.modules.pop(HANDLER, None)
    module = importlib.import_module(HANDLER)
    yield module.handler
    module._loop.close()
    del sys.modules[HANDLER]


@pytest.mark.parametrize("trigger", [{"detail-type": "Scheduled Event"}, {}, None, [], "x", 5])
def test_the_handler_sweeps_whatever_its_trigger_says(
    aws: AwsInstallation, faults: Faults, handler: Any, trigger: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    faults.add("sns", "unavailable")
    run(lambda: commit(aws, 1, 2))
    faults.clear()
    assert handler(trigger, Context(10_000))["unfinished"] == 2
    assert aws.published() == []
    answer = handler(trigger, Context(50_000))
    assert (answer["swept"], answer["failed"], answer["unfinished"]) == (2, 0, 0)
    assert handler(trigger, Context(50_000))["swept"] == 0
    json.dumps(answer)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["Swept"] for line in metrics] == [[0.0], [2.0], [0.0]]
    assert [line["Failed"] for line in metrics] == [[0.0]] * 3
    assert [line["OldestAge"][0] > 60 for line in metrics] == [True, True, False]
    assert metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Assay"
    assert {line["service"] for line in metrics} == {"outbox_sweeper"}


def test_the_handler_fails_when_the_outbox_cannot_be_read(aws: AwsInstallation, faults: Faults, handler: Any) -> None:
    faults.add("Query", "throttled")
    with pytest.raises(Exception, match="16 shards"):
        handler({}, Context(50_000))
    faults.clear()
    assert handler({}, Context(50_000))["swept"] == 0
