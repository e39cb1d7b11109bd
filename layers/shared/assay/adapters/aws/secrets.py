"""Secrets that configurations name by their ARNs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from assay.adapters.aws.clients import storage_errors


async def read_secrets(client: Any, arns: Iterable[str]) -> dict[str, str]:  # noqa: ANN401 - made at run time
    """ARN -> the secret's current value, a text. `client`: of "secretsmanager". Raises `StorageError`."""
    wanted = sorted(set(arns))
    with storage_errors("a secret"):
        answers = await asyncio.gather(*(client.get_secret_value(SecretId=arn) for arn in wanted))
    return {arn: answer.get("SecretString", "") for arn, answer in zip(wanted, answers, strict=True)}
