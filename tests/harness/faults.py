"""The whole embedded product in this process, its stages behind transports that can be made to fail."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from assay.errors import StageFailed, StageUnavailable
from assay.schemas.base import Contract
from assay.stages import Stage
from local.champion import open_champion
from local.embedded import Embedded
from local.inline_stages import inline_stages
from local.places import Places
from local.tokens import SCOPES, mint
from tests.harness.service import EVENTS

SLOW_S = 5.0
MODELS = ("isolation_forest", "autoencoder", "xgboost_classifier")
FIELD = {"isolation_forest": "if_score", "autoencoder": "ae_error", "xgboost_classifier": "fraud_score"}
NUMBERS = count(1)

Fault = Callable[[Stage[Any, Any]], Awaitable[Any]]
"""What happens instead of the stage's answer."""


async def failing(stage: Stage[Any, Any]) -> Any:
    """It answers with an error."""
    raise StageFailed(stage.name, "HTTP 500")


async def unreachable(stage: Stage[Any, Any]) -> Any:
    """It is not there."""
    raise StageUnavailable(stage.name, "connection refused")


async def torn(stage: Stage[Any, Any]) -> Any:
    """Its connection breaks, and the transport says so in its own words."""
    raise ConnectionResetError(f"{stage.name}: connection reset by peer")


async def slow(stage: Stage[Any, Any]) -> Any:
    """It takes its time, then answers well."""
    await asyncio.sleep(SLOW_S)


def answering(body: Any) -> Fault:
    """It answers with something that is no answer."""

    async def answer(_: Stage[Any, Any]) -> Any:
        return body

    return answer


def parsing(value: str) -> Fault:
    """It answers with JSON that is refused where it is read, by pydantic and in its words."""

    async def answer(stage: Stage[Any, Any]) -> Any:
        document = f'{{"{FIELD.get(stage.name, "rules_flag")}": {value}}}'
        return stage.response_type.model_validate_json(document)

    return answer


NO_ANSWERS: dict[str, Fault] = {
    "None": answering(None),
    "{}": answering({}),
    "-1": answering(-1),
    '"0.5"': answering("0.5"),
    "NaN": answering(math.nan),
    "10 MB": answering(b"x" * 10_000_000),
    "another stage's request": answering(Contract()),
}
UNREADABLE: dict[str, Fault] = {f"JSON {value}": parsing(value) for value in ("NaN", "Infinity", "-2", '"0.5"', "{}")}
ERRORS: dict[str, Fault] = {"failing": failing, "unreachable": unreachable, "torn": torn}
FAULTS: dict[str, Fault] = {**ERRORS, **NO_ANSWERS, **UNREADABLE}


@dataclass(slots=True)
class Elsewhere:
    """A stage behind a transport. `fault` is what is wrong with it now."""

    handler: Callable[[Any], Contract]
    fault: Fault | None = None
    asked: int = 0
    cancelled: int = 0

    async def send(self, stage: Stage[Any, Any], request: Any) -> Any:
        """The stage's answer, or the fault's."""
        self.asked += 1
        if self.fault is not None and self.fault is not slow:
            return await self.fault(stage)
        try:
            await asyncio.sleep(0 if self.fault is None else SLOW_S)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.handler(request)


@dataclass(slots=True)
class Laboratory:
    """The product, a client of it, and its parts that are elsewhere."""

    embedded: Embedded
    client: httpx.AsyncClient
    parts: dict[str, Elsewhere] = field(default_factory=dict)

    def break_(self, fault: Fault | None, *names: str) -> None:
        """From now on these parts are so; the others are well."""
        for name, part in self.parts.items():
            part.fault = fault if name in names else None

    async def post(self, body: dict[str, Any]) -> httpx.Response:
        """`POST /score`."""
        return await self.client.post("/score", json=body)

    async def score(self, amount: float = 24.9, **changes: Any) -> dict[str, Any]:
        """The verdict on a new payment of a new account, otherwise like the genuine sample."""
        answer = await self.post(payment(amount=amount, **changes))
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def counted(self, account: str, expected: int) -> dict[str, Any]:
        """The features of the account's next payment, which is its nth."""
        await self.score(account_id=account)
        await self.embedded.relay.drain()
        statement = "SELECT body FROM scored_events ORDER BY rowid DESC LIMIT 1"
        body = self.embedded.ledger.reader.execute(statement).fetchone()[0]
        features: dict[str, Any] = json.loads(body)["features"]
        assert features["account_tx_count_30d"] == float(expected)
        return features

    def rows(self, table: str) -> int:
        """How many there are."""
        statement = f"SELECT count(*) FROM {table}"  # noqa: S608 - our own names
        return int(self.embedded.ledger.reader.execute(statement).fetchone()[0])


def payment(**changes: Any) -> dict[str, Any]:
    """The genuine sample with an id, an account, a device and an address of its own."""
    body, n = json.loads((EVENTS / "score_genuine.json").read_text()), next(NUMBERS)
    own = {"transaction_id": f"t-{n}", "account_id": f"a-{n}", "device_id": f"d-{n}", "ip_address": f"2001:db8::{n}"}
    return {**body, **own, **changes}


@asynccontextmanager
async def laboratory(data: Path, *elsewhere: str) -> AsyncIterator[Laboratory]:
    """The product over the folder, the named stages behind transports."""
    places = Places(data)
    stages = inline_stages(open_champion(places))
    parts = {name: Elsewhere(stages[name]) for name in elsewhere}
    embedded = Embedded(places, remote=dict(parts))
    headers = {"Authorization": f"Bearer {mint(places.keys, 'lab', SCOPES, 600)}"}
    transport = httpx.ASGITransport(embedded.app, raise_app_exceptions=False)
    await embedded.start()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://assay", headers=headers) as client:
            yield Laboratory(embedded, client, parts)
    finally:
        await embedded.close()


def run(data: Path, scenario: Callable[[Laboratory], Awaitable[None]], *elsewhere: str) -> None:
    """Runs the scenario in a laboratory."""

    async def main() -> None:
        async with laboratory(data, *elsewhere) as lab:
            await scenario(lab)

    asyncio.run(main())
