"""Several items written together, or none: DynamoDB's TransactWriteItems."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from botocore.exceptions import ClientError

from assay.adapters.aws.clients import FAILURES, code_of
from assay.errors import StorageError

ATTEMPTS = 3
BUDGET_S = 2.0
"""No attempt begins later than this after the first: what a profile reads again (`OVERLAP`) must cover the last."""
PAUSE_S = 0.05

CONDITION_FAILED = "ConditionalCheckFailed"
_BUSY = frozenset(
    {
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
)


class OutcomeUnknown(StorageError):  # noqa: N818 - named for what happened
    """The items may have been written, or not."""


async def transact(client: Any, items: list[dict[str, Any]], doing: str) -> tuple[str, ...]:  # noqa: ANN401
    """Writes the items. () when they are written; where a condition failed, each item's reason, none being written.

    Waits shortly for whoever writes the same items. Raises `StorageError`, `OutcomeUnknown` being one.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + BUDGET_S
    for attempt in range(ATTEMPTS):
        try:
            await client.transact_write_items(TransactItems=items)
            return ()
        except FAILURES as error:
            reasons = _reasons(error)
            if CONDITION_FAILED in reasons:
                return reasons
            if _BUSY.isdisjoint(reasons):
                raise _failure(error, doing, reasons) from error
        if clock() > until:
            break
        await asyncio.sleep(PAUSE_S * (attempt + random.random()))
    raise StorageError(f"{doing}: {', '.join(reasons)}")


def _reasons(error: BaseException) -> tuple[str, ...]:
    """Each item's reason, where the transaction was cancelled; otherwise the one of the whole."""
    cancelled = error.response.get("CancellationReasons") if isinstance(error, ClientError) else None
    return tuple(reason.get("Code", "None") for reason in cancelled) if cancelled else (code_of(error),)


def _failure(error: BaseException, doing: str, reasons: tuple[str, ...]) -> StorageError:
    text = f"{doing}: {', '.join(reasons)}"
    if not isinstance(error, ClientError) or reasons == ("TransactionInProgressException",):
        return OutcomeUnknown(text)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return (OutcomeUnknown if status >= 500 else StorageError)(text)
