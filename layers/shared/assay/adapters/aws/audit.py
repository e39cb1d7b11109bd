"""The audit log's anchor in DynamoDB. Every write is conditional, so any number of writers make one chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.transactions import transact
from assay.audit.chain import START, Batch, Entry, Head
from assay.errors import AnchorMoved, StorageError
from assay.ports import AuditAnchor, AuditPlace

HEAD = {"pk": {"S": "HEAD"}}
PAGE = 100
"""Keys of one BatchGetItem."""
ATTEMPTS = 5
"""At what a BatchGetItem leaves out under load."""

_NAMES = {
    "#sequence": "sequence",
    "#hash": "hash",
    "#object": "object",
    "#i_sequence": "intended_sequence",
    "#i_hash": "intended_hash",
    "#i_object": "intended_object",
    "#i_body": "intended_body",
}
_AT_START = "attribute_not_exists(#sequence)"
_AT = "#sequence = :sequence AND #hash = :hash"
_INTEND = "SET #i_sequence = :i_sequence, #i_hash = :i_hash, #i_object = :i_object, #i_body = :i_body"
_ADVANCE = "SET #sequence = :sequence, #hash = :hash, #object = :object REMOVE #i_sequence, #i_hash, #i_object, #i_body"


class DynamoAuditAnchorStore:
    """HEAD: the end of the log, and the object announced after it. R#<kind>#<client>#<id>: where that record is."""

    max_entries = 99
    """A transaction has at most 100 items, and one is HEAD."""
    max_body = 256 << 10
    """An item has at most 400 kB, and an event at most 256."""

    def __init__(self, client: Any, table: str) -> None:  # noqa: ANN401
        """`client`: of "dynamodb"."""
        self._client = client
        self._table = table

    async def read(self) -> AuditAnchor:
        """The anchor as it is."""
        item = await self._get(HEAD) or {}
        head = Head(int(item["sequence"]["N"]), item["hash"]["S"]) if "sequence" in item else START
        key = item["object"]["S"] if "object" in item else ""
        return AuditAnchor(head, key, _intended(item) if "intended_hash" in item else None)

    async def intend(self, before: Head, batch: Batch) -> None:
        """Announces the object; `AnchorMoved` also when this very one is announced, by an answer that was lost."""
        at, values = (_AT_START, {}) if before == START else (_AT, _head(before))
        values |= {
            ":i_sequence": {"N": str(batch.head.sequence)},
            ":i_hash": {"S": batch.head.hash},
            ":i_object": {"S": batch.key},
            ":i_body": {"B": batch.body},
        }
        used = {name: text for name, text in _NAMES.items() if name in f"{at} {_INTEND}"}
        try:
            with storage_errors("audit anchor"):
                await self._client.update_item(
                    TableName=self._table,
                    Key=HEAD,
                    UpdateExpression=_INTEND,
                    ConditionExpression=f"{at} AND attribute_not_exists(#i_hash)",
                    ExpressionAttributeNames=used,
                    ExpressionAttributeValues=values,
                )
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and code_of(cause) == "ConditionalCheckFailedException":
                raise AnchorMoved("audit anchor: another writer came first") from cause
            raise

    async def advance(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Anchors the head and notes the entries, which are the last ones up to it, in one transaction."""
        first = batch.head.sequence - len(entries) + 1
        head = {
            "TableName": self._table,
            "Key": HEAD,
            "UpdateExpression": _ADVANCE,
            "ConditionExpression": "#i_hash = :hash",
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": {**_head(batch.head), ":object": {"S": batch.key}},
        }
        records = [
            {**_record(entry.identity), "sequence": {"N": str(sequence)}, "object": {"S": batch.key}}
            for sequence, entry in enumerate(entries, first)
        ]
        puts = [{"Put": {"TableName": self._table, "Item": record}} for record in records]
        if await transact(self._client, [{"Update": head}, *puts], "audit anchor"):
            raise AnchorMoved("audit anchor: another writer came first")

    async def recorded(self, entries: Sequence[Entry]) -> set[tuple[str, str, str]]:
        """Identities of those entries that are in the log already."""
        asked = {_record(entry.identity)["pk"]["S"]: entry.identity for entry in entries}
        keys = list(asked)
        found: set[str] = set()
        for start in range(0, len(keys), PAGE):
            found |= await self._existing(keys[start : start + PAGE])
        return {asked[key] for key in found}

    async def find(self, kind: str, client_id: str, id: str) -> AuditPlace | None:  # noqa: A002
        """Where the record of this identity is, if there is one."""
        item = await self._get(_record((kind, client_id, id)))
        return None if item is None else AuditPlace(int(item["sequence"]["N"]), item["object"]["S"])

    async def _existing(self, keys: Sequence[str]) -> set[str]:
        wanted: dict[str, Any] = {
            self._table: {
                "Keys": [{"pk": {"S": key}} for key in keys],
                "ConsistentRead": True,
                "ProjectionExpression": "pk",
            }
        }
        found: set[str] = set()
        for _ in range(ATTEMPTS):
            with storage_errors("audit anchor"):
                page = await self._client.batch_get_item(RequestItems=wanted)
            found |= {item["pk"]["S"] for item in page["Responses"].get(self._table, [])}
            wanted = page.get("UnprocessedKeys") or {}
            if not wanted:
                return found
        raise StorageError("audit anchor: throttled")

    async def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        with storage_errors("audit anchor"):
            answer = await self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item


def _record(identity: tuple[str, str, str]) -> dict[str, Any]:
    """Its parts are tokens, and none of them holds a `#`."""
    return {"pk": {"S": "#".join(("R", *identity))}}


def _head(head: Head) -> dict[str, Any]:
    return {":sequence": {"N": str(head.sequence)}, ":hash": {"S": head.hash}}


def _intended(item: dict[str, Any]) -> Batch:
    head = Head(int(item["intended_sequence"]["N"]), item["intended_hash"]["S"])
    return Batch(item["intended_object"]["S"], bytes(item["intended_body"]["B"]), head)
