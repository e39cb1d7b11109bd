"""Entries of Lambda functions over moto: loaded as a new process would, called with batches as SQS has them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from local import tokens


def load(name: str) -> ModuleType:
    """The entry's module, as a new process has it."""
    sys.modules.pop(name, None)
    return importlib.import_module(name)


def close(module: ModuleType) -> None:
    """Ends what it has opened, and its loop."""
    module._loop.run_until_complete(module._opened.aclose())
    module._loop.close()


def token_settings(keys: Path, identity_table: str) -> dict[str, str]:
    """What every function that checks tokens is told; the public halves of the folder's keys are put beside it."""
    jwks = keys.parent / "jwks.json"
    jwks.write_text(tokens.jwks(keys))
    return {
        "ASSAY_JWKS": str(jwks),
        "ASSAY_TOKEN_ISSUER": tokens.ISSUER,
        "ASSAY_TOKEN_AUDIENCE": tokens.AUDIENCE,
        "ASSAY_IDENTITY_TABLE": identity_table,
    }


def batch(*bodies: object) -> dict[str, Any]:
    """As Lambda polls it from SQS."""
    records = [
        {
            "messageId": f"message-{number}",
            "receiptHandle": "AQEB",
            "body": text,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795262400000"},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
            "awsRegion": "us-east-1",
        }
        for number, text in enumerate(bodies)
    ]
    return {"Records": records}


def failed(*numbers: int) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in numbers]}
