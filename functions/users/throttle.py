"""How often who may guess. A guess is counted before it is looked at, and taken back when it was right.

Guesses at one account are limited over all addresses together, except from where its owner has logged in lately:
whoever guesses, from however many addresses, does not lock the owner out. Accounts that there are and those that there
are not are counted alike.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.identity.ports import AttemptStore
from assay.problems import Problem

QUARTER_S = 900
HOUR_S = 3_600
FAMILIAR_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many in each window."""

    name: str
    most: int
    window_s: int = QUARTER_S


PAIR = Limit("pair", 5)
"""An account from one address."""
ACCOUNT = Limit("account", 20)
"""An account from all addresses where its owner is not known to be."""
ADDRESS = Limit("address", 50)
"""All accounts from one address."""
REGISTRATIONS = Limit("registrations", 20, HOUR_S)
"""From one address."""
CLIENT_PAIR, CLIENT, CLIENT_ADDRESS = Limit("client-pair", 5), Limit("client", 20), Limit("client-address", 50)
"""The same for secrets of service clients, of which only the wrong ones are counted: nobody guesses a right one."""

Counted = tuple[Limit, str]


class Throttle:
    """Counts, and refuses with 429."""

    def __init__(self, attempts: AttemptStore, clock: Callable[[], float] = time.time) -> None:
        self._attempts = attempts
        self._clock = clock

    async def guess(self, account: str, address: str) -> Guess:
        """Counts a password that is about to be looked at. Raises `Problem` 429."""
        pair = f"{account} {address}"
        counted = [(PAIR, pair), (ADDRESS, address)]
        if not await self._attempts.remembers(_key("familiar", pair)):
            counted.append((ACCOUNT, account))
        # One by one: what one limit refuses must not use up the next, which others share.
        for limit, who in counted:
            await self._count(limit, who)
        return Guess(self._attempts, counted, _key("familiar", pair))

    async def registration(self, address: str) -> None:
        """Counts a registration. Raises `Problem` 429."""
        await self._count(REGISTRATIONS, address)

    async def wrong_secret(self, client_id: str, address: str) -> None:
        """Counts a wrong secret. Raises `Problem` 429."""
        for limit, who in ((CLIENT_PAIR, f"{client_id} {address}"), (CLIENT_ADDRESS, address), (CLIENT, client_id)):
            await self._count(limit, who)

    async def _count(self, limit: Limit, who: str) -> None:
        if await self._attempts.count(_key(limit.name, who), limit.window_s) > limit.most:
            wait = limit.window_s - int(self._clock()) % limit.window_s
            raise Problem(429, "throttled", "Too many attempts; wait", headers={"Retry-After": str(wait)})


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that was counted."""

    attempts: AttemptStore
    counted: Sequence[Counted]
    familiar: str

    async def take_back(self) -> None:
        """It was none: nobody looked at it."""
        await asyncio.gather(
            *(self.attempts.take_back(_key(limit.name, who), limit.window_s) for limit, who in self.counted)
        )

    async def was_right(self) -> None:
        """The address is the owner's from now on."""
        await asyncio.gather(self.take_back(), self.attempts.remember(self.familiar, FAMILIAR_S))


def network(address: str | None) -> str:
    """Whom an address stands for: IPv4 by itself, IPv6 by its /64, of which anybody has a whole one."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((ip, 64), strict=False))


def _key(purpose: str, who: str) -> str:
    return hashlib.sha256(f"{purpose} {who}".encode()).hexdigest()
