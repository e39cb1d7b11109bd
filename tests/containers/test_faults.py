"""What breaks: a container, a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assay.adapters.aws.profile_items import stamp
from local.aws.stack import LocalAws
from tests.containers.installation import recorded, score, stopped, transaction
from tests.harness.waiting import eventually

SHORT_S = 2


@pytest.fixture
def queue(aws: LocalAws) -> Iterator[str]:
    """The consumer's queue, with a visibility timeout for people who wait."""
    sqs, url = aws.client("sqs"), aws.resources["PostAuthIntelligenceQueue"].ref
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(SHORT_S)})
    yield url
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


def test_a_stopped_model_degrades_the_verdict_until_it_is_back(aws: LocalAws, client: httpx.Client) -> None:
    assert score(client, transaction()).degraded == []
    with stopped(aws, "XgboostClassifierFunction"):
        for _ in range(2):
            verdict = score(client, transaction())
            assert verdict.degraded == ["xgboost_classifier"]
            assert verdict.fraud_score is None
            assert verdict.if_score is not None
    eventually(lambda: score(client, transaction()).degraded == [])


def test_a_poison_message_ends_in_the_dead_letters_and_its_neighbours_are_recorded(
    aws: LocalAws, client: httpx.Client, queue: str
) -> None:
    sqs, poison = aws.client("sqs"), '{"event":"transaction.scored","version":99}'
    neighbours = [transaction() for _ in range(3)]
    score(client, neighbours[0])
    sqs.send_message(QueueUrl=queue, MessageBody=poison)
    for body in neighbours[1:]:
        score(client, body)

    wanted = {body["transaction_id"] for body in neighbours}
    eventually(lambda: wanted <= transactions(aws))
    eventually(lambda: poison in bodies(sqs, aws.resources["PostAuthIntelligenceDeadLetters"].ref))
    eventually(lambda: waiting(sqs, queue) == 0)


def test_an_event_that_a_crash_left_unsent_is_sent(aws: LocalAws, client: httpx.Client) -> None:
    body = transaction()
    score(client, body)
    eventually(lambda: body["transaction_id"] in transactions(aws))
    (event,) = [event for event in recorded(aws) if event["transaction"] == body]
    event["verdict"]["transaction_id"] = unsent = f"{body['transaction_id']}-unsent"
    item = {"pk": {"S": "O#0"}, "sk": {"S": f"{stamp(1)}#shop#{unsent}"}, "body": {"B": json.dumps(event).encode()}}
    dynamodb, table = aws.client("dynamodb"), aws.resources["OutboxTable"].ref
    dynamodb.put_item(TableName=table, Item=item)

    aws.functions.invoke("OutboxSweeperFunction", b"{}", 50)
    eventually(lambda: unsent in transactions(aws))
    assert dynamodb.scan(TableName=table)["Count"] == 0


def transactions(aws: LocalAws) -> set[str]:
    """What has been recorded."""
    return {event["verdict"]["transaction_id"] for event in recorded(aws)}


def bodies(sqs: Any, url: str) -> list[str]:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return [message["Body"] for message in messages]


def waiting(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)
