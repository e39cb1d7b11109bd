"""HTTP requests as API Gateway and function URLs hand them to a function, and the function's answers read back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

Event = dict[str, Any]
Format = Callable[["Call"], Event]


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `stage`: the API's; `$default` is the unnamed one."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    query: str = ""
    stage: str = "$default"
    base64: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller of the API gets."""

    status: int
    headers: dict[str, str]
    content: bytes
    is_base64: bool

    def json(self) -> Any:
        """The body's document."""
        return json.loads(self.content)


@dataclass(slots=True)
class Context:
    """Lambda's, with the time that is left."""

    time_left_ms: int = 15_000

    def get_remaining_time_in_millis(self) -> int:
        """As awslambdaric names it."""
        return self.time_left_ms


def answer(document: Any) -> Answer:
    """The function's answer, as API Gateway would pass it on; it must be JSON all through."""
    document = json.loads(json.dumps(document))
    body = document.get("body", "")
    content = base64.b64decode(body) if document["isBase64Encoded"] else body.encode()
    return Answer(document["statusCode"], document["headers"], content, document["isBase64Encoded"])


def http_api_2(call: Call) -> Event:
    """HTTP API or function URL, payload format 2.0: the stage's name is in the path."""
    path = _staged(call)
    return {
        "version": "2.0",
        "routeKey": f"{call.method} {call.path}",
        "rawPath": path,
        "rawQueryString": call.query,
        "headers": {name.lower(): value for name, value in (call.headers or {}).items()},
        "requestContext": {
            "stage": call.stage,
            "http": {"method": call.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
        **_body(call),
    }


def http_api_1(call: Call) -> Event:
    """HTTP API, payload format 1.0."""
    return {"version": "1.0", **rest_api(call), "path": _staged(call)}


def rest_api(call: Call) -> Event:
    """REST API: header names as they were sent, the stage's name not in the path."""
    values = parse_qs(call.query)
    headers = dict(call.headers or {})
    return {
        "resource": call.path,
        "path": call.path,
        "httpMethod": call.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: found[-1] for name, found in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "requestContext": {"stage": call.stage, "httpMethod": call.method, "identity": {"sourceIp": "192.0.2.1"}},
        "body": None,
        **_body(call),
    }


FORMATS: dict[str, Format] = {"HTTP API 2.0": http_api_2, "HTTP API 1.0": http_api_1, "REST API": rest_api}


def explain(*values: str) -> str:
    """A query string that asks once for each value."""
    return urlencode({"explain": values}, doseq=True)


def _staged(call: Call) -> str:
    return call.path if call.stage == "$default" else f"/{call.stage}{call.path}"


def _body(call: Call) -> Event:
    if call.body is None:
        return {"isBase64Encoded": False}
    text = base64.b64encode(call.body).decode() if call.base64 else call.body.decode()
    return {"body": text, "isBase64Encoded": call.base64}
