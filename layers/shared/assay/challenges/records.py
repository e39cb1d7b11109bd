"""What is kept of step-up challenges, and how they change. Times in microseconds since the epoch.

A challenge is pending, and then passed, failed or expired for good. Each function gives the record as it is afterwards,
of the next version: stores write it only over the version before (version 1: where there is none).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from assay.schemas.event import Event
from assay.schemas.stages import Decision


class ChallengeStatus(StrEnum):
    """Of a challenge. All but the first are final."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"


class Method(StrEnum):
    """How the customer proves to be there."""

    CODE = "code"
    """By a code that was sent."""
    TOTP = "totp"
    """By an authenticator app (RFC 6238)."""


class Delivery(StrEnum):
    """What became of the newest code."""

    WAITING = "waiting"
    """To be sent, or on its way."""
    SENT = "sent"
    UNDELIVERED = "undelivered"
    """It was not taken; a resend tries again."""
    UNDELIVERABLE = "undeliverable"
    """No contact is known that codes can be sent to."""
    LIMITED = "limited"
    """None was sent: the account was sent too many lately."""
    NOT_NEEDED = "not_needed"
    """There is none: the customer has an authenticator app."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A step-up of one transaction, asked of whoever may use its account."""

    id: str
    client_id: str
    """Whose transaction it is; nobody else may answer."""
    transaction_id: str
    account_id: str
    binding: str
    """What a code is good for, and for nothing else (`codes.binding`)."""
    method: Method
    created_at: int
    expires_at: int
    """From then on it cannot be passed."""
    status: ChallengeStatus = ChallengeStatus.PENDING
    delivery: Delivery = Delivery.WAITING
    salt: bytes = b""
    digest: bytes | None = None
    """Of the newest code (`codes.digest`); None: there is none that would be right."""
    claimed_until: int = 0
    """Until then the code is somebody's to send; afterwards, if it still waits, anybody's."""
    sent_at: int | None = None
    tries: int = 0
    """So far, right or wrong."""
    version: int = 0
    """One more with every change; 0: not kept yet."""


@dataclass(frozen=True, slots=True)
class Sends:
    """When an account was sent codes lately, over all its challenges."""

    client_id: str
    account_id: str
    times: tuple[int, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An account's authenticator app."""

    id: str
    client_id: str
    account_id: str
    sealed: bytes
    """Its secret, encrypted."""
    last_step: int = -1
    """The newest time step whose code was taken: neither it nor one before is taken again."""
    misses: tuple[int, ...] = ()
    """When codes were wrong lately, over all of the account's challenges."""
    version: int = 1
    is_confirmed: bool = False
    """By a first code. Until then the account's challenges do not ask for the app."""


OUTCOMES = {
    ChallengeStatus.PASSED: (Decision.APPROVE, "step_up_passed"),
    ChallengeStatus.FAILED: (Decision.DECLINE, "step_up_failed"),
    ChallengeStatus.EXPIRED: (Decision.DECLINE, "step_up_expired"),
}
"""The final decision on the transaction, and why."""


def begun(challenge: Challenge) -> Challenge:
    """One that needs no code."""
    return replace(challenge, delivery=Delivery.NOT_NEEDED, version=challenge.version + 1)


def issued(challenge: Challenge, salt: bytes, digest: bytes, claimed_until: int) -> Challenge:
    """With a new code, which is about to be sent; the one before is void."""
    return replace(
        challenge,
        salt=salt,
        digest=digest,
        delivery=Delivery.WAITING,
        claimed_until=claimed_until,
        version=challenge.version + 1,
    )


def handed_over(challenge: Challenge, delivery: Delivery, now: int) -> Challenge:
    """After the newest code was sent, or was not."""
    sent_at = now if delivery is Delivery.SENT else challenge.sent_at
    return replace(challenge, delivery=delivery, sent_at=sent_at, version=challenge.version + 1)


def tried(challenge: Challenge, *, right: bool, most: int) -> Challenge:
    """After one more try; the last of `most` that is not right fails the challenge."""
    tries = challenge.tries + 1
    after = replace(challenge, tries=tries, version=challenge.version + 1)
    if right:
        return _final(after, ChallengeStatus.PASSED)
    return _final(after, ChallengeStatus.FAILED) if tries >= most else after


def expired(challenge: Challenge) -> Challenge:
    """After its time."""
    return _final(replace(challenge, version=challenge.version + 1), ChallengeStatus.EXPIRED)


def is_overdue(challenge: Challenge, now: int) -> bool:
    """Whether it has to expire."""
    return challenge.status is ChallengeStatus.PENDING and now >= challenge.expires_at


def recent(times: tuple[int, ...], now: int, window: int) -> tuple[int, ...]:
    """Those of the window that ends now."""
    return tuple(time for time in times if time > now - window)


def outcome(challenge: Challenge) -> list[Event]:
    """The events about a challenge that has come to its end: how, and the final decision."""
    decision, reason = OUTCOMES[challenge.status]
    about = {"transaction_id": challenge.transaction_id, "challenge_id": challenge.id}
    how = Event.now(f"challenge.{challenge.status}", challenge.client_id, **about, tries=challenge.tries)
    final = Event.now("decision.final", challenge.client_id, **about, decision=decision.value, reason=reason)
    return [how, final]


def _final(challenge: Challenge, status: ChallengeStatus) -> Challenge:
    return replace(challenge, status=status, digest=None)
