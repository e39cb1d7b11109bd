"""Bytes that are no proper HTTP, requests that stop half way: the server goes on answering, and nothing is stored."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.harness import state
from tests.harness.bad_bodies import CARD
from tests.harness.corpus import SCORE, encoded
from tests.harness.service import Service
from tests.harness.wire import exchange, statuses

BODY = encoded({**SCORE, "transaction_id": "raw"})
GARBAGE = {
    "nothing": b"",
    "new lines": b"\r\n" * 1_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "no version": b"GET /health HTTP/\r\n\r\n",
    "version 9": b"GET /health HTTP/9.9\r\nHost: a\r\n\r\n",
    "small method": b"get /health HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"STEAL /score HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw bytes in the path": b"GET /decisions/\xff\xfe\xed\xa0\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path": b"GET /decisions/a\x00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "spaces in the path": b"GET /decisions/a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute path": b"GET http://[::1/decisions/a HTTP/1.1\r\nHost: a\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n",
    "1 MB path": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "no colon": b"GET /health HTTP/1.1\r\nHost a\r\n\r\n",
    "space before the colon": b"POST /score HTTP/1.1\r\nContent-Length : 5\r\n\r\n{}   ",
    "folded header": b"GET /decisions/x HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "10,000 headers": b"GET /decisions/x HTTP/1.1\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n",
    "4 MB header": b"GET /decisions/x HTTP/1.1\r\nX: " + b"a" * 4_000_000 + b"\r\n\r\n",
    "nine lives": b"\x00\xff" * 50_000,
    "a card number": CARD.encode() + b" / HTTP/1.1\r\n\r\n",
}
FRAMES = {
    "negative length": [b"Content-Length: -1"],
    "length of text": [b"Content-Length: five"],
    "length in hex": [b"Content-Length: 0x10"],
    "endless length": [b"Content-Length: " + b"9" * 40],
    "two lengths": [b"Content-Length: 2", b"Content-Length: %d" % len(BODY)],
    "length and chunks": [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    "unknown transfer": [b"Transfer-Encoding: gzip"],
    "chunked twice": [b"Transfer-Encoding: chunked, chunked"],
    "chunks without end": [b"Transfer-Encoding: chunked"],
    "nothing said": [],
    "too short": [b"Content-Length: 10"],
}


def head(server: Service, *lines: bytes) -> bytes:
    """The head of a `POST /score` with a good token."""
    token = server.token().encode()
    common = (b"POST /score HTTP/1.1", b"Host: a", b"Content-Type: application/json", b"Authorization: Bearer " + token)
    return b"\r\n".join((*common, *lines, b"", b""))


@pytest.fixture
def goes_on(server: Service) -> Iterator[None]:
    """Afterwards the server answers, and its store is as before."""
    before = server.counts()
    yield
    with server.client() as client:
        assert client.get("/ready").status_code == 200
    assert server.counts() == before


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_http_is_refused(server: Service, name: str) -> None:
    received = exchange(server, GARBAGE[name])
    harmless = {200} if b"/health" in GARBAGE[name] else set()
    assert {status for status in statuses(received) if not 400 <= status < 500} <= harmless
    assert CARD.encode() not in received


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("name", FRAMES)
def test_a_body_that_is_framed_wrongly_is_refused(server: Service, name: str) -> None:
    received = exchange(server, head(server, *FRAMES[name]) + BODY)
    assert all(400 <= status < 500 for status in statuses(received)), received


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("chunk", [b"zz\r\nabc\r\n", b"-1\r\n", b"F" * 17 + b"\r\na", b"5\r\n{}", b"2;" + b"x" * 70000])
def test_a_bad_chunk_is_refused(server: Service, chunk: bytes) -> None:
    received = exchange(server, head(server, b"Transfer-Encoding: chunked") + chunk)
    assert all(400 <= status < 500 for status in statuses(received)), received


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("end", [1, 20, 60, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("hang_up", [True, False])
def test_half_a_request_counts_for_nothing(server: Service, end: float, hang_up: bool) -> None:
    whole = head(server, b"Content-Length: %d" % len(BODY)) + BODY
    half = whole[: int(end if end >= 1 else len(whole) * end)]
    assert exchange(server, half, close_after=hang_up) == b""


@pytest.mark.usefixtures("goes_on")
def test_more_than_was_announced_is_refused_unread(server: Service) -> None:
    received = exchange(server, head(server, b"Content-Length: 20000000"))
    assert list(statuses(received)) == [413]
    assert b"connection: close" in received.lower()


@pytest.mark.usefixtures("goes_on")
def test_chunks_without_end_are_refused_at_the_limit(server: Service) -> None:
    chunks = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    received = exchange(server, head(server, b"Transfer-Encoding: chunked"), chunks * 4, chunks)
    assert list(statuses(received)) == [413]


def test_a_slow_client_is_served_and_holds_nobody_up(server: Service) -> None:
    whole = head(server, b"Content-Length: %d" % len(BODY), b"Connection: close") + BODY
    with server.client() as quick, socket.create_connection(("127.0.0.1", _port(server)), timeout=30) as slow:
        for at in range(0, len(whole), 50):
            slow.sendall(whole[at : at + 50])
            assert quick.get("/health").status_code == 200
        received = b"".join(iter(lambda: slow.recv(65_536), b""))
    assert list(statuses(received)) == [200]


def test_clients_that_never_finish_take_no_places(server: Service) -> None:
    half = head(server, b"Content-Length: %d" % len(BODY)) + BODY[:-1]
    with ExitStack() as open_ones, server.client() as client:
        for _ in range(200):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", _port(server)), timeout=30))
            connection.sendall(half)
        bodies = ({**SCORE, "transaction_id": f"beside-{n}"} for n in range(5))
        assert {client.post("/score", json=body).status_code for body in bodies} == {200}


def test_expect_100_continue_is_obeyed(server: Service) -> None:
    body = encoded({**SCORE, "transaction_id": "expected"})
    expecting = head(server, b"Content-Length: %d" % len(body), b"Expect: 100-continue", b"Connection: close")
    with socket.create_connection(("127.0.0.1", _port(server)), timeout=30) as connection:
        connection.sendall(expecting)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(body)
        assert list(statuses(b"".join(iter(lambda: connection.recv(65_536), b"")))) == [200]


def test_requests_in_one_packet_are_answered_in_order(server: Service) -> None:
    good = [encoded({**SCORE, "transaction_id": f"pipelined-{n}"}) for n in range(5)]
    sent = b"".join(head(server, b"Content-Length: %d" % len(body)) + body for body in (*good, b"{", good[0]))
    received = exchange(server, sent)
    assert list(statuses(received)) == [200] * 5 + [400, 200]


@pytest.mark.usefixtures("goes_on")
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
def test_an_upgrade_is_not_taken(server: Service, protocol: bytes) -> None:
    body = encoded({**SCORE, "transaction_id": "upgraded", "verdict": "APPROVE"})
    upgrade = (b"Content-Length: %d" % len(body), b"Connection: Upgrade", b"Upgrade: " + protocol)
    answered = list(statuses(exchange(server, head(server, *upgrade) + body)))
    assert answered
    assert all(400 <= status < 500 for status in answered)


def test_nothing_of_it_reached_the_log(server: Service) -> None:
    """The last of this module: what the whole session sent wrongly left no trace in the log, but for short notes."""
    with httpx.Client(base_url=server.address) as client:
        assert client.get("/health").status_code == 200
    log = server.log.read_text()
    assert CARD not in log
    assert "Traceback" not in log, log[-3_000:]
    state.drained(server.data)


def _port(server: Service) -> int:
    return int(server.address.rpartition(":")[2])
