"""Customers' authenticator apps: an account's, as one client knows it.

An app counts once a first code has shown that it works: else whoever scanned the secret wrongly, or never, could not
pass a challenge any more.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace

from assay import moments
from assay.challenges import totp
from assay.challenges.codes import Offer, digest, position
from assay.challenges.ports import FactorStore
from assay.challenges.records import Enrolment, recent
from assay.features.windows import HOUR, SECOND
from assay.problems import Problem, unavailable
from assay.schemas.event import Event
from assay.sealing import InstallationKey, SealError
from functions.challenges.conflicts import ATTEMPTS, busy

log = logging.getLogger(__name__)
ISSUER = "Assay"
MISSES, MISSES_WINDOW = 10, HOUR
"""Wrong codes of an app that an account may have, over all its challenges: nothing has to be sent before each guess,
as with codes."""
NOTHING = ""
"""What a first code is bound to."""


class Apps:
    """All of it raises `Problem` and `StorageError`."""

    def __init__(
        self, store: FactorStore, key: InstallationKey, now: Callable[[], int] = moments.now, issuer: str = ISSUER
    ) -> None:
        """`issuer`: what authenticator apps show above the account."""
        self._store = store
        self._key = key
        self._now = now
        self._issuer = issuer

    async def enrol(self, client_id: str, account_id: str) -> str:
        """The URI of a new secret, to be confirmed. 409 when the account has an app that was."""
        secret = totp.new_secret()
        sealed = self._key.seal(secret, "totp", client_id, account_id)
        enrolment = Enrolment(f"tot_{secrets.token_hex(12)}", client_id, account_id, sealed)
        if not await self._store.enrol(enrolment, Event.now("totp.enrolled", client_id, account_id=account_id)):
            raise _enrolled()
        return totp.uri(secret, self._issuer, account_id)

    async def confirm(self, client_id: str, account_id: str, code: str) -> None:
        """From now on the account's challenges are answered by the app.

        404: there is none; 409: it was confirmed before; 422: the code is wrong; 429: too many were.
        """
        for _ in range(ATTEMPTS):
            enrolment = await self._store.enrolment(client_id, account_id)
            if enrolment is None:
                raise _not_enrolled()
            if enrolment.is_confirmed:
                raise _enrolled()
            right, after = self.tried(enrolment, Offer(code, NOTHING), NOTHING)
            events = [Event.now("totp.confirmed", client_id, account_id=account_id)] if right else []
            if not await self._store.change_enrolment(replace(after, is_confirmed=right), events):
                continue
            if right:
                return
            raise Problem(422, "wrong_code", "The code is not one that the app shows now")
        raise busy()

    async def remove(self, client_id: str, account_id: str) -> None:
        """404 when there is none."""
        event = Event.now("totp.removed", client_id, account_id=account_id)
        if not await self._store.remove_enrolment(client_id, account_id, event):
            raise _not_enrolled()

    async def find(self, client_id: str, account_id: str) -> Enrolment | None:
        """The account's app, if it is confirmed."""
        enrolment = await self._store.enrolment(client_id, account_id)
        return enrolment if enrolment is not None and enrolment.is_confirmed else None

    def tried(self, enrolment: Enrolment, offer: Offer, bound_to: str) -> tuple[bool, Enrolment]:
        """Whether it is a code of the app for this, and the app after the try. 429; 503: its secret cannot be read."""
        now = self._now()
        misses = recent(enrolment.misses, now, MISSES_WINDOW)
        if len(misses) >= MISSES:
            wait_s = max(1, -(-(misses[0] + MISSES_WINDOW - now) // SECOND))
            detail = "Too many wrong codes of the account's authenticator app; wait"
            raise Problem(429, "throttled", detail, headers={"Retry-After": str(wait_s)})
        step = self._step(enrolment, offer, bound_to, now)
        version = enrolment.version + 1
        if step is None:
            return False, replace(enrolment, misses=(*misses, now), version=version)
        return True, replace(enrolment, last_step=step, misses=misses, version=version)

    def _step(self, enrolment: Enrolment, offer: Offer, bound_to: str, now: int) -> int | None:
        """The time step whose code it is, if it was not taken before; compared as codes that were sent are."""
        secret, steps = self._secret(enrolment), totp.steps_at(now)
        expected = [digest(self._key.codes, b"", bound_to, totp.code_at(secret, step)) for step in steps]
        found = position(digest(self._key.codes, b"", offer.binding, offer.code), expected)
        return None if found is None or steps[found] <= enrolment.last_step else steps[found]

    def _secret(self, enrolment: Enrolment) -> bytes:
        try:
            return self._key.open(enrolment.sealed, "totp", enrolment.client_id, enrolment.account_id)
        except SealError as error:
            log.error("an authenticator app of %s: %s", enrolment.client_id, error)
            raise unavailable("installation_key", "The authenticator app's secret cannot be opened") from None


def _enrolled() -> Problem:
    return Problem(409, "enrolled", "The account has an authenticator app; remove it first")


def _not_enrolled() -> Problem:
    return Problem(404, "not_enrolled", "The account has no authenticator app")
