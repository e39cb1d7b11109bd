"""Challenges over a real file, with a clock to turn and a sender that keeps what it is given."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from assay.adapters.sqlite.challenges import SqliteChallengeStore, SqliteFactorStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.alerts.ports import Undelivered
from assay.challenges import totp
from assay.challenges.codes import Offer, binding
from assay.challenges.ports import ChallengeStore, CodeMessage, Contact, FactorStore
from assay.features.windows import SECOND
from assay.moments import EPOCH, MICROSECOND
from assay.policy import ChallengeLimits
from assay.ports import OutboxEvent
from assay.problems import Problem
from assay.sealing import InstallationKey
from functions.challenges.bootstrap import build
from functions.challenges.consumer import ChallengeOpener

START = 1_800_000_000 * SECOND
LIMITS = ChallengeLimits()
KEY = InstallationKey(bytes(32))


class KeepingSender:
    """Keeps the messages; refuses as many as it is told to, and reaches only whom it is told to."""

    def __init__(self) -> None:
        self.messages: list[CodeMessage] = []
        self.refuse = 0
        self.loses_answers = False
        self.wait_s = 0.0
        self.needs_contact = False
        self.before: Callable[[], Awaitable[None]] | None = None
        """Awaited within each send."""

    def channel(self, contact: Contact | None) -> str | None:
        return "kept" if contact is not None or not self.needs_contact else None

    async def send(self, message: CodeMessage, _: Contact | None) -> None:
        if self.before is not None:
            await self.before()
        if self.refuse:
            self.refuse -= 1
            raise Undelivered("refused", wait_s=self.wait_s)
        self.messages.append(message)
        if self.loses_answers:
            raise Undelivered("timed out")

    @property
    def code(self) -> str:
        """The newest."""
        return self.messages[-1].code


@dataclass
class Bench:
    """The function's parts over one place."""

    store: ChallengeStore
    factors: FactorStore
    announced: Callable[[], list[bytes]] = list
    """Events in the outbox, oldest first."""
    moment: int = START
    sender: KeepingSender = field(default_factory=KeepingSender)

    def __post_init__(self) -> None:
        parts = build(self.store, self.factors, self.sender, KEY, LIMITS, lambda: self.moment)
        self.challenges, self.contacts, self.apps = parts.challenges, parts.contacts, parts.apps
        self.opener = ChallengeOpener(self.challenges)

    def pass_time(self, seconds: float) -> None:
        """Turns the clock."""
        self.moment += int(seconds * SECOND)

    async def open(self, n: int = 1, account: str = "a-1", client: str = "shop") -> str:
        """A challenge of this moment; its id."""
        id_ = f"chl_{n}"
        await self.opener.handle([scored(n, self.moment, account, client)])
        return id_

    async def verify(self, challenge: str, code: str, client: str = "shop", **changes: Any) -> str:
        """What a try comes to: the status, or the code of the problem."""
        try:
            return (await self.challenges.verify(challenge, client, offer(code, **changes))).status.value
        except Problem as problem:
            return problem.code

    async def enrol(self) -> bytes:
        """An app of `a-1` that counts, a step after its first code; its secret."""
        secret = secret_of(await self.apps.enrol("shop", "a-1"))
        await self.apps.confirm("shop", "a-1", self.shown(secret, -totp.STEP_S))
        return secret

    def shown(self, secret: bytes, seconds: float = 0) -> str:
        """The app's code, so long from now."""
        return totp.code_at(secret, totp.step_of(self.moment + int(seconds * SECOND)))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Those in the outbox, oldest first."""
        return [event for event in map(json.loads, self.announced()) if event["event"] == kind]

    def decisions(self) -> list[tuple[str, str, str]]:
        """The final ones: challenge, decision, reason."""
        found = [event["data"] for event in self.events("decision.final")]
        return [(data["challenge_id"], data["decision"], data["reason"]) for data in found]


def other(code: str) -> str:
    """A code that it is not."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def secret_of(uri: str) -> bytes:
    """What an authenticator app reads out of it."""
    return base64.b32decode(parse_qs(urlsplit(uri).query)["secret"][0])


def offer(code: str, **changes: Any) -> Offer:
    """Of the transaction in `scored`, unless something is changed."""
    facts = {"account_id": "a-1", "amount": Decimal("25.50"), "currency": "EUR", "counterparty_id": "m-1", **changes}
    return Offer(code, binding(**facts))


def scored(n: int, now: int, account: str = "a-1", client: str = "shop", *, asks: bool = True) -> OutboxEvent:
    """The event of a transaction whose verdict asks for the challenge `chl_<n>`."""
    expires_at = EPOCH + now * MICROSECOND + timedelta(seconds=LIMITS.ttl_s)
    challenge = {"id": f"chl_{n}", "expires_at": expires_at.isoformat()} if asks else None
    body = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": client,
        "features": {},
        "transaction": {
            "transaction_id": f"t-{n}",
            "account_id": account,
            "amount": 25.5,
            "currency": "EUR",
            "counterparty_id": "m-1",
        },
        "verdict": {"transaction_id": f"t-{n}", "challenge": challenge, "decision": "CHALLENGE"},
    }
    return OutboxEvent(n, json.dumps(body).encode())


def run(folder: Path, scenario: Callable[[Bench], Awaitable[None]], moment: int = START) -> None:
    """The scenario over the folder's file."""

    async def main() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ledger = SqliteLedger(folder / "assay.db")
        query = "SELECT body FROM outbox ORDER BY sequence"
        try:
            stores = SqliteChallengeStore(ledger), SqliteFactorStore(ledger)
            await scenario(Bench(*stores, lambda: [row[0] for row in ledger.reader.execute(query)], moment))
        finally:
            await ledger.close()

    asyncio.run(main())
