"""Step-up challenges: opened by a verdict, answered by its client, ended by an answer or by time.

A try is worked out on the challenge as it was read, and is kept only if nobody has changed it meanwhile: one write
counts the try and settles what it led to. Nothing of the comparison is told before that write, so of however many tries
at once, as many are answered as are allowed, and at most one of them passes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from assay import moments
from assay.challenges.codes import Offer, digest, position
from assay.challenges.ports import ChallengeStore
from assay.challenges.records import (
    Challenge,
    ChallengeStatus,
    Enrolment,
    Method,
    begun,
    expired,
    is_overdue,
    outcome,
    tried,
)
from assay.challenges.scored import Asked
from assay.policy import ChallengeLimits, Policy
from assay.problems import Problem
from assay.schemas.base import is_token
from assay.sealing import InstallationKey
from functions.challenges.apps import Apps
from functions.challenges.conflicts import ATTEMPTS, busy
from functions.challenges.sending import Sending

BATCH = 200
AT_ONCE = 16
"""Codes that are on their way together."""
NOBODYS = secrets.token_bytes(32)
"""Compared with where there is no code: it takes as long, and nothing is equal to it."""
ENDED = {
    ChallengeStatus.PASSED: ("already_used", "The challenge was passed; it cannot be used again"),
    ChallengeStatus.FAILED: ("failed", "The challenge has failed: there were too many wrong codes"),
    ChallengeStatus.EXPIRED: ("expired", "The challenge has expired"),
}
"""The problem for who comes later."""
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Challenges:
    """Challenges from their beginning to their end. All of it raises `Problem` and `StorageError`."""

    def __init__(
        self,
        store: ChallengeStore,
        apps: Apps,
        sending: Sending,
        key: InstallationKey,
        limits: ChallengeLimits,
        now: Callable[[], int] = moments.now,
    ) -> None:
        self._store = store
        self._apps = apps
        self._sending = sending
        self._key = key
        self._now = now
        self.limits = limits

    def decide_by(self, policy: Policy) -> None:
        """Of another release, from now on. From any thread."""
        self.limits = self._sending.limits = policy.challenge

    async def open(self, asked: Asked) -> None:
        """Begins the challenge and sends its code, if it is not known already. Too late, it begins as expired."""
        if await self._store.get(asked.challenge_id) is not None:
            return
        now = self._now()
        app = await self._apps.find(asked.client_id, asked.account_id)
        challenge = Challenge(
            id=asked.challenge_id,
            client_id=asked.client_id,
            transaction_id=asked.transaction_id,
            account_id=asked.account_id,
            binding=asked.binding,
            method=Method.CODE if app is None else Method.TOTP,
            created_at=now,
            expires_at=asked.expires_at,
        )
        if is_overdue(challenge, now):
            await self._expire(challenge)
        elif challenge.method is Method.TOTP:
            await self._store.save(begun(challenge))
        else:
            await self._sending.first(challenge)

    async def find(self, challenge_id: str, client_id: str | None) -> Challenge:
        """The challenge as it is now; None: of any client. 404."""
        for _ in range(ATTEMPTS):
            challenge = await self._store.get(challenge_id) if is_token(challenge_id) else None
            if challenge is None or client_id not in {None, challenge.client_id}:
                raise Problem(404, "unknown_challenge", "No challenge of this client has this id")
            if not is_overdue(challenge, self._now()):
                return challenge
            await self._expire(challenge)
        raise busy()

    async def verify(self, challenge_id: str, client_id: str, offer: Offer) -> Challenge:
        """One try; the challenge that it has passed or failed.

        404; 409: it has ended before; 422: wrong, with `tries_left`; 429: too many wrong codes of the account's app.
        """
        for _ in range(ATTEMPTS):
            challenge = await self._pending(challenge_id, client_id)
            after, enrolment = await self._tried(challenge, offer)
            events = [] if after.status is ChallengeStatus.PENDING else outcome(after)
            if not await self._store.save(after, enrolment=enrolment, events=events):
                continue
            if after.status is ChallengeStatus.PENDING:
                raise self._wrong(after)
            return after
        raise busy()

    async def resend(self, challenge_id: str, client_id: str) -> Challenge:
        """The challenge with another code, which was sent. 404; 409; 429; 503: it could not be sent."""
        challenge = await self._pending(challenge_id, client_id)
        if challenge.method is Method.TOTP:
            raise Problem(409, "nothing_to_send", "The code is shown by the customer's authenticator app")
        await self._sending.again(challenge)
        return await self._pending(challenge_id, client_id)

    async def sweep(self, may_go_on: Callable[[], bool] = lambda: True) -> int:
        """Expires what is overdue, and sends what was to be sent by a process that is gone; how many it were.

        What there is no time for waits for the next run.
        """
        swept = 0
        while may_go_on() and (overdue := await self._store.overdue(self._now(), BATCH)):
            swept += len(await each(overdue, self._expire))
        while may_go_on() and (stalled := await self._store.stalled(self._now(), AT_ONCE)):
            swept += len(await each(stalled, self._sending.first))
        return swept

    async def _pending(self, challenge_id: str, client_id: str) -> Challenge:
        challenge = await self.find(challenge_id, client_id)
        if challenge.status is not ChallengeStatus.PENDING:
            raise Problem(409, *ENDED[challenge.status])
        return challenge

    async def _expire(self, challenge: Challenge) -> bool:
        """False when somebody else has changed it."""
        after = expired(challenge)
        return await self._store.save(after, events=outcome(after))

    async def _tried(self, challenge: Challenge, offer: Offer) -> tuple[Challenge, Enrolment | None]:
        """The challenge after the try, and the account's app if it is one of it."""
        if challenge.method is Method.TOTP:
            return await self._tried_totp(challenge, offer)
        offered = digest(self._key.codes, challenge.salt, offer.binding, offer.code)
        right = position(offered, [challenge.digest or NOBODYS]) is not None
        return tried(challenge, right=right, most=self.limits.tries), None

    async def _tried_totp(self, challenge: Challenge, offer: Offer) -> tuple[Challenge, Enrolment | None]:
        app = await self._apps.find(challenge.client_id, challenge.account_id)
        if app is None:  # removed meanwhile
            return tried(challenge, right=False, most=self.limits.tries), None
        right, used = self._apps.tried(app, offer, challenge.binding)
        return tried(challenge, right=right, most=self.limits.tries), used

    def _wrong(self, challenge: Challenge) -> Problem:
        left = self.limits.tries - challenge.tries
        detail = "The code is wrong, or not for this account, amount, currency and counterparty"
        return Problem(422, "wrong_code", detail, extensions={"tries_left": left})


async def each(items: Sequence[Item], work: Callable[[Item], Awaitable[Answer]]) -> list[Answer]:
    """A few at once; all have ended when this returns, or raises what the first of them raised."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Item) -> Answer:
        async with places:
            return await work(item)

    ends = await asyncio.gather(*map(one, items), return_exceptions=True)
    answers: list[Answer] = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        answers.append(end)
    return answers
