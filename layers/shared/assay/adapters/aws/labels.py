"""Labels in DynamoDB: one transaction holds the labelling, its places in the lists, its sender's count, its event.

    pk  L#<client>#<transaction>   sk  L                                  the labelling, as JSON
    pk  W                          sk  <waiting since>#<client>#<transaction>   it waits for a second person
    pk  D#<period>                 sk  <decided at>#<client>#<transaction>      it has a label: the same JSON
    pk  N#<sender>                 sk  <day>                              how many of the sender's counted

Moments are microseconds since the epoch, padded to 16 digits; days and periods, of 30 days, are counted from the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import TypeAdapter

from assay.adapters.aws.profile_items import Item, key, stamp
from assay.adapters.aws.table import ABSENT, Table, Write, expiry
from assay.errors import StorageError
from assay.features.windows import DAY
from assay.labels.ports import Position
from assay.labels.records import Labelling, Outcome, Sent, Taken, event_of, take
from assay.moments import now

TRIES = 20
"""To be first. Each time somebody else was, the count or the labelling has moved on."""
PERIOD = 30 * DAY
COUNTED = 3 * DAY
"""How long a count is kept: it matters on its day only."""
_LABELLING = TypeAdapter(Labelling)


class DynamoLabelStore:
    """Labellings by client and transaction. Any number of processes may take labels at once."""

    def __init__(self, table: Table, clock: Callable[[], int] = now) -> None:
        """`clock`: in microseconds."""
        self._table = table
        self._clock = clock

    async def get(self, client_id: str, transaction_id: str) -> Labelling | None:
        """What was said of the transaction; None: nothing."""
        item = await self._table.get(_place(client_id, transaction_id))
        return None if item is None else _read(item)

    async def take(self, sent: Sequence[Sent]) -> list[Taken]:
        """One after the other: the count of their sender is the same item."""
        return [await self._take(one) for one in sent]

    async def waiting(self, after: Position | None, limit: int, client_id: str | None) -> list[Labelling]:
        """Those with an opinion that waits for a second person, longest first."""
        found: list[Labelling] = []
        async for item in self._table.partition("W", _sk(after)):
            labelling = _read(item)
            if client_id in {None, labelling.subject.client_id}:
                found.append(labelling)
            if len(found) == limit:
                break
        return found

    async def in_effect(self, since: int, after: Position | None, limit: int) -> list[Labelling]:
        """Those with a label, decided at `since` or later, by the time of the decision: period by period until now."""
        start = after or Position(since, "", "")
        found: list[Labelling] = []
        for period in range(start.at // PERIOD, self._clock() // PERIOD + 1):
            items = await self._table.page(f"D#{period}", _sk(start), limit - len(found))
            found.extend(map(_read, items))
            if len(found) == limit:
                break
        return found

    async def _take(self, sent: Sent) -> Taken:
        for _ in range(TRIES):
            subject = sent.subject
            before = await self.get(subject.client_id, subject.transaction_id) or Labelling(subject)
            used = await self._used(sent)
            taken = take(before, sent, used)
            if taken.labelling is before:
                return taken
            event = event_of(taken, sent, before.current)
            if not await self._table.commit("label", self._writes(before, taken, sent, used), [event]):
                return taken
        raise StorageError("labels: others are always first")

    async def _used(self, sent: Sent) -> int:
        item = await self._table.get(_count(sent))
        return 0 if item is None else int(item["given"]["N"])

    def _writes(self, before: Labelling, taken: Taken, sent: Sent, used: int) -> list[Write]:
        table, after = self._table, taken.labelling
        content = {"version": {"N": str(after.version)}, "record": {"S": _LABELLING.dump_json(after).decode()}}
        place = _place(after.subject.client_id, after.subject.transaction_id)
        condition = {"before": {"N": str(before.version)}} if before.version else {}
        writes = [table.put(place | content, "version = :before" if before.version else ABSENT, **condition)]
        listed, had = _listed(after), _listed(before)
        writes += [table.put(key(*where) | content) for where in listed]
        writes += [table.delete(key(*where)) for where in had if where not in listed]
        if taken.outcome is Outcome.RECORDED:
            count = {"given": {"N": str(used + 1)}} | expiry(sent.opinion.at + COUNTED)
            still = {"used": {"N": str(used)}} if used else {}
            writes.append(table.put(_count(sent) | count, "given = :used" if used else ABSENT, **still))
        return writes


def _listed(labelling: Labelling) -> list[tuple[str, str]]:
    """The places in the lists, as (pk, sk)."""
    subject, since = labelling.subject, labelling.waiting_since
    ids = (subject.client_id, subject.transaction_id)
    waits = [("W", _sk(Position(since, *ids)))] if since is not None else []
    is_labelled = labelling.current is not None
    return waits + (
        [(f"D#{subject.decided_at // PERIOD}", _sk(Position(subject.decided_at, *ids)))] if is_labelled else []
    )


def _sk(position: Position | None) -> str:
    return "" if position is None else f"{stamp(position.at)}#{position.client_id}#{position.transaction_id}"


def _place(client_id: str, transaction_id: str) -> Item:
    return key(f"L#{client_id}#{transaction_id}", "L")


def _count(sent: Sent) -> Item:
    return key(f"N#{sent.opinion.by}", str(sent.day))


def _read(item: Item) -> Labelling:
    return _LABELLING.validate_json(item["record"]["S"])
