"""What challenges take from `transaction.scored`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.challenges.codes import binding
from assay.moments import microseconds
from assay.schemas.base import Token
from assay.schemas.fields import Amount, Timestamp
from assay.schemas.scored import View, read_as

_NOT_ASKED = (b'"decision":"APPROVE"', b'"decision":"DECLINE"')
"""Where it stands in an event's JSON it is the verdict's: no other part has such a key."""


class ChallengeOf(View):
    """`ChallengeRef`."""

    id: Token
    expires_at: Timestamp


class VerdictOf(View):
    """Of the verdict."""

    transaction_id: Token
    challenge: ChallengeOf | None = None


class TransactionOf(View):
    """What a code is bound to. A flat request has no account, and no challenge."""

    account_id: Token | None = None
    amount: Amount
    currency: str
    counterparty_id: Token | None = None


class ScoredForChallenge(View):
    """Of the event."""

    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: Token
    transaction: TransactionOf
    verdict: VerdictOf


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge that a verdict has asked for."""

    challenge_id: str
    client_id: str
    transaction_id: str
    account_id: str
    binding: str
    expires_at: int
    """In microseconds since the epoch."""


def read_asked(body: bytes) -> Asked | None:
    """The challenge that the event's verdict asks for, if any. Raises `PoisonEvent`, which says nothing of values."""
    if any(decision in body for decision in _NOT_ASKED):
        return None  # nearly all events: they are not even parsed
    event = read_as(ScoredForChallenge, body)
    challenge, transaction = event.verdict.challenge, event.transaction
    if challenge is None or transaction.account_id is None:
        return None
    bound_to = binding(transaction.account_id, transaction.amount, transaction.currency, transaction.counterparty_id)
    return Asked(
        challenge_id=challenge.id,
        client_id=event.client_id,
        transaction_id=event.verdict.transaction_id,
        account_id=transaction.account_id,
        binding=bound_to,
        expires_at=microseconds(challenge.expires_at),
    )
