"""A client of AWS that notes which rights its calls need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ReadTimeoutError

WRITES = {"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem"}
OTHER = {
    "publish": ("sns:Publish", "TopicArn"),
    "get_secret_value": ("secretsmanager:GetSecretValue", "SecretId"),
}
Right = tuple[str, str]
"""(action, resource), the resource called as in the template."""


class Noting:
    """Passes every call on, after it has noted the rights that the call needs.

    Tables and topics of a test are called `<name in the template>-<anything>`.
    """

    def __init__(self, client: Any, needed: set[Right]) -> None:
        self._client = client
        self._needed = needed
        self._lost: str | None = None

    @property
    def unnoted(self) -> Any:
        """The client itself, for what another function does."""
        return self._client

    def lose(self, operation: str) -> None:
        """The next call of the operation is carried out, and its answer does not come."""
        self._lost = operation

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def noting(**arguments: Any) -> Any:
            self._needed |= set(rights(operation, arguments))
            answer = await call(**arguments)
            if self._lost == operation:
                self._lost = None
                raise ReadTimeoutError(endpoint_url="")
            return answer

        return noting


def rights(operation: str, arguments: dict[str, Any]) -> Iterator[Right]:
    """What the call needs. KeyError for one that is not known here."""
    if operation == "transact_write_items":
        for item in arguments["TransactItems"]:
            ((write, details),) = item.items()
            yield f"dynamodb:{WRITES[write]}", _table(details["TableName"])
    elif operation == "batch_get_item":
        for name in arguments["RequestItems"]:
            yield "dynamodb:BatchGetItem", _table(name)
    elif "TableName" in arguments:
        yield "dynamodb:" + "".join(word.capitalize() for word in operation.split("_")), _table(arguments["TableName"])
    else:
        action, parameter = OTHER[operation]
        yield action, _called(arguments[parameter])


def _called(arn: str) -> str:
    """`a/b/c` is one of those that may be called `a/b/*`."""
    folder, slash, _ = arn.rpartition("/")
    return f"{folder}/*" if slash else arn.rpartition(":")[2].partition("-")[0]


def _table(name: str) -> str:
    return f"{name.partition('-')[0]}.Arn"
