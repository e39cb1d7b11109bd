"""Requests below the level of an HTTP library: exact bytes, exact bodies, answers as they come."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.harness.service import JSON, Service

PATIENCE_S = 30.0
QUIET_S = 0.5


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Caller:
    """One client on a connection that stays open; opens another when the server closed it."""

    def __init__(self, service: Service, name: str = "shop") -> None:
        host, port = _place(service)
        self._connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        self.headers = {**JSON, "Authorization": f"Bearer {service.token(name)}"}

    def send(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """The answer. `path` goes out as it is."""
        self._connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (self.headers if headers is None else headers).items():
            self._connection.putheader(name, value)
        if body or method == "POST":
            self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body or None)
        with self._connection.getresponse() as answer:
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def exchange(service: Service, *parts: bytes, close_after: bool = False) -> bytes:
    """What comes back for the bytes until the server closes or is quiet for a while; empty when it only closes.

    `close_after`: hang up at once instead of listening.
    """
    with socket.create_connection(_place(service), timeout=PATIENCE_S) as connection:
        received = b""
        try:
            for part in parts:
                connection.sendall(part)
            if close_after:
                return b""
            connection.settimeout(QUIET_S)
            while chunk := connection.recv(65_536):
                received += chunk
        except (TimeoutError, ConnectionError):
            return received
        return received


def statuses(received: bytes) -> Iterator[int]:
    """The status of every answer in the bytes."""
    for line in received.split(b"HTTP/1.1 ")[1:]:
        yield int(line[:3])


def _place(service: Service) -> tuple[str, int]:
    address = urlsplit(service.address)
    assert address.hostname and address.port
    return address.hostname, address.port
