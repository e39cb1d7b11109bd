"""The items of the accounts table: what is where, and what is in it.

    pk  A#<account>                 sk A                an account; `denied_until` is what the deny list reads
    pk  A#<account>                 sk C                the claim of whichever order of the account is on its way
    pk  A#<account>                 sk O#<sequence>     an order about the account's cards
    pk  T#<client>#<transaction>    sk T                what became of a transaction
    pk  PENDING                     sk <due>#<order>    a pending order, where claims find it
    pk  DEAD                        sk <order>          an order that was given up

`written` is an account or an order as JSON: one comparison tells whether it is as it was.

Freezes are few among decisions: one partition holds what is due. Moments in keys are microseconds, padded with zeros.
"""

from __future__ import annotations

from pydantic import TypeAdapter

from assay.accounts.orders import CardOrder, OrderState
from assay.accounts.ports import KEPT, Action
from assay.accounts.records import Account
from assay.adapters.aws.profile_items import Item, key, stamp
from assay.adapters.aws.table import Table, Write, attributes, expiry

PENDING, DEAD = "PENDING", "DEAD"
ORDERS = "O#"
OVER = frozenset({OrderState.DONE, OrderState.DROPPED})
_ACCOUNT = TypeAdapter(Account)
_ORDER = TypeAdapter(CardOrder)


def partition(account_id: str) -> str:
    """The pk of an account and its orders."""
    return f"A#{account_id}"


def account_key(account_id: str) -> Item:
    """An account's key."""
    return key(partition(account_id), "A")


def account_item(account: Account) -> Item:
    """An account."""
    until = account.denied_until
    denied: Item = {} if until is None else {"denied_until": {"N": str(until)}}
    written: Item = {"version": {"N": str(account.version)}, "written": {"S": _ACCOUNT.dump_json(account).decode()}}
    return {**account_key(account.id), **written, **denied}


def read_account(item: Item) -> Account:
    """The account in its item."""
    return _ACCOUNT.validate_json(item["written"]["S"])


def action_item(action: Action) -> Item:
    """What became of a transaction."""
    place = key(f"T#{action.client_id}#{action.transaction_id}", "T")
    return {**place, **attributes(action), **expiry(action.at + KEPT)}


def order_key(order: CardOrder) -> Item:
    """An order's key."""
    return key(partition(order.account_id), f"{ORDERS}{order.sequence:016d}")


def read_order(item: Item) -> CardOrder:
    """The order in its item."""
    return _ORDER.validate_json(item["written"]["S"])


def claim_key(order: CardOrder) -> Item:
    """The key of the claim of whichever order of the same account is on its way."""
    return key(partition(order.account_id), "C")


def claim_item(order: CardOrder, until: int) -> Item:
    """The claim of this order, for this attempt."""
    held = {"claimed_until": {"N": str(until)}, "order_id": {"S": order.id}, "attempts": {"N": str(order.attempts)}}
    return {**claim_key(order), **held, **expiry(until)}


def added(table: Table, order: CardOrder) -> list[Write]:
    """What keeps a new order."""
    return [table.put(_order_item(order)), *map(table.put, _pointers(order))]


def replaced(table: Table, before: Item, after: CardOrder) -> list[Write]:
    """What keeps an order in the place of the one in its item, if that is still as it was, and moves what finds it."""
    old, new = _pointers(read_order(before)), _pointers(after)
    stale = [table.delete({"pk": item["pk"], "sk": item["sk"]}) for item in old if item not in new]
    fresh = [table.put(item) for item in new if item not in old]
    return [table.put(_order_item(after), "written = :was", was=before["written"]), *stale, *fresh]


def _order_item(order: CardOrder) -> Item:
    """Deleted by DynamoDB once it is long over."""
    until = expiry(order.due_at + KEPT) if order.state in OVER else {}
    return {**order_key(order), "written": {"S": _ORDER.dump_json(order).decode()}, **until}


def _pointers(order: CardOrder) -> list[Item]:
    """What finds the order as its state is; nothing when nobody looks for it any more."""
    place = {"order": {"M": order_key(order)}}
    if order.state is OrderState.PENDING:
        return [{**key(PENDING, f"{stamp(order.due_at)}#{order.id}"), **place}]
    return [{**key(DEAD, order.id), **place}] if order.state is OrderState.DEAD else []
