"""A client's receiver of webhooks, and the function's parts over a file of their own with a clock that a test sets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from assay.adapters.sqlite.client_events import SqliteDeliveryStore, SqliteFeedStore
from assay.adapters.sqlite.client_events_webhooks import SqliteWebhookStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.client_events.records import Health, Webhook
from assay.ports import OutboxEvent
from assay.sealing import InstallationKey
from assay.webhooks.sender import Delivery as Sent
from assay.webhooks.sender import Message, Outcome
from assay.webhooks.signing import Secret
from functions.client_events.consumer import ClientEventRecorder
from functions.client_events.delivery import Deliveries
from functions.client_events.webhooks import Webhooks

START = 1_772_366_400_000_000
"""2026-03-01T12:00:00Z, in microseconds."""
SECOND = 1_000_000
TAKEN = Outcome(Sent.DELIVERED, "HTTP 204")
DOWN = Outcome(Sent.RETRY, "HTTP 503")
GONE = Outcome(Sent.GONE, "HTTP 410")
KEY = InstallationKey(bytes(range(32)))


def event(n: int = 1, kind: str = "account.frozen", client: str = "shop", **data: Any) -> bytes:
    """An event as the functions make it, about the client."""
    about: dict[str, Any] = {"transaction_id": f"t-{n}"}
    if kind == "decision.final":
        actor = client
        about |= {"challenge_id": f"chl_{n}", "decision": "APPROVE", "reason": "step_up_passed"}
    else:
        actor = "usr_1" if kind == "account.released" else "system"
        about |= {"client_id": client, "account_id": f"a-{n}", "version": 1}
    head = {"event": kind, "version": 1, "id": f"evt_{client}_{n}", "client_id": actor}
    return json.dumps({**head, "occurred_at": "2026-03-01T12:00:00Z", "data": {**about, **data}}).encode()


def events(*bodies: bytes) -> list[OutboxEvent]:
    """As the relay hands them over."""
    return [OutboxEvent(n, body) for n, body in enumerate(bodies, 1)]


@dataclass(slots=True)
class Clock:
    """Stands still until it is told."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


Answer = Callable[[str, Message], Outcome]


class FakeSender:
    """Answers as it is told, and keeps what it was given."""

    def __init__(self, answer: Answer | Outcome = TAKEN) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Message, tuple[Secret, ...]]] = []
        self.hangs: dict[str, asyncio.Event] = {}
        """URLs that do not answer until they are let."""

    async def send(self, url: str, message: Message, secrets: tuple[Secret, ...]) -> Outcome:
        self.sent.append((url, message, secrets))
        if url in self.hangs:
            await self.hangs[url].wait()
        return self.answer if isinstance(self.answer, Outcome) else self.answer(url, message)

    def ids(self, url: str | None = None) -> list[str]:
        """Of the messages to the URL, in order."""
        return [message.id for at, message, _ in self.sent if url in {None, at}]


@dataclass
class Bench:
    """The function's parts. A second one over the same ledger is another process."""

    ledger: SqliteLedger
    clock: Clock = field(default_factory=Clock)
    sender: FakeSender = field(default_factory=FakeSender)

    def __post_init__(self) -> None:
        self.feed = SqliteFeedStore(self.ledger)
        self.store = SqliteDeliveryStore(self.ledger)
        self.webhooks = Webhooks(SqliteWebhookStore(self.ledger), _key, resolve=_nobody, now=self.clock)
        self.recorder = ClientEventRecorder(self.feed, self.clock)
        self.deliveries = Deliveries(self.store, self.webhooks, self.sender, self.clock)

    async def take(self, *bodies: bytes) -> None:
        await self.recorder.handle(events(*bodies))

    async def add(self, client: str = "shop", kinds: tuple[str, ...] | None = None, name: str = "a") -> str:
        """A webhook at https://<name>.example/; its id."""
        return (await self.webhooks.add(client, f"https://{name}.example/", kinds))[0]

    async def webhook(self, client: str = "shop") -> tuple[Webhook, Health]:
        """The client's only one."""
        (found,) = await self.webhooks.of_client(client)
        return found

    async def entries(self, client: str = "shop") -> list[tuple[int, str]]:
        """Numbers and ids in the client's feed."""
        return [(entry.sequence, entry.event_id) for entry in await self.feed.page(client, 0, 10_000)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Of the file."""
        return self.ledger.reader.execute(query).fetchall()

    def announced(self) -> list[dict[str, Any]]:
        """Events about webhooks, oldest first."""
        return [json.loads(body) for (body,) in self.rows("SELECT body FROM outbox ORDER BY sequence")]


async def _key() -> InstallationKey:
    return KEY


async def _nobody(_: str) -> tuple[str, ...]:
    return ()


def run(folder: Path, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    """The scenario over the folder's file."""

    async def main() -> None:
        ledger = SqliteLedger(folder / "assay.db")
        try:
            await asyncio.wait_for(scenario(Bench(ledger)), 60)
        finally:
            await ledger.close()

    asyncio.run(main())


@dataclass
class Receiver:
    """What has arrived at a client's server: headers in lower case, and the body."""

    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; 204 when there are none."""

    def ids(self) -> list[str]:
        """In the order of arrival."""
        return [headers["webhook-id"] for headers, _ in self.requests]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver, in threads of this process."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", port), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
