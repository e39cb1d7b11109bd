"""The event that Lambda makes of queue messages, and what the function's answer means for them. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from local.aws.template import REGION

Message = Mapping[str, Any]
"""As boto3's `receive_message` gives it, with all attributes."""


def event(messages: Sequence[Message], queue_arn: str) -> dict[str, Any]:
    """The payload of one invocation."""
    return {"Records": [_record(message, queue_arn) for message in messages]}


def failed(answer: bytes, ids: Collection[str]) -> set[str]:
    """Ids of the messages that the function says failed: all of them when its answer makes no sense, as on AWS."""
    everything = set(ids)
    try:
        document = json.loads(answer or b"null")
    except ValueError:
        return everything
    if document is None:
        return set()
    if not isinstance(document, dict):
        return everything
    items = document.get("batchItemFailures")
    if items is None:
        return set()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return everything
    named = [item.get("itemIdentifier") for item in items]
    return set(named) if all(isinstance(name, str) and name in everything for name in named) else everything


def _record(message: Message, queue_arn: str) -> dict[str, Any]:
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        record["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        record["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return record
