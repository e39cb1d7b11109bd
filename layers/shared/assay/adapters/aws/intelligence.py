"""What post-authorisation intelligence found, in DynamoDB, beside the labels: pk `R#<kind>`, sk `R`.

A report is kept compressed: an item has room for 400 kB.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence

from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.table import ABSENT, Table
from assay.intelligence.reports import StoredReport
from assay.schemas.event import Event


class DynamoReportStore:
    """One item per kind of report."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def newest(self, kind: str) -> StoredReport | None:
        """The report, if one was ever made."""
        item = await self._table.get(_place(kind))
        return None if item is None else StoredReport(int(item["at"]["N"]), gzip.decompress(bytes(item["body"]["B"])))

    async def replace(
        self, kind: str, before: StoredReport | None, report: StoredReport, events: Sequence[Event] = ()
    ) -> bool:
        """Puts the report in the place of `before`, with its events; False when another one is there by now."""
        content: Item = {
            "at": {"N": str(report.at)},
            "body": {"B": gzip.compress(report.body, mtime=0)},
            "version": {"S": _version(report)},
        }
        known = {} if before is None else {"before": {"S": _version(before)}}
        condition = ABSENT if before is None else "version = :before"
        put = self._table.put(_place(kind) | content, condition, **known)
        return not await self._table.commit("report", [put], list(events))


def _place(kind: str) -> Item:
    return key(f"R#{kind}", "R")


def _version(report: StoredReport) -> str:
    return hashlib.sha256(report.body).hexdigest()
