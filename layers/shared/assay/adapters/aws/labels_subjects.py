"""The transactions that labels are about, as the decisions table has them, and their place in the profile's log."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.profile_items import counted_place
from assay.labels.decided import Counted, subject_of
from assay.labels.records import Subject


class DynamoSubjects:
    """Reads decisions, and tells the profile what became of them. Every method raises `StorageError`."""

    def __init__(self, client: Any, decisions: str, profile: str) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "dynamodb"; then the names of the two tables."""
        self._client = client
        self._decisions = decisions
        self._profile = profile

    async def find(self, client_id: str, transaction_id: str) -> Subject | None:
        """The client's transaction, if there is one."""
        item = await self._get(client_id, transaction_id)
        if item is None:
            return None
        counted = Counted(
            time=_number(item, "time"),
            amount=_number(item, "amount"),
            account=_text(item, "account"),
            device=_text(item, "device"),
            counterparty=_text(item, "counterparty"),
        )
        verdict = bytes(item["verdict"]["B"])
        return subject_of(client_id, transaction_id, int(item["decided_at"]["N"]), verdict, counted)

    async def record_label(self, client_id: str, transaction_id: str, *, is_fraud: bool) -> None:
        """From now on the transaction's counterparty counts it as fraud, or does not.

        What the log has forgotten stays so. A process that has read the entry before keeps what it has read.
        """
        item = await self._get(client_id, transaction_id)
        arrival = None if item is None else _number(item, "arrival")
        counterparty = None if item is None else _text(item, "counterparty")
        if arrival is None or counterparty is None:
            return
        with storage_errors("profile"):
            try:
                await self._client.update_item(
                    TableName=self._profile,
                    Key=counted_place("counterparty", counterparty, client_id, transaction_id, arrival),
                    UpdateExpression="SET fraud = :is_fraud",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues={":is_fraud": {"BOOL": is_fraud}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise

    async def _get(self, client_id: str, transaction_id: str) -> dict[str, Any] | None:
        with storage_errors("decisions"):
            place = {"pk": {"S": f"D#{client_id}#{transaction_id}"}}
            answer = await self._client.get_item(TableName=self._decisions, Key=place, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item


def _number(item: dict[str, Any], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


def _text(item: dict[str, Any], name: str) -> str | None:
    return str(item[name]["S"]) if name in item else None
