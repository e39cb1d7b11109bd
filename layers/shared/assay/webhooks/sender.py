"""Sends one signed message, once. When to try again, and what to record, is its caller's business."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver

from assay.webhooks.guard import checked_url
from assay.webhooks.resolver import AddressRefusedError, GuardedResolver
from assay.webhooks.signing import Secret, signed_headers

CONNECT_TIMEOUT_S = 3.0
TOTAL_TIMEOUT_S = 10.0
MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read. The status is what counts."""
LONGEST_WAIT_S = 86_400.0
"""The most that a receiver's Retry-After is believed."""

_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_CHUNK = 16 * 1024


class Delivery(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """Worth another attempt, with the same message id."""
    REFUSED = "refused"
    """The same message would be refused again."""
    GONE = "gone"
    """The receiver wants no more messages at this URL."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. `id` names it in every attempt: the receiver knows by it what came twice."""

    id: str
    body: bytes = field(repr=False)
    """JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Besides those of the signature."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, and why; nothing of what was sent."""

    delivery: Delivery
    reason: str
    """`HTTP <status>`, or what kind of failure it was."""
    retry_after_s: float | None = None
    """No sooner than that, as the receiver asked."""
    answer: bytes = field(default=b"", repr=False)
    """As much of the body as was read."""
    status: int | None = field(default=None, compare=False)
    """The answer's, which `reason` says too; None when there was no answer."""


class WebhookSender:
    """POSTs messages, each over a connection of its own. An async context manager; belongs to one event loop."""

    def __init__(
        self, *, allow_local: bool = False, resolver: AbstractResolver | None = None, timeout_s: float | None = None
    ) -> None:
        """`allow_local`: as `guard.checked_url`. `resolver`: who knows the addresses of names, if not the system.

        `timeout_s`: of one attempt, instead of `TOTAL_TIMEOUT_S`.
        """
        self._allow_local = allow_local
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(resolver or aiohttp.ThreadedResolver(), allow_local),
            use_dns_cache=False,
            force_close=True,  # a process that was frozen meanwhile would send into a closed one
        )
        self._http = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout_s or TOTAL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "Content-Type": "application/json", "User-Agent": "Assay"},
            auto_decompress=False,
        )

    async def send(self, url: str, message: Message, secrets: Sequence[Secret]) -> Outcome:
        """One attempt, signed with every secret. Never raises for what the receiver or the network does."""
        try:
            checked = checked_url(url, self._allow_local)
        except ValueError as error:
            return Outcome(Delivery.REFUSED, f"URL {error}")
        headers = {**message.headers, **signed_headers(message.id, int(time.time()), message.body, secrets)}
        try:
            async with self._http.post(checked, data=message.body, headers=headers, allow_redirects=False) as answer:
                delivery, wait_s = _classify(answer.status, answer.headers.get("Retry-After"), datetime.now(UTC))
                return Outcome(delivery, f"HTTP {answer.status}", wait_s, await _beginning(answer), answer.status)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            return _failed(error)

    async def close(self) -> None:
        """Closes what is open."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """What a Retry-After header asks for, in seconds from now: it holds a number of them, or a date. None: nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:12]), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _classify(status: int, retry_after: str | None, now: datetime) -> tuple[Delivery, float | None]:
    if 200 <= status < 300:
        return Delivery.DELIVERED, None
    if status == HTTPStatus.GONE:
        return Delivery.GONE, None
    if status in _AGAIN or status >= 500:
        return Delivery.RETRY, retry_after_s(retry_after, now)
    return Delivery.REFUSED, None  # a redirect too: the URL to send to is the configured one


def _failed(error: Exception) -> Outcome:
    cause = getattr(error, "os_error", error)  # what aiohttp says of a resolver that raised
    if isinstance(cause, AddressRefusedError):
        return Outcome(Delivery.REFUSED, str(cause))
    return Outcome(Delivery.RETRY, type(error).__name__)


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """What there is of the body. That it breaks off, or does not end, changes nothing: the receiver has the message."""
    body = bytearray()
    with suppress(aiohttp.ClientError, OSError):
        async for chunk in answer.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) >= MAX_ANSWER:
                answer.close()  # the rest is not waited for
                break
    return bytes(body[:MAX_ANSWER])
