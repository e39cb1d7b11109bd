"""Webhooks of clients: made, listed, given another secret, disabled, removed. Each change is an event."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address

from yarl import URL

from assay import moments
from assay.client_events.ports import WebhookStore
from assay.client_events.records import Health, SealedSecret, Webhook, WebhookStatus
from assay.features.windows import HOUR
from assay.problems import FieldError, Problem, unavailable
from assay.schemas.event import SYSTEM, Event
from assay.sealing import InstallationKey
from assay.webhooks.guard import checked_url, may_be_sent_to
from assay.webhooks.signing import Secret, new_secret

MOST = 5
"""Webhooks of a client."""
FORMER_SIGNS = 24 * HOUR
"""How long a secret signs after another one took its place."""
MOST_SECRETS = 4
"""Of a webhook, at a time."""
TRIES = 5
"""To be first with a change."""
LOOK_UP_S = 2.0

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host; none when nobody knows it."""


async def system_addresses(host: str) -> Sequence[str]:
    """By the system's resolver."""
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, UnicodeError):  # TimeoutError is an OSError
        return ()
    return [str(address[0]) for *_, address in found]


class Webhooks:
    """Webhooks of all clients. All of it raises `Problem` and `StorageError`."""

    def __init__(
        self,
        store: WebhookStore,
        key: Callable[[], Awaitable[InstallationKey]],
        allow_local: bool = False,
        resolve: Resolve = system_addresses,
        now: Callable[[], int] = moments.now,
    ) -> None:
        """`key`: read when it is needed. `allow_local`: as `guard.checked_url`. `now`: in microseconds."""
        self._store = store
        self._key = key
        self._allow_local = allow_local
        self._resolve = resolve
        self._now = now

    async def add(self, client_id: str, url: str, kinds: tuple[str, ...] | None) -> tuple[str, str]:
        """The new webhook's id and secret. 409: the client has as many as it may; 422: the URL is no good."""
        host = await self._host(url)
        id_, secret = f"whk_{secrets.token_hex(12)}", new_secret()
        sealed = SealedSecret(await self._seal(secret, client_id, id_))
        webhook = Webhook(id_, client_id, url, kinds, self._now(), (sealed,))
        event = _event("webhook.created", client_id, webhook, host=host, events=list(kinds or ["all"]))
        if not await self._store.add(webhook, event, MOST):
            raise Problem(409, "too_many_webhooks", f"A client has {MOST} webhooks at most; remove one first")
        return id_, secret

    async def of_client(self, client_id: str) -> list[tuple[Webhook, Health]]:
        """All of the client's."""
        return await self._store.of_client(client_id)

    async def remove(self, client_id: str, webhook_id: str) -> None:
        """Nothing more is sent to it. 404."""
        webhook = await self._get(client_id, webhook_id)
        if not await self._store.remove(webhook, _event("webhook.deleted", client_id, webhook)):
            raise _unknown()

    async def rotate(self, client_id: str, webhook_id: str) -> tuple[str, int]:
        """A new secret, and until when the one before signs too. 404; 409: it was changed too often lately."""
        secret = new_secret()
        sealed = SealedSecret(await self._seal(secret, client_id, webhook_id))
        for _ in range(TRIES):
            webhook, now = await self._get(client_id, webhook_id), self._now()
            until = now + FORMER_SIGNS
            former = [one if one.until else replace(one, until=until) for one in in_use(webhook, now)]
            if len(former) >= MOST_SECRETS:
                raise Problem(409, "too_many_secrets", f"A webhook has {MOST_SECRETS} secrets at a time; wait")
            after = replace(webhook, secrets=(sealed, *former), version=webhook.version + 1)
            if await self._store.change(after, _event("webhook.secret_rotated", client_id, webhook)):
                return secret, until
        raise unavailable("busy", "The webhook is changed by too many at once")

    async def disable(self, webhook: Webhook, reason: str) -> bool:
        """Nothing more is sent to it. False when it was changed meanwhile."""
        after = replace(webhook, status=WebhookStatus.DISABLED, reason=reason, version=webhook.version + 1)
        event = _event("webhook.disabled", SYSTEM, webhook, client_id=webhook.client_id, reason=reason)
        return await self._store.change(after, event)

    async def secrets(self, webhook: Webhook) -> tuple[Secret, ...]:
        """Those that sign now, the newest first. Raises `SealError`."""
        key, now = await self._key(), self._now()
        opened = [key.open(one.sealed, *_place(webhook.client_id, webhook.id)) for one in in_use(webhook, now)]
        return tuple(Secret.parse(secret.decode()) for secret in opened)

    async def _seal(self, secret: str, client_id: str, webhook_id: str) -> bytes:
        return (await self._key()).seal(secret.encode(), *_place(client_id, webhook_id))

    async def _get(self, client_id: str, webhook_id: str) -> Webhook:
        webhook = await self._store.get(client_id, webhook_id)
        if webhook is None:
            raise _unknown()
        return webhook

    async def _host(self, url: str) -> str:
        """Of the URL, when it may be sent to. Also looked at when something is sent: names change their meaning."""
        try:
            checked = checked_url(url, self._allow_local)
            await self._look_up(checked)
        except ValueError as error:
            fault = FieldError("url", "url", f"Input {error}")
            raise Problem(422, "validation", "Not valid: url", [fault]) from None
        return checked.host or ""

    async def _look_up(self, url: URL) -> None:
        for address in await self._resolve(url.host or ""):
            if not may_be_sent_to(ip_address(address), self._allow_local):
                raise ValueError("should name a host on public addresses")


def in_use(webhook: Webhook, now: int) -> list[SealedSecret]:
    """The webhook's secrets that sign at this moment, the newest first."""
    return [secret for secret in webhook.secrets if secret.until is None or secret.until > now]


def _place(client_id: str, webhook_id: str) -> tuple[str, str, str]:
    return "webhook", client_id, webhook_id


def _event(kind: str, actor: str, webhook: Webhook, **data: str | list[str]) -> Event:
    return Event.now(kind, actor, webhook_id=webhook.id, **data)


def _unknown() -> Problem:
    return Problem(404, "unknown_webhook", "The client has no webhook with this id")
