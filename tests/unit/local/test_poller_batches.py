from __future__ import annotations

from typing import Any

import pytest

from local.aws import sqs_batch
from local.aws.errors import TemplateError
from local.aws.mappings import QueueMapping, Schedule, queue_mappings, schedules
from local.aws.template import Template

ARN = "arn:aws:sqs:us-east-1:123456789012:Scored"
MESSAGE = {
    "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
    "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
    "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "MD5OfMessageAttributes": "00484c68",
    "Body": '{"event":"transaction.scored"}',
    "Attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
    },
    "MessageAttributes": {
        "decision": {"DataType": "String", "StringValue": "DECLINE"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    },
}


def test_the_event_has_the_shape_that_lambda_gives_it() -> None:
    assert sqs_batch.event([MESSAGE], ARN) == {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": '{"event":"transaction.scored"}',
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                },
                "messageAttributes": {
                    "decision": {
                        "stringValue": "DECLINE",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "String",
                    },
                    "raw": {
                        "binaryValue": "AP8=",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "Binary",
                    },
                },
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "md5OfMessageAttributes": "00484c68",
                "eventSource": "aws:sqs",
                "eventSourceARN": ARN,
                "awsRegion": "us-east-1",
            }
        ]
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", set()),
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}', {"a", "b"}),
        # What makes no sense fails the whole batch.
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', {"a", "b", "c"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b", "c"}),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b", "c"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ["b"]}]}', {"a", "b", "c"}),
        (b'{"batchItemFailures": [{"ItemIdentifier": "b"}]}', {"a", "b", "c"}),
        (b'{"batchItemFailures": ["b"]}', {"a", "b", "c"}),
        (b'{"batchItemFailures": "b"}', {"a", "b", "c"}),
        (b'{"batchItemFailures": {"itemIdentifier": "b"}}', {"a", "b", "c"}),
        (b'"ok"', {"a", "b", "c"}),
        (b"[]", {"a", "b", "c"}),
        (b"not JSON", {"a", "b", "c"}),
        (b"\xff", {"a", "b", "c"}),
    ],
)
def test_what_an_answer_means(answer: bytes, expected: set[str]) -> None:
    assert sqs_batch.failed(answer, ["a", "b", "c"]) == expected


def template(events: dict[str, Any], **resources: Any) -> Template:
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {"Timeout": 7, "Events": events},
    }
    return Template({"Resources": {"Consumer": function, **resources}})


def lookup(name: str, attribute: str | None) -> str:
    return {("Scored", "Arn"): ARN, ("Consumer", None): "Consumer"}[name, attribute]


QUEUE = {"Queue": {"Fn::GetAtt": ["Scored", "Arn"]}}


def test_a_sam_event_and_a_mapping_say_the_same() -> None:
    options = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 5},
    }
    by_event = template({"Scored": {"Type": "SQS", "Properties": {**QUEUE, **options}}})
    source = {"EventSourceArn": QUEUE["Queue"], "FunctionName": {"Ref": "Consumer"}, **options}
    by_mapping = template({}, Mapping={"Type": "AWS::Lambda::EventSourceMapping", "Properties": source})
    expected = QueueMapping("Consumer", ARN, 7.0, 100, 2.0, 5, partial_failures=True)
    assert queue_mappings(by_event, lookup) == queue_mappings(by_mapping, lookup) == [expected]
    assert expected.queue == "Scored"


def test_the_defaults_of_a_mapping_are_lambdas() -> None:
    (mapping,) = queue_mappings(template({"Scored": {"Type": "SQS", "Properties": QUEUE}}), lookup)
    assert (mapping.batch_size, mapping.window_s, mapping.partial_failures) == (10, 0.0, False)


def test_a_disabled_mapping_is_left_alone() -> None:
    assert queue_mappings(template({"S": {"Type": "SQS", "Properties": {**QUEUE, "Enabled": False}}}), lookup) == []


def test_a_filter_is_refused_rather_than_ignored() -> None:
    filtered = template({"S": {"Type": "SQS", "Properties": {**QUEUE, "FilterCriteria": {"Filters": []}}}})
    with pytest.raises(TemplateError, match="FilterCriteria"):
        queue_mappings(filtered, lookup)


@pytest.mark.parametrize(
    ("rate", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_a_schedule(rate: str, seconds: int) -> None:
    plain = template({"Tick": {"Type": "Schedule", "Properties": {"Schedule": rate}}})
    assert schedules(plain, lookup) == [Schedule("Consumer", 7.0, seconds, b"")]
    newer = template({"Tick": {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": rate, "Input": "{}"}}})
    assert schedules(newer, lookup) == [Schedule("Consumer", 7.0, seconds, b"{}")]


@pytest.mark.parametrize("rate", ["cron(0 12 * * ? *)", "rate(1 week)", "", "rate(x minutes)"])
def test_another_schedule_is_refused(rate: str) -> None:
    with pytest.raises(TemplateError, match=r"Consumer\.Tick"):
        schedules(template({"Tick": {"Type": "Schedule", "Properties": {"Schedule": rate}}}), lookup)
