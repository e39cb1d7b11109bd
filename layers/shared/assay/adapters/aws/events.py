"""Events go out through a topic."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from assay.adapters.aws.clients import storage_errors
from assay.errors import StorageError
from assay.schemas.event import TRANSACTION_SCORED


class SnsEvents:
    """Publishes events. Subscribers may filter on the attributes `event` and, of scored transactions, `decision`."""

    def __init__(self, client: Any, topic: str) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "sns". `topic`: its ARN."""
        self._client = client
        self._topic = topic

    async def publish(self, body: bytes) -> None:
        """Returns once the topic has the event. Raises `StorageError`, also for a body that is no such event."""
        try:
            event = from_json(body)
            attributes = {"event": _text(str(event["event"]))}
            if event["event"] == TRANSACTION_SCORED:
                attributes["decision"] = _text(str(event["verdict"]["decision"]))
            message = body.decode()
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"not an event of Assay: {type(error).__name__}") from error
        with storage_errors("event"):
            await self._client.publish(TopicArn=self._topic, Message=message, MessageAttributes=attributes)


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
