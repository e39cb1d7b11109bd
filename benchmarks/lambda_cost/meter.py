"""Counts what AWS would bill of the calls that reach moto."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from benchmarks.lambda_cost.capacity import item_bytes, read_units, write_units

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
FREE = {"CreateTable", "DescribeTable", "UpdateTimeToLive"}
KEYS = 200
"""Bytes taken for an item of which only the key is sent: deleted, and its size not known."""


class Meter:
    """A WSGI application around moto's: `counts` has DynamoDB units and calls by service, and moto's own time."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        self.counts: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        start = perf_counter()
        answer = b"".join(self._app(environ, start_response))
        self.counts["moto_us"] += round(1e6 * (perf_counter() - start))
        self.counts["calls"] += 1
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith("DynamoDB"):
            self._dynamodb(target.partition(".")[2], json.loads(body), json.loads(answer))
        elif b"Action=Publish" in body:
            self.counts["sns_publishes"] += 1
        elif environ["REQUEST_METHOD"] == "PUT":
            self.counts["s3_puts"] += 1
        return [answer]

    def _dynamodb(self, operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if operation == "TransactWriteItems":
            for item in request["TransactItems"]:
                ((kind, change),) = item.items()
                self.counts["writes"] += self._written(kind, change, transactional=True)
        elif operation in {"PutItem", "DeleteItem", "UpdateItem"}:
            self.counts["writes"] += self._written(operation[:-4], request, transactional=False)
        elif operation in {"GetItem", "Query"}:
            found = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
            size = sum(map(item_bytes, found))
            self.counts["reads"] += read_units(size, request.get("ConsistentRead", False))  # type: ignore[assignment]
        elif operation == "BatchGetItem":
            for table, found in answer["Responses"].items():
                consistent = request["RequestItems"][table].get("ConsistentRead", False)
                absent = len(request["RequestItems"][table]["Keys"]) - len(found)
                sizes = [*map(item_bytes, found), *[0] * absent]
                self.counts["reads"] += sum(read_units(size, consistent) for size in sizes)  # type: ignore[assignment]
        elif operation not in FREE:
            raise ValueError(f"{operation}: no rule for its units here")

    def _written(self, kind: str, change: Mapping[str, Any], transactional: bool) -> int:
        """Deleting costs what the item was; its size is known from when it was put."""
        item = change.get("Item") or change["Key"]
        name = json.dumps([change["TableName"], item["pk"], item.get("sk")])
        if kind == "Put":
            self._sizes[name] = item_bytes(item)
        return write_units(self._sizes.get(name, KEYS), transactional)
