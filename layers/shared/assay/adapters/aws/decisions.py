"""Verdicts in DynamoDB: one transaction holds the verdict, its event, what the profile counted, the stand-in usage."""

from __future__ import annotations

from typing import Any

from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.profile_items import Item, entries, firsts, key, reservation_key, stamp, subject
from assay.adapters.aws.profile_log import ProfileLog
from assay.adapters.aws.transactions import CONDITION_FAILED, OutcomeUnknown, transact
from assay.errors import AlreadyDecided, StorageError
from assay.moments import microseconds
from assay.ports import DecisionRecord, StoredDecision
from assay.schemas.stages import StandInUsage

ABSENT = "attribute_not_exists(pk)"


class DynamoDecisionStore:
    """D#<client>#<transaction>: a verdict. S#<account>: what stand-in decisions approved."""

    def __init__(self, client: Any, table: str, profile: ProfileLog, outbox: DynamoOutbox) -> None:  # noqa: ANN401
        """`client`: of "dynamodb"."""
        self._client = client
        self._table = table
        self._profile = profile
        self._outbox = outbox

    async def find(self, client_id: str, transaction_id: str) -> StoredDecision | None:
        """The decision given before, if any."""
        item = await self._get(_decision(client_id, transaction_id))
        return None if item is None else StoredDecision(bytes(item["fingerprint"]["B"]), bytes(item["verdict"]["B"]))

    async def commit(self, record: DecisionRecord) -> None:
        """Returns once the whole record is durable. Its event is published then, or else by the sweeper."""
        arrival = self._profile.clock()
        event, put_event = self._outbox.entry(record.client_id, record.transaction_id, record.event, arrival)
        decided = {
            "fingerprint": {"B": record.fingerprint},
            "verdict": {"B": record.verdict},
            "decided_at": {"N": str(microseconds(record.decided_at))},
            **subject(record.activity, arrival),
        }
        place = _decision(record.client_id, record.transaction_id)
        put = {"Put": {"TableName": self._table, "Item": {**place, **decided}, "ConditionExpression": ABSENT}}
        # The decision comes first: the reasons of a cancelled transaction are in this order.
        await self._write([put, put_event, *self._counted(record, arrival), *self._stand_in(record)], record)
        for first in firsts(record.activity):
            self._profile.remember_first(*first, record.activity.time)
        await self._outbox.deliver_soon(event)

    async def stand_in_usage(self, account: str) -> StandInUsage:
        """As it is now, whoever changed it."""
        item = await self._get(_usage(account))
        if item is None:
            return StandInUsage()
        return StandInUsage(count=int(item["count"]["N"]), amount=float(item["amount"]["N"]))

    async def _write(self, items: list[dict[str, Any]], record: DecisionRecord) -> None:
        try:
            reasons = await transact(self._client, items, "decision")
        except OutcomeUnknown:
            if await self._is_ours(record):
                return
            raise
        if not reasons:
            return
        if reasons[0] != CONDITION_FAILED:
            raise StorageError("decision: the account's stand-in usage moved meanwhile")
        # It was us where an attempt was sent again because its answer had been lost.
        if not await self._is_ours(record):
            raise AlreadyDecided(f"{record.transaction_id} was given a verdict meanwhile")

    async def _is_ours(self, record: DecisionRecord) -> bool:
        return await self.find(record.client_id, record.transaction_id) == StoredDecision(
            record.fingerprint, record.verdict
        )

    def _counted(self, record: DecisionRecord, arrival: int) -> list[dict[str, Any]]:
        """The transaction enters the logs, and is under way no longer."""
        tx, table = record.activity, self._profile.table
        if tx.account is None:
            return []
        items: list[Item] = list(entries(record.client_id, tx, arrival))
        items += [
            key(pk, beginning + stamp(tx.time))
            for pk, beginning in firsts(tx)
            if not self._profile.knows_first(pk, beginning, tx.time)
        ]
        done = {"Delete": {"TableName": table, "Key": reservation_key(record.client_id, tx)}}
        return [*({"Put": {"TableName": table, "Item": item}} for item in items), done]

    def _stand_in(self, record: DecisionRecord) -> list[dict[str, Any]]:
        account, new = record.activity.account, record.stand_in
        if account is None or new is None:
            return []
        place = {"TableName": self._table}
        if not new.count:
            return [{"Delete": {**place, "Key": _usage(account)}}]
        item = {**_usage(account), "count": {"N": str(new.count)}, "amount": {"N": repr(new.amount)}}
        if new.count == 1:
            return [{"Put": {**place, "Item": item, "ConditionExpression": ABSENT}}]
        condition = {
            "ConditionExpression": "#count = :before",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":before": {"N": str(new.count - 1)}},
        }
        return [{"Put": {**place, "Item": item, **condition}}]

    async def _get(self, place: Item) -> dict[str, Any] | None:
        with storage_errors("decisions"):
            answer = await self._client.get_item(TableName=self._table, Key=place, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item


def _decision(client_id: str, transaction_id: str) -> Item:
    return {"pk": {"S": f"D#{client_id}#{transaction_id}"}}


def _usage(account: str) -> Item:
    return {"pk": {"S": f"S#{account}"}}
