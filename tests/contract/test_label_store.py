"""What every store of labels does: takes them, counts them, lists them, and announces each in the same commit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.labels import DynamoLabelStore
from assay.adapters.aws.labels_effects import DynamoEffectStore
from assay.adapters.aws.labels_step_ups import DynamoStepUpStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.table import Table
from assay.adapters.sqlite.labels import SqliteLabelStore
from assay.adapters.sqlite.labels_effects import SqliteEffectStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.step_ups import SqliteStepUpStore
from assay.features.windows import DAY, HOUR
from assay.labels.ports import Effect, EffectStore, LabelStore, Position, Standing, Standings, TokenKind
from assay.labels.records import Label, Labelling, Outcome, Subject
from assay.labels.step_ups import StepUp, StepUpOutcome, StepUpStore
from tests.contract.installations import PATIENT_S, AwsInstallation
from tests.harness.labels import START, sent, subject

FRAUD, FALSE, HONEST, UNSURE = Label


class Effects(EffectStore, Standings, Protocol):
    """Both sides of it."""


@dataclass
class Kept:
    """The stores, and what they have announced."""

    store: LabelStore
    effects: Effects
    step_ups: StepUpStore
    events: Callable[[], Awaitable[list[dict[str, object]]]]


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[Kept]:
    ledger = SqliteLedger(folder / "assay.db")

    async def events() -> list[dict[str, object]]:
        rows = ledger.reader.execute("SELECT body FROM outbox WHERE kind = 'label.recorded' ORDER BY sequence")
        return [json.loads(body) for (body,) in rows.fetchall()]

    effects = SqliteEffectStore(ledger, lambda: NOW[0])
    yield Kept(SqliteLabelStore(ledger), effects, SqliteStepUpStore(ledger), events)
    await ledger.close()


@asynccontextmanager
async def in_dynamodb(installation: AwsInstallation) -> AsyncIterator[Kept]:
    async def events() -> list[dict[str, object]]:
        found = [json.loads(body) for body in await installation.announced()]
        assert len({event["id"] for event in found}) == len(found)
        return [event for event in found if event["event"] == "label.recorded"]

    clients = Clients()
    try:
        dynamodb, sns = [await clients.open(service, patient(PATIENT_S)) for service in ("dynamodb", "sns")]
        outbox = DynamoOutbox(dynamodb, installation.tables["Outbox"], SnsEvents(sns, installation.topic))
        table = Table(dynamodb, installation.tables["Labels"], outbox, "labels")
        labels = DynamoLabelStore(table, lambda: START + 45 * DAY)
        yield Kept(labels, DynamoEffectStore(table, lambda: NOW[0]), DynamoStepUpStore(table), events)
    finally:
        await clients.close()


NOW = [START]
Use = Callable[[Kept], Awaitable[None]]


@pytest.fixture(params=["sqlite", "aws"])
def use(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Use], None]:
    """Runs a scenario with the stores."""
    aws = request.getfixturevalue("aws") if request.param == "aws" else None
    NOW[0] = START

    def run(scenario: Use) -> None:
        async def main() -> None:
            async with in_sqlite(tmp_path) if aws is None else in_dynamodb(aws) as kept:
                await scenario(kept)

        asyncio.run(asyncio.wait_for(main(), 120))

    return run


def about(name: str, **facts: object) -> Subject:
    return subject(name, **facts)


def names(found: list[Labelling]) -> list[str]:
    return [one.subject.transaction_id for one in found]


def test_a_label_is_kept_and_announced_once(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        assert await kept.store.get("shop", "t") is None
        (taken,) = await kept.store.take([sent(FRAUD)])
        (again,) = await kept.store.take([sent(FRAUD, at=START + HOUR)])
        assert (taken.outcome, again.outcome) == (Outcome.RECORDED, Outcome.UNCHANGED)
        found = await kept.store.get("shop", "t")
        assert found == taken.labelling == again.labelling
        assert (found.subject, found.version) == (subject(), 1)
        assert await kept.store.get("bank", "t") is None
        (event,) = await kept.events()
        assert (event["client_id"], event["data"]["transaction_id"]) == ("ana", "t")  # type: ignore[index]

    use(scenario)


def test_a_batch_takes_its_opinions_in_order_and_counts_them(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        batch = [sent(FRAUD, about=about(name)) for name in ("a", "b", "c", "a", "d")]
        batch.append(sent(HONEST, about=about("a"), at=START + 1))
        outcomes = [taken.outcome for taken in await kept.store.take(batch)]
        recorded, pending = Outcome.RECORDED, Outcome.PENDING
        assert outcomes == [recorded, recorded, pending, Outcome.UNCHANGED, pending, pending]
        tomorrow = sent(FRAUD, at=START + DAY, about=about("e"))
        somebody = sent(FRAUD, by="ben", about=about("f"))
        assert [taken.outcome for taken in await kept.store.take([tomorrow, somebody])] == [recorded, recorded]
        assert len(await kept.events()) == 7

    use(scenario)


def test_many_at_once_do_not_pass_the_allowance(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        each = [kept.store.take([sent(FRAUD, about=about(f"t{n}"), allowance=5)]) for n in range(20)]
        outcomes = [taken.outcome for (taken,) in await asyncio.gather(*each)]
        assert (outcomes.count(Outcome.RECORDED), outcomes.count(Outcome.PENDING)) == (5, 15)

    use(scenario)


def test_what_waits_is_listed_until_another_person_says_the_same(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        for n, client in enumerate(["shop", "shop", "bank"]):
            one = sent(FRAUD, at=START + n, allowance=0, about=subject(f"t{n}", client))
            assert (await kept.store.take([one]))[0].outcome is Outcome.PENDING
        store = kept.store
        assert names(await store.waiting(None, 10, None)) == ["t0", "t1", "t2"]
        assert names(await store.waiting(None, 10, "bank")) == ["t2"]
        assert names(await store.waiting(Position(START, "shop", "t0"), 1, None)) == ["t1"]
        assert await store.in_effect(START, None, 10) == []
        (confirmed,) = await store.take([sent(FRAUD, "ben", START + HOUR, about=about("t1"), allowance=0)])
        assert confirmed.outcome is Outcome.CONFIRMED
        assert names(await store.waiting(None, 10, None)) == ["t0", "t2"]
        assert names(await store.in_effect(START, None, 10)) == ["t1"]

    use(scenario)


def test_what_is_in_effect_is_listed_by_the_decision(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        days = {"c": 40, "a": 1, "b": 2, "d": 2}
        for name, day in days.items():
            one = sent(FRAUD, about=about(name, decided_at=START + day * DAY), allowance=9)
            await kept.store.take([one])
        store = kept.store
        assert names(await store.in_effect(START, None, 10)) == ["a", "b", "d", "c"]
        assert names(await store.in_effect(START + 2 * DAY, None, 10)) == ["b", "d", "c"]
        page = await store.in_effect(START, None, 2)
        assert names(page) == ["a", "b"]
        last = page[-1].subject
        rest = await store.in_effect(START, Position(last.decided_at, last.client_id, last.transaction_id), 9)
        assert names(rest) == ["d", "c"]
        assert rest[0].subject == about("d", decided_at=START + 2 * DAY)

    use(scenario)


def test_effects_hold_until_their_time_and_are_replaced_as_one(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        effects, tokens = kept.effects, dict[TokenKind, str](account="a", device="d")
        device, trust = Effect("deny", "device", "d", START + 2), Effect("trust", "account", "a", START + 9)
        assert await effects.standing(tokens) == Standing()
        for _ in range(2):
            await effects.replace("shop", "t1", [device, trust])
        await effects.replace("shop", "t2", [Effect("deny", "device", "d", START + 5)])
        assert await effects.standing(tokens) == Standing(is_denied=True, is_trusted=True)
        assert await effects.standing({"account": "d", "device": "a"}) == Standing()
        await effects.replace("shop", "t2", [])
        NOW[0] = START + 2
        assert await effects.standing(tokens) == Standing(is_trusted=True)
        await effects.replace("shop", "t1", [])
        assert await effects.standing(tokens) == Standing()

    use(scenario)


def test_a_step_up_ends_once_and_is_no_label(use: Callable[[Use], None]) -> None:
    async def scenario(kept: Kept) -> None:
        failed, passed = (
            StepUp("shop", "t", outcome, START) for outcome in (StepUpOutcome.FAILED, StepUpOutcome.PASSED)
        )
        other = StepUp("bank", "t", StepUpOutcome.EXPIRED, START + 1)
        assert await kept.step_ups.get("shop", "t") is None
        await kept.step_ups.record([failed, other])
        await kept.step_ups.record([passed, other])
        assert await kept.step_ups.get("shop", "t") == failed
        assert await kept.step_ups.get("bank", "t") == other
        assert await kept.store.get("shop", "t") is None
        assert await kept.store.in_effect(0, None, 5) == []
        assert await kept.events() == []

    use(scenario)
