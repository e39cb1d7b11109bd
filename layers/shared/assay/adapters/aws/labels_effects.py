"""What follows from labels in DynamoDB. In the table of labels:

pk  E#<kind>#<kind of token>#<token>   sk  <client>#<transaction>   in effect until then
pk  L#<client>#<transaction>           sk  E                        the effects of the transaction, as JSON
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pydantic import TypeAdapter

from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.table import ABSENT, Table, expiry
from assay.errors import StorageError
from assay.labels.ports import Effect, Standing, TokenKind
from assay.moments import now

_EFFECTS = TypeAdapter(list[Effect])


class DynamoEffectStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table, clock: Callable[[], int] = now) -> None:
        """`clock`: in microseconds."""
        self._table = table
        self._clock = clock

    async def replace(self, client_id: str, transaction_id: str, effects: Sequence[Effect]) -> None:
        """These take the place of the effects that the transaction had. Raises when another has replaced meanwhile."""
        table, place = self._table, key(f"L#{client_id}#{transaction_id}", "E")
        item = await table.get(place)
        had = [] if item is None else _EFFECTS.validate_json(item["effects"]["S"])
        if had == list(effects):
            return
        own = f"{client_id}#{transaction_id}"
        kept = {"effects": {"S": _EFFECTS.dump_json(list(effects)).decode()}}
        before = {} if item is None else {"before": item["effects"]}
        writes = [table.put(place | kept, "effects = :before" if before else ABSENT, **before)]
        writes += [
            table.put(key(_pk(one), own) | {"until": {"N": str(one.until)}} | expiry(one.until)) for one in effects
        ]
        places = {_pk(one) for one in effects}
        writes += [table.delete(key(_pk(one), own)) for one in had if _pk(one) not in places]
        if await table.commit("effects of a label", writes):
            raise StorageError("effects of a label: others were first")

    async def standing(self, tokens: dict[TokenKind, str]) -> Standing:
        """Of a transaction with these tokens, as it is now."""
        asked = [Effect("deny", kind, token, 0) for kind, token in tokens.items()]
        trust = [Effect("trust", "account", tokens["account"], 0)] if "account" in tokens else []
        held = await asyncio.gather(*(self._holds(_pk(one)) for one in [*asked, *trust]))
        return Standing(is_denied=any(held[: len(asked)]), is_trusted=any(held[len(asked) :]))

    async def _holds(self, pk: str) -> bool:
        now = self._clock()
        async for item in self._table.partition(pk):
            if _until(item) > now:
                return True
        return False


def _pk(effect: Effect) -> str:
    return f"E#{effect.kind}#{effect.token_kind}#{effect.token}"


def _until(item: Item) -> int:
    return int(item["until"]["N"])
