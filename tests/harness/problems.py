"""What every refusal must look like: RFC 9457, the field named, no value repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

MEDIA_TYPE = "application/problem+json"


def faults(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    fields: Iterable[str] = (),
    secrets: Iterable[str] = (),
    statuses: Iterable[int] = range(400, 500),
) -> list[str]:
    """What is wrong with the answer as a refusal; nothing when it is right."""
    found = [f"repeats {secret!r}" for secret in secrets if _repeats(secret, headers, body)]
    if status not in statuses:
        return [*found, f"HTTP {status}: {body[:200]!r}"]
    if headers.get("content-type") != MEDIA_TYPE:
        return [*found, f"HTTP {status} is {headers.get('content-type')}: {body[:100]!r}"]
    try:
        document = json.loads(body)
    except ValueError:
        return [*found, f"HTTP {status} has no JSON: {body[:100]!r}"]
    if document.get("status") != status:
        found.append(f"HTTP {status} says it is {document.get('status')}")
    if not all(isinstance(document.get(name), str) and document[name] for name in ("type", "title", "detail")):
        found.append(f"HTTP {status} lacks type, title or detail")
    named = [error.get("field") for error in document.get("errors", [])]
    return found + [f"{field!r} is not among the fields {named}" for field in fields if field not in named]


def _repeats(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Also when only the separators of digits have changed."""
    texts = [body.decode("utf-8", "replace"), *(f"{name}: {value}" for name, value in headers.items())]
    bare = "".join(character for character in secret if character.isalnum())
    return any(secret in text or bare in "".join(filter(str.isalnum, text)) for text in texts)
