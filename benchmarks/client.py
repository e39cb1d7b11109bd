"""One HTTP/1.1 keep-alive connection of the load generator, and the count of what came back."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MARKS = {
    "APPROVE": b'"decision":"APPROVE"',
    "CHALLENGE": b'"decision":"CHALLENGE"',
    "DECLINE": b'"decision":"DECLINE"',
    "early_exit": b'"is_early_exit":true',
    "degraded": b'"degraded":["',
}


@dataclass
class Tally:
    """What came back. Latencies in ms, by status."""

    latencies: dict[int, list[float]] = field(default_factory=dict)
    marks: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def answer(self, status: int, waited: float, response: bytes) -> None:
        """One complete response, `waited` seconds after it was due."""
        self.latencies.setdefault(status, []).append(waited * 1000)
        for name, mark in MARKS.items():
            if mark in response:
                self.marks[name] += 1


class Client(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, tally: Tally, on_idle: Callable[[Client], None]) -> None:
        self.tally = tally
        self.on_idle = on_idle
        self.transport: asyncio.Transport | None = None
        self.due = 0.0
        self.busy = False
        self.received = b""
        self.needed = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, request: bytes, due: float) -> None:
        """Put a request on its way; its latency counts from `due`."""
        assert self.transport is not None
        self.busy, self.due = True, due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received = self.received + data if self.received else data
        if self.needed < 0:
            head = self.received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = LENGTH.search(self.received, 0, head)
            self.needed = head + 4 + (int(length[1]) if length else 0)
        if len(self.received) < self.needed:
            return
        response, self.received, self.needed, self.busy = self.received, b"", -1, False
        self.tally.answer(int(response[9:12]), time.perf_counter() - self.due, response)
        self.on_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.busy:
            self.busy = False
            self.tally.errors["connection lost"] += 1
