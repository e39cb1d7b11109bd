"""A WSGI application that does what it is told instead of, or after, what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable
from typing import Any, Literal

Kind = Literal["throttled", "conflict", "unavailable", "refused", "lost", "silent"]
"""lost: the work is done, the connection closed without an answer. silent: the work is done, no answer comes at all."""

FOREVER = 1 << 30
CONFLICT = {
    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons": [{"Code": "TransactionConflict"}],
}
ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "throttled": (
        "400 Bad Request",
        {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"},
    ),
    "conflict": ("400 Bad Request", CONFLICT),
    "unavailable": ("503 Service Unavailable", {}),
}


class Faults:
    """`add` says which calls fail, and how: an operation of DynamoDB ("Query"), or a service ("sns")."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._planned: list[tuple[str, Kind, int]] = []
        self._go_on = threading.Event()
        self._lock = threading.Lock()
        self.calls: list[str] = []

    def add(self, call: str, kind: Kind, times: int = FOREVER) -> None:
        self._planned.append((call, kind, times))

    def clear(self) -> None:
        self._planned.clear()
        self._go_on.set()
        self._go_on = threading.Event()
        self.calls.clear()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind = self._next(_call(environ))
        if kind in ANSWERS:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            status, body = ANSWERS[kind]
            start_response(status, [("Content-Type", "application/x-amz-json-1.0")])
            return [json.dumps(body).encode()]
        if kind == "refused":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        if kind is None:
            return self._app(environ, start_response)
        b"".join(self._app(environ, lambda *_: None))
        if kind == "silent":
            self._go_on.wait()
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return []

    def _next(self, call: str) -> Kind | None:
        with self._lock:
            self.calls.append(call)
            for index, (planned, kind, times) in enumerate(self._planned):
                if planned == call and times:
                    self._planned[index] = (planned, kind, times - 1)
                    return kind
        return None


def _call(environ: dict[str, Any]) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target.startswith("DynamoDB"):
        return target.partition(".")[2]
    return "sns" if "/sns/aws4_request" in environ.get("HTTP_AUTHORIZATION", "") else target
