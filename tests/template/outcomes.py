"""What an invocation with a file of events/ must give: read from events/expected.json, compared with what came.

An outcome is what Lambda's caller sees, and `sam local invoke` prints: the answer, or `errorType` and `errorMessage`.
"""

from __future__ import annotations

import json
from typing import Any

from tests.template.stack import ROOT

EVENTS = ROOT / "events"
TOKEN = "${TOKEN}"
EXPECTED: dict[str, dict[str, Any]] = json.loads((EVENTS / "expected.json").read_text())


def event(file: str, token: str = "") -> Any:
    """The event in `<function>/<name>.json`, with a token where one belongs."""
    return json.loads((EVENTS / file).read_text().replace(TOKEN, token))


def faults(file: str, outcome: Any) -> list[str]:
    """How the outcome differs from what is expected; nothing when it does not."""
    expected = EXPECTED[file]
    error = outcome.get("errorType") if isinstance(outcome, dict) else None
    if error != expected.get("error"):
        return [f"{file}: error {error}, expected {expected.get('error')}: {str(outcome)[:500]}"]
    found = []
    if "status" in expected and outcome["statusCode"] != expected["status"]:
        found.append(f"{file}: status {outcome['statusCode']}, expected {expected['status']}: {outcome.get('body')}")
    if "failures" in expected:
        failed = [item["itemIdentifier"] for item in outcome["batchItemFailures"]]
        if failed != expected["failures"]:
            found.append(f"{file}: failed messages {failed}, expected {expected['failures']}")
    found += _differences(file, expected.get("answer"), outcome)
    return found + (_differences(file, expected["body"], json.loads(outcome["body"])) if "body" in expected else [])


def _differences(file: str, fields: dict[str, list[Any] | None] | None, document: Any) -> list[str]:
    """Each field is there, with one of its values; None takes any."""
    return [
        f"{file}: {name} is {document.get(name)}, expected {values}"
        for name, values in (fields or {}).items()
        if name not in document or (values is not None and document[name] not in values)
    ]
