"""Card management behind HTTP: one signed POST per attempt (Standard Webhooks), with the order's id as its key."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

from assay.accounts.orders import CardOrder
from assay.accounts.ports import Answer, Outcome
from assay.errors import AssayError, SettingsError
from assay.webhooks.guard import checked_url
from assay.webhooks.sender import Delivery, Message, WebhookSender
from assay.webhooks.sender import Outcome as Sent
from assay.webhooks.signing import Secret

log = logging.getLogger(__name__)
SecretSource = Callable[[], Awaitable[Secret]]
"""Gives what orders are signed with now. Raises `AssayError`."""
MAX_SECRET_FILE = 1024
_HERE = frozenset({"localhost", "127.0.0.1", "::1", "host.docker.internal"})
"""This machine, as its programs and its containers call it."""
_ABOUT_US = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Not about the order: a secret that is being changed, a service that is being moved."""


class HttpCardManagement:
    """The card system at a URL. An async context manager; belongs to one event loop.

    | answer | the order |
    |---|---|
    | 204, or 2xx with `{"status":"done"}` | done |
    | 409 | done: it is so already |
    | other 2xx, 401, 403, 408, 425, 429, 5xx, none in time | to be repeated |
    | 404 (it does not know the account), any other | refused |
    """

    def __init__(self, url: str, secret: SecretSource, timeout_s: float | None = None) -> None:
        """Raises `SettingsError` for a URL that orders must not go to. `timeout_s`: of one attempt."""
        self._url = _checked(url)
        self._secret = secret
        # Whoever runs Assay names the place, and banks have it in their own network: private addresses are let through.
        self._sender = WebhookSender(allow_local=True, timeout_s=timeout_s)

    async def carry_out(self, order: CardOrder) -> Answer:
        """One attempt; without a secret it has failed, and is to be repeated."""
        try:
            secret = await self._secret()
        except AssayError as error:
            log.error("orders for card management cannot be signed: %s", error)
            return Answer(Outcome.RETRY, "no secret to sign with")
        message = Message(order.id, order.body, {"Idempotency-Key": order.id})
        return answer_of(await self._sender.send(self._url, message, [secret]))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sender.close()


def answer_of(sent: Sent) -> Answer:
    """What an attempt's outcome means for the order."""
    if sent.status == HTTPStatus.CONFLICT or (sent.delivery is Delivery.DELIVERED and _is_done(sent)):
        return Answer(Outcome.DONE)
    if sent.delivery is Delivery.DELIVERED:
        return Answer(Outcome.RETRY, f"{sent.reason} without a confirmation")
    if sent.delivery is Delivery.RETRY or sent.status in _ABOUT_US:
        return Answer(Outcome.RETRY, sent.reason, sent.retry_after_s or 0.0)
    return Answer(Outcome.REFUSED, sent.reason)


def secret_in(path: Path) -> SecretSource:
    """The secret of a file, as it is when it is asked for."""

    async def secret() -> Secret:
        return read_secret(path)

    return secret


def read_secret(path: Path) -> Secret:
    """The secret in a file. Raises `SettingsError`, which repeats nothing of it."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_FILE).decode()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{path}: not text") from None
    return parse_secret(text, str(path))


def parse_secret(text: str, place: str) -> Secret:
    """The secret `whsec_..` from that place. Raises `SettingsError`, which repeats nothing of it."""
    try:
        return Secret.parse(text.strip())
    except ValueError as error:
        raise SettingsError(f"{place}: {error}") from None


def _is_done(sent: Sent) -> bool:
    if sent.status == HTTPStatus.NO_CONTENT:
        return True
    try:
        document = json.loads(sent.answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("status") == "done"


def _checked(url: str) -> str:
    try:
        found = checked_url(url, allow_local=True)
    except ValueError as error:
        raise SettingsError(f"card management: {error}") from None
    if found.scheme != "https" and found.host not in _HERE:
        raise SettingsError("card management: should begin with https:// unless it is on this machine")
    return url
