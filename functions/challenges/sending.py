"""Makes codes and has them brought to customers: counted before they are sent, noted afterwards.

A crash in between loses the note, not the count: the code is made and sent anew once its claim has run out. So a
customer may get two codes, of which the newer is good, but never more than the limit allows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from math import ceil

from assay import moments
from assay.alerts.ports import Undelivered
from assay.challenges.codes import digest, new_code, new_salt, told
from assay.challenges.ports import ChallengeStore, CodeMessage, OtpSender
from assay.challenges.records import Challenge, ChallengeStatus, Delivery, Sends, handed_over, issued, recent
from assay.features.windows import MINUTE, SECOND
from assay.policy import ChallengeLimits
from assay.problems import Problem, unavailable
from assay.schemas.event import Event
from assay.sealing import InstallationKey
from functions.challenges.conflicts import ATTEMPTS, busy
from functions.challenges.contacts import Contacts

log = logging.getLogger(__name__)
CLAIM_S = 15
"""Longer than an attempt to send takes: 10 s."""


class LimitReached(Exception):  # noqa: N818 - named for what happened
    """The account was sent too many codes lately."""

    def __init__(self, free_at: int) -> None:
        """`free_at`: the moment from which it may be sent the next one."""
        super().__init__()
        self.free_at = free_at


class Sending:
    """Sends codes. All of it raises `StorageError`."""

    def __init__(
        self,
        store: ChallengeStore,
        contacts: Contacts,
        sender: OtpSender,
        key: InstallationKey,
        limits: ChallengeLimits,
        now: Callable[[], int] = moments.now,
    ) -> None:
        self._store = store
        self._contacts = contacts
        self._sender = sender
        self._key = key
        self.limits = limits
        self._now = now

    async def first(self, challenge: Challenge) -> None:
        """Sends the code of a challenge that waits for one, or that begins; unless somebody else has taken that on."""
        waiting = (Delivery.WAITING, challenge.claimed_until)
        try:
            await self._send(challenge, lambda found: (found.delivery, found.claimed_until) == waiting)
        except LimitReached:
            await self._note(challenge, Delivery.LIMITED)
        except Undelivered:
            return  # that is noted: who waits for the code asks for another

    async def again(self, challenge: Challenge) -> None:
        """Sends a new code; the one before is void. Raises `Problem`: 409 no contact, 429 too many, 503 not taken."""
        try:
            delivery = await self._send(challenge, lambda _: True)
        except LimitReached as limit:
            wait_s = max(1, -(-(limit.free_at - self._now()) // SECOND))
            detail = f"The account was sent {self.limits.sends} codes; wait"
            raise Problem(429, "too_many_sends", detail, headers={"Retry-After": str(wait_s)}) from None
        except Undelivered as error:
            detail = "The code could not be sent; it counts as one sent"
            raise unavailable("undelivered", detail, max(1, ceil(error.wait_s))) from None
        if delivery is Delivery.UNDELIVERABLE:
            raise Problem(409, "undeliverable", "No contact of the account is known that codes can be sent to")

    async def _send(self, challenge: Challenge, is_mine: Callable[[Challenge], bool]) -> Delivery | None:
        """What became of it; None: nothing is to be sent any more. Raises `LimitReached` and, noted, `Undelivered`."""
        contact = await self._contacts.find(challenge.client_id, challenge.account_id)
        channel = self._sender.channel(contact)
        if channel is None:
            await self._note(challenge, Delivery.UNDELIVERABLE)
            return Delivery.UNDELIVERABLE
        code = new_code()
        ready = await self._issue(challenge, code, is_mine)
        if ready is None:
            return None
        minutes = max(1, -(-(ready.expires_at - self._now()) // MINUTE))
        try:
            await self._sender.send(CodeMessage(ready.account_id, told(ready.binding), code, minutes), contact)
        except Undelivered as error:
            log.warning("the code of %s: %s", ready.id, error)
            await self._note(ready, Delivery.UNDELIVERED)
            raise
        await self._note(ready, Delivery.SENT, channel)
        return Delivery.SENT

    async def _issue(self, wanted: Challenge, code: str, is_mine: Callable[[Challenge], bool]) -> Challenge | None:
        """The challenge with the code, counted as sent."""
        for _ in range(ATTEMPTS):
            challenge = await self._store.get(wanted.id) or wanted
            if challenge.status is not ChallengeStatus.PENDING or not is_mine(challenge):
                return None
            now, salt = self._now(), new_salt()
            sends = self._counted(await self._store.sends(challenge.client_id, challenge.account_id), now)
            hashed = digest(self._key.codes, salt, challenge.binding, code)
            ready = issued(challenge, salt, hashed, now + CLAIM_S * SECOND)
            if await self._store.save(ready, sends=sends):
                return ready
        raise busy()

    def _counted(self, sends: Sends, now: int) -> Sends:
        """With one more. Raises `LimitReached`."""
        window = self.limits.sends_window_s * SECOND
        times = recent(sends.times, now, window)
        if len(times) >= self.limits.sends:
            raise LimitReached(times[-self.limits.sends] + window)
        return replace(sends, times=(*times, now), version=sends.version + 1)

    async def _note(self, sent: Challenge, delivery: Delivery, channel: str = "") -> None:
        """Keeps what became of the code, unless there is a newer one."""
        for _ in range(ATTEMPTS):
            challenge = await self._store.get(sent.id) or sent
            if challenge.salt != sent.salt or challenge.delivery is delivery:
                return
            noted = handed_over(challenge, delivery, self._now())
            if await self._store.save(noted, events=[_event(noted, channel)]):
                return


def _event(challenge: Challenge, channel: str) -> Event:
    about = {"transaction_id": challenge.transaction_id, "challenge_id": challenge.id}
    if challenge.delivery is Delivery.SENT:
        return Event.now("challenge.sent", challenge.client_id, **about, channel=channel)
    return Event.now("challenge.not_sent", challenge.client_id, **about, reason=challenge.delivery.value)
