"""Events that alert somebody, and people to be alerted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from assay.alerts.config import AlertsConfig, load_config
from assay.alerts.ports import Undelivered
from assay.ports import OutboxEvent

MINUTE = 60_000_000
START = 1_772_359_200_000_000
"""2026-03-01T10:00:00Z, in microseconds."""


def config(text: str) -> AlertsConfig:
    return load_config(text.encode())


def scored(n: int | str, **changes: Any) -> bytes:
    """A `transaction.scored` event as the pipeline writes it: declined, unless `changes` to the verdict say else.

    `transaction`, `client_id`, `amount_base`: changes elsewhere.
    """
    transaction = {"amount": 1234.5, "currency": "EUR", "account_id": "account-1", "counterparty_id": "merchant-77"}
    event = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": changes.pop("client_id", "shop"),
        "occurred_at": "2026-03-01T09:59:58Z",
        "features": {"amount": 1234.5, "channel": "web"},
        "amount_base": changes.pop("amount_base", 1234.5),
        "stand_in_usage": {"count": 0, "amount": 0.0},
        "transaction": {**transaction, "channel": "web", "auth_method": "otp", **changes.pop("transaction", {})},
        "verdict": {
            "transaction_id": f"t-{n}" if isinstance(n, int) else n,
            "decision": "DECLINE",
            "confidence": "HIGH",
            "fraud_score": 0.97,
            "triggered_rules": ["impossible_travel"],
            "triggered_by": "fraud_score",
            "reasons": [
                {"code": "rule:impossible_travel", "weight": 2.0, "analyst_text": "4,000 km/h", "customer_text": "No."}
            ],
            "degraded": [],
            "release": {"version": "2026.11.1", "hash": "00"},
            "decided_at": "2026-03-01T09:59:59Z",
            **changes,
        },
    }
    return json.dumps(event, separators=(",", ":")).encode()


def happened(kind: str, n: int = 1, **data: Any) -> bytes:
    """An event of another kind."""
    head = {"event": kind, "version": 1, "id": f"evt_{n}", "client_id": "system", "occurred_at": "2026-03-01T10:00:00Z"}
    return json.dumps({**head, "data": data}).encode()


def events(*bodies: bytes) -> list[OutboxEvent]:
    return [OutboxEvent(n, body) for n, body in enumerate(bodies, 1)]


class Clock:
    """Stands still until it is told."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_by(self, microseconds: int) -> None:
        self.now += microseconds


class Postbox:
    """A mailer that keeps what it is given, once it has failed as often as it was told."""

    def __init__(self, *failures: Undelivered | Mapping[str, Undelivered] | BaseException) -> None:
        self.failures = list(failures)
        self.mails: list[EmailMessage] = []

    async def send(self, mail: EmailMessage, recipients: Sequence[str]) -> Mapping[str, Undelivered]:
        failure = self.failures.pop(0) if self.failures else {}
        if isinstance(failure, BaseException):
            raise failure
        if set(failure) < set(recipients):
            self.mails.append(mail)
        return failure


def eml(folder: Path) -> list[bytes]:
    """The mails in a mailbox folder."""
    return [path.read_bytes() for path in sorted(folder.glob("*.eml"))]
