"""Invokes one function in this process with each of its events, as Lambda would; prints file -> outcome as JSON.

A program of its own because an entry point is built from the environment, once per process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from tests.harness.http_events import Context
from tests.template.outcomes import EXPECTED, event


def main(function: str) -> None:
    """Runs every event of the function."""
    handler = import_module(f"functions.{function}.handler").handler
    files = [file for file in EXPECTED if file.startswith(f"{function}/")]
    answers = sys.stdout
    sys.stdout = sys.stderr  # metrics are printed
    json.dump({file: outcome(handler, event(file)) for file in files}, answers)


def outcome(handler: Callable[[Any, Any], Any], given: Any) -> Any:
    """What the caller of Lambda sees."""
    try:
        return json.loads(json.dumps(handler(given, Context())))
    except Exception as error:
        return {"errorType": type(error).__name__, "errorMessage": str(error)}


if __name__ == "__main__":
    main(sys.argv[1])
