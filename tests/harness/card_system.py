"""A bank's card system on a port of this machine: idempotent by key, and as unreliable as a test wants it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from assay.webhooks.signing import Secret, verify

SECRET = "whsec_" + "Y2FyZHMt" * 4
DONE = b'{"status":"done"}'

Behaviour = Callable[["Call"], None]


class Call:
    """One request. A behaviour does the work, or not, and answers, or not."""

    def __init__(self, system: CardSystem, handler: BaseHTTPRequestHandler, key: str, body: bytes) -> None:
        self._system = system
        self._handler = handler
        self._body = body
        self.key = key
        self.nth = system.calls[key]
        """Of the requests with this key; 1 is the first."""

    def work(self) -> None:
        """Carries the order out, once per key."""
        with self._system.lock:
            if self.key not in self._system.in_effect:
                self._system.in_effect[self.key] = json.loads(self._body)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answers."""
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        if status != 204:
            self._handler.send_header("Content-Length", str(len(body)))
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def hang_up(self) -> None:
        """Ends the connection without an answer."""
        self._handler.close_connection = True

    def say_nothing(self) -> None:
        """Keeps the connection open until the other side gives up."""
        self._handler.connection.settimeout(30)
        self._handler.connection.recv(1)


@dataclass(slots=True)
class CardSystem:
    """What arrived, and what is in effect."""

    behaviour: Behaviour
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    in_effect: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Orders by their keys."""
    faults: list[str] = field(default_factory=list)
    """What was not as promised."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def orders(self, kind: str) -> list[str]:
        """Accounts of the orders in effect, of a kind, each as often as it was told."""
        return [order["data"]["account_id"] for order in self.in_effect.values() if order["type"] == kind]

    def blocked(self) -> set[str]:
        """Accounts whose cards are blocked: the order with the highest sequence counts."""
        newest: dict[str, dict[str, Any]] = {}
        for order in sorted(self.in_effect.values(), key=lambda order: order["data"]["sequence"]):
            newest[order["data"]["account_id"]] = order
        return {account for account, order in newest.items() if order["type"] == "cards.block"}

    def arrived(self, handler: BaseHTTPRequestHandler) -> None:
        """Checks a request and lets it behave."""
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        key = headers.get("idempotency-key", "")
        if not verify(headers, body, [Secret.parse(SECRET)], time.time()):
            self.faults.append("a signature is wrong")
        if not key or key != headers.get("webhook-id") or key != json.loads(body)["data"]["order_id"]:
            self.faults.append("a key is not the order's id")
        with self.lock:
            self.calls[key] += 1
            call = Call(self, handler, key, body)
        self.behaviour(call)


@contextmanager
def running(behaviour: Behaviour, host: str = "127.0.0.1") -> Iterator[CardSystem]:
    """The card system, in threads of this process."""
    system = CardSystem(behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                system.arrived(self)
            except OSError:
                self.close_connection = True  # the other side went away

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server((host, 0), Handler)
    system.url = f"http://{host}:{server.server_address[1]}/orders"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield system
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def good(call: Call) -> None:
    """It does what it is told, and says so."""
    call.work()
    call.answer(200, DONE)


def too_late_at_first(call: Call) -> None:
    """It does the work, and the first time says nothing."""
    call.work()
    if call.nth == 1:
        call.say_nothing()
    else:
        call.answer(200, DONE)


def saying(status: int, body: bytes = b"", times: int = 1_000, **headers: str) -> Behaviour:
    """It does nothing and answers this so many times per key, then is good."""

    def answer(call: Call) -> None:
        if call.nth > times:
            good(call)
        else:
            call.answer(status, body, **headers)

    return answer
