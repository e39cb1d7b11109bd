"""The sender against a server on this machine that does whatever a receiver can do, right or wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp.connector
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks.webhooks import Webhook

from assay.webhooks import sender as module
from assay.webhooks.sender import LONGEST_WAIT_S, MAX_ANSWER, Delivery, Message, Outcome, WebhookSender, retry_after_s
from assay.webhooks.signing import Secret

NAME = "hooks.example.com"
SECRET = "whsec_" + "c2VjcmV0" * 4
OLD_SECRET = "whsec_" + "b2xkLW9sZC1v" * 3
BODY = b'{"type":"alert.raised","data":{"account":"acct-private"}}'
MESSAGE = Message("msg_1", BODY)
SOON_S = 0.3
"""Instead of the timeouts of the sender, where a test is about those."""

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A server. What it does with a request is `behaviour`; what arrived is kept."""

    behaviour: Behaviour
    port: int = 0
    connections: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?kind=a"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            self.requests.append((head[0], headers, await reader.readexactly(int(headers["content-length"]))))
            await self.behaviour(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the sender went away
        finally:
            writer.close()


@asynccontextmanager
async def receiving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(behaviour)
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(receiver.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def saying(answer: bytes) -> Behaviour:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


def status(line: str, *headers: str, body: bytes = b"") -> Behaviour:
    head = [f"HTTP/1.1 {line}", *headers, f"Content-Length: {len(body)}", "", ""]
    return saying("\r\n".join(head).encode() + body)


async def silent(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def stalls_after_its_status(writer: asyncio.StreamWriter) -> None:
    await half(writer)
    await silent(writer)


async def stalls_within_its_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await silent(writer)


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def aborts(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))


async def post(url: str, *, allow_local: bool = True, resolver: AbstractResolver | None = None) -> Outcome:
    async with WebhookSender(allow_local=allow_local, resolver=resolver) as sender:
        return await sender.send(url, MESSAGE, [Secret.parse(SECRET), Secret.parse(OLD_SECRET)])


ANSWERS: dict[str, tuple[Behaviour, Delivery, str]] = {
    "200": (status("200 OK", body=b"{}"), Delivery.DELIVERED, "HTTP 200"),
    "202": (status("202 Accepted"), Delivery.DELIVERED, "HTTP 202"),
    "204": (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), Delivery.DELIVERED, "HTTP 204"),
    "304": (saying(b"HTTP/1.1 304 Not Modified\r\n\r\n"), Delivery.REFUSED, "HTTP 304"),
    "400": (status("400 Bad Request"), Delivery.REFUSED, "HTTP 400"),
    "401": (status("401 Unauthorized"), Delivery.REFUSED, "HTTP 401"),
    "404": (status("404 Not Found"), Delivery.REFUSED, "HTTP 404"),
    "408": (status("408 Request Timeout"), Delivery.RETRY, "HTTP 408"),
    "410": (status("410 Gone"), Delivery.GONE, "HTTP 410"),
    "429": (status("429 Too Many Requests"), Delivery.RETRY, "HTTP 429"),
    "500": (status("500 Internal Server Error"), Delivery.RETRY, "HTTP 500"),
    "503": (status("503 Service Unavailable"), Delivery.RETRY, "HTTP 503"),
    "999": (status("999 Odd"), Delivery.RETRY, "HTTP 999"),
    "garbage": (saying(b"\x00\xff\x16\x03" * 50), Delivery.RETRY, "ClientResponseError"),
    "another protocol": (saying(b"220 mail.example.com ESMTP\r\n"), Delivery.RETRY, "ClientResponseError"),
    "a status that is none": (saying(b"HTTP/1.1 2OO OK\r\n\r\n"), Delivery.RETRY, "ClientResponseError"),
    "endless headers": (saying(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000), Delivery.RETRY, ""),
    "a header without end": (saying(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000), Delivery.RETRY, ""),
    "closed at once": (saying(b""), Delivery.RETRY, "ServerDisconnectedError"),
    "reset": (aborts, Delivery.RETRY, ""),
    "cut within the body": (half, Delivery.DELIVERED, "HTTP 200"),
    "an endless body": (endless, Delivery.DELIVERED, "HTTP 200"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_has_its_outcome_after_one_request(name: str) -> None:
    behaviour, delivery, reason = ANSWERS[name]

    async def scenario() -> None:
        async with receiving(behaviour) as receiver:
            outcome = await post(receiver.url)
            assert (outcome.delivery, receiver.connections, len(receiver.requests)) == (delivery, 1, 1), outcome
            assert outcome.reason == (reason or outcome.reason)
            assert len(outcome.answer) <= MAX_ANSWER

    run(scenario)


def test_the_message_is_signed_as_the_reference_wants_it_with_both_secrets() -> None:
    async def scenario() -> None:
        async with receiving(status("204 No Content")) as receiver:
            await post(receiver.url)
            ((line, headers, body),) = receiver.requests
            assert line == "POST /hooks?kind=a HTTP/1.1"
            assert body == BODY
            assert headers["content-type"] == "application/json"
            assert headers["webhook-id"] == "msg_1"
            for secret in (SECRET, OLD_SECRET):
                assert Webhook(secret).verify(body, headers) == json.loads(BODY)

    run(scenario)


def test_an_answer_is_there_to_be_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_TIMEOUT_S", 3600.0)  # it is not the timeout that ends it

    async def scenario() -> None:
        async with receiving(status("200 OK", body=b'{"state":"blocked"}')) as receiver:
            assert (await post(receiver.url)).answer == b'{"state":"blocked"}'
        async with receiving(endless) as receiver:
            assert (await post(receiver.url)).answer == b"x" * MAX_ANSWER

    run(scenario)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("999999999999999999999", LONGEST_WAIT_S),
        ("Wed, 21 Oct 2026 07:29:00 GMT", 60.0),
        ("Wed, 21 Oct 2020 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", LONGEST_WAIT_S),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 10, 21, 7, 28, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("line", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_receiver_says_when_to_come_again(line: str) -> None:
    async def scenario() -> None:
        async with receiving(status(line, "Retry-After: 33")) as receiver:
            assert (await post(receiver.url)).retry_after_s == 33

    run(scenario)


@pytest.mark.parametrize("behaviour", [silent, stalls_within_its_head])
def test_a_receiver_that_stalls_is_given_up(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_TIMEOUT_S", SOON_S)

    async def scenario() -> None:
        async with receiving(behaviour) as receiver:
            outcome = await post(receiver.url)
            assert outcome.delivery is Delivery.RETRY
            assert "Timeout" in outcome.reason
            assert len(receiver.requests) == 1

    run(scenario)


def test_a_receiver_that_stalls_after_its_status_has_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_TIMEOUT_S", SOON_S)

    async def scenario() -> None:
        async with receiving(stalls_after_its_status) as receiver:
            assert await post(receiver.url) == Outcome(Delivery.DELIVERED, "HTTP 200", answer=b"half")

    run(scenario)


def test_a_server_that_does_not_take_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue of connections is full: the system answers nothing at all."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", SOON_S)

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            outcome = await post(f"http://127.0.0.1:{port}/")
            assert outcome.delivery is Delivery.RETRY
            assert "Timeout" in outcome.reason
            for one in waiting:
                one.close()

    run(scenario)


def test_nobody_listens() -> None:
    async def scenario() -> None:
        async with receiving(silent) as receiver:
            url = receiver.url
        outcome = await post(url)
        assert (outcome.delivery, outcome.reason) == (Delivery.RETRY, "ClientConnectorError")

    run(scenario)


@pytest.mark.parametrize("line", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(line: str) -> None:
    async def scenario() -> None:
        async with receiving(status("200 OK")) as target:
            async with receiving(status(line, f"Location: {target.url}")) as receiver:
                outcome = await post(receiver.url)
                assert (outcome.delivery, len(receiver.requests)) == (Delivery.REFUSED, 1)
            assert target.connections == 0

    run(scenario)


@dataclass
class Names(AbstractResolver):
    """Knows one name. Each question has the next answer, the last again and again."""

    answers: list[list[str]]
    asked: int = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        assert host == NAME
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [_found(host, address, port) for address in found]

    async def close(self) -> None:
        return


def _found(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["::1"], ["1.1.1.1", "127.0.0.1"]],
)
def test_a_name_with_a_private_address_is_refused(addresses: list[str]) -> None:
    async def scenario() -> None:
        names = Names([addresses])
        async with receiving(status("200 OK")) as receiver:
            url = f"https://{NAME}:{receiver.port}/"
            outcome = await post(url, allow_local=False, resolver=names)
            assert outcome.delivery is Delivery.REFUSED
            assert "not a public one" in outcome.reason
            assert (names.asked, receiver.connections) == (1, 0)

    run(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_a_private_address_itself_is_refused(host: str) -> None:
    async def scenario() -> None:
        async with receiving(status("200 OK")) as receiver:
            outcome = await post(f"https://{host}:{receiver.port}/", allow_local=False)
            assert outcome.delivery is Delivery.REFUSED
            assert receiver.connections == 0

    run(scenario)


def test_a_name_is_looked_up_for_every_connection_and_only_once_for_each() -> None:
    """What it meant at the last delivery, or means after the check, is of no interest: no rebinding."""

    async def scenario() -> None:
        names = Names([["127.0.0.1"], ["169.254.169.254"]])
        async with (
            receiving(status("200 OK")) as receiver,
            WebhookSender(allow_local=True, resolver=names) as sender,
        ):
            url = f"http://{NAME}:{receiver.port}/"
            assert (await sender.send(url, MESSAGE, [Secret.parse(SECRET)])).delivery is Delivery.DELIVERED
            assert names.asked == 1
            assert receiver.requests[0][1]["host"] == f"{NAME}:{receiver.port}"
            assert (await sender.send(url, MESSAGE, [Secret.parse(SECRET)])).delivery is Delivery.REFUSED
            assert (names.asked, receiver.connections) == (2, 1)

    run(scenario)


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    class Unknown(Names):
        async def resolve(self, *_: Any) -> Any:
            raise OSError(socket.EAI_NONAME, "Name or service not known")

    async def scenario() -> None:
        outcome = await post(f"https://{NAME}/", allow_local=False, resolver=Unknown([]))
        assert (outcome.delivery, outcome.reason) == (Delivery.RETRY, "ClientConnectorDNSError")

    run(scenario)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")

    async def scenario() -> None:
        async with receiving(status("200 OK")) as receiver:
            assert (await post(receiver.url)).delivery is Delivery.DELIVERED

    run(scenario)


def test_a_receivers_cookies_do_not_come_back() -> None:
    async def scenario() -> None:
        async with (
            receiving(status("200 OK", "Set-Cookie: a=b")) as receiver,
            WebhookSender(allow_local=True) as sender,
        ):
            for _ in range(2):
                await sender.send(receiver.url, MESSAGE, [Secret.parse(SECRET)])
            assert ["cookie" in headers for _, headers, _ in receiver.requests] == [False, False]

    run(scenario)


def test_a_connection_is_not_used_again() -> None:
    """A Lambda process that was frozen would send into one that is closed."""

    async def scenario() -> None:
        async with receiving(status("200 OK")) as receiver, WebhookSender(allow_local=True) as sender:
            for _ in range(3):
                await sender.send(receiver.url, MESSAGE, [Secret.parse(SECRET)])
            assert receiver.connections == 3

    run(scenario)


def test_nothing_of_a_message_is_shown(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [repr(MESSAGE)]

    async def scenario() -> None:
        for behaviour in (status("200 OK", body=b"acct-private"), status("500 Error", body=BODY), aborts):
            async with receiving(behaviour) as receiver:
                shown.append(repr(await post(receiver.url)))

    run(scenario)
    output = " ".join([*shown, caplog.text, *capsys.readouterr()])
    assert "acct-private" not in output
    assert SECRET.removeprefix("whsec_") not in output
    assert "v1," not in output


@dataclass(frozen=True)
class Certificate:
    """Of `NAME`, signed by itself."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    file: Path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return Certificate(server, ssl.create_default_context(cadata=pem.decode()))


def test_tls_is_with_the_name_not_the_address(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", certificate.trusting)

    async def scenario() -> None:
        async with receiving(status("200 OK"), certificate.server) as receiver:
            outcome = await post(f"https://{NAME}:{receiver.port}/", resolver=Names([["127.0.0.1"]]))
            assert outcome.delivery is Delivery.DELIVERED, outcome
            outcome = await post(f"https://127.0.0.1:{receiver.port}/")
            assert (outcome.delivery, outcome.reason) == (Delivery.RETRY, "ClientConnectorCertificateError")
            assert len(receiver.requests) == 1

    run(scenario)


def test_a_certificate_that_nobody_trusts(certificate: Certificate) -> None:
    async def scenario() -> None:
        async with receiving(status("200 OK"), certificate.server) as receiver:
            outcome = await post(f"https://{NAME}:{receiver.port}/", resolver=Names([["127.0.0.1"]]))
            assert (outcome.delivery, outcome.reason) == (Delivery.RETRY, "ClientConnectorCertificateError")
            assert receiver.requests == []

    run(scenario)
