"""Everything that each function's stores on AWS can be asked for, over clients that note which rights that needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from assay.accounts.orders import OrderState
from assay.accounts.records import Account
from assay.adapters.aws.accounts import DynamoAccountStore
from assay.adapters.aws.alerts import DynamoAlertStore
from assay.adapters.aws.attempts import DynamoAttemptStore
from assay.adapters.aws.audit import DynamoAuditAnchorStore
from assay.adapters.aws.card_orders import DynamoCardOrderStore
from assay.adapters.aws.challenges import DynamoChallengeStore, DynamoFactorStore
from assay.adapters.aws.client_events import DynamoDeliveryStore, DynamoFeedStore
from assay.adapters.aws.client_events_webhooks import DynamoWebhookStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.installation_key import read_installation_key
from assay.adapters.aws.intelligence import DynamoReportStore
from assay.adapters.aws.labels import DynamoLabelStore
from assay.adapters.aws.labels_effects import DynamoEffectStore
from assay.adapters.aws.labels_step_ups import DynamoStepUpStore
from assay.adapters.aws.labels_subjects import DynamoSubjects
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.releases import announce
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.secrets import read_secrets
from assay.adapters.aws.service_clients import DynamoServiceClientStore
from assay.adapters.aws.sessions import DynamoSessionStore
from assay.adapters.aws.signing_keys import SecretSigningKeys
from assay.adapters.aws.table import Table
from assay.adapters.aws.users import DynamoUserStore
from assay.alerts.records import MAIL, Alert, Filter, NewAlert
from assay.alerts.windows import Limits
from assay.audit import START as CHAIN_START
from assay.audit import Entry, seal
from assay.client_events.records import DeliveryState
from assay.identity.records import ServiceClient, Session, Status, User
from assay.identity.scopes import Role
from assay.intelligence.reports import DRIFT, PATTERNS, RETRAINING, StoredReport
from assay.labels.ports import Effect
from assay.labels.records import Label
from assay.labels.step_ups import StepUp, StepUpOutcome
from assay.moments import now
from assay.release.pointer import Named
from assay.release.pointer import move as moved
from assay.schemas.event import Event
from tests.contract import test_account_stores as accounts
from tests.contract import test_challenge_stores as challenges
from tests.contract import test_client_event_stores as client_events
from tests.contract.installations import PATIENT_S
from tests.harness.labels import sent
from tests.template.account import Noting, Right

NAME = "of-this-test"
WEBHOOK = "arn:aws:secretsmanager:us-east-1:123456789012:secret:assay-local/webhooks/siem"
FAR = 5 * 10**15
"""Later than anything: whatever is due some time is due then."""


@dataclass
class Process:
    """Clients whose calls are noted."""

    dynamodb: Noting
    sns: Noting
    secretsmanager: Noting

    def outbox(self) -> DynamoOutbox:
        return DynamoOutbox(
            self.dynamodb,
            f"OutboxTable-{NAME}",
            SnsEvents(self.sns, f"arn:aws:sns:us-east-1:123456789012:EventsTopic-{NAME}"),
        )

    def table(self, name: str) -> Table:
        return Table(self.dynamodb, f"{name}-{NAME}", self.outbox(), name)

    def revocations(self) -> DynamoRevocations:
        return DynamoRevocations(self.dynamodb, f"IdentityTable-{NAME}", lambda: 0.0)


@asynccontextmanager
async def process(needed: set[Right]) -> AsyncIterator[Process]:
    clients = Clients()
    try:
        opened = [await clients.open(name, patient(PATIENT_S)) for name in ("dynamodb", "sns", "secretsmanager")]
        yield Process(*(Noting(client, needed) for client in opened))
    finally:
        await clients.close()


async def users_do(here: Process) -> None:
    """Everything that stores of identity can be asked for, and what follows an answer that does not come."""
    table, revocations = here.table("IdentityTable"), here.revocations()
    users, sessions = DynamoUserStore(table, revocations), DynamoSessionStore(table, revocations)
    clients, attempts = DynamoServiceClientStore(table, revocations), DynamoAttemptStore(table)
    event = Event.now("user.registered", "system")

    for n in (1, 2):
        user = User(f"u-{n}", f"{n}@b.example", "N", "hash", Role.ADMIN, Status.ACTIVE, now())
        assert await users.add(user, event)
    assert await users.by_email("2@b.example") == await users.get("u-2") == (await users.page("u-1", 1))[0]
    session = Session("s-1", "u-2", b"1", now(), now() + 10**9)
    assert await sessions.add(session, 1, event)
    assert await sessions.of_user("u-2") == [session]
    assert await sessions.rotate(session, b"2", session.expires_at + 1)
    assert await users.change(replace(user, status=Status.DISABLED, version=2), event, ["s-1"])
    assert await sessions.add(replace(session, id="s-2"), 2, event)
    assert await sessions.end("s-2", event)
    here.dynamodb.lose("transact_write_items")
    client = ServiceClient("c-1", b"s", (), Status.ACTIVE, "s-3", now())
    assert await clients.add(client, event)
    assert await clients.page("", 5) == [await clients.get("c-1")]
    assert await clients.change(replace(client, session="s-4", version=2), event, ["s-3"])
    assert await revocations.is_revoked("s-3")
    assert await attempts.count("k", 60) == 1
    await attempts.take_back("k", 60)
    await attempts.remember("k", 60)
    assert await attempts.remembers("k")
    assert await SecretSigningKeys(here.secretsmanager, f"SigningKeysSecret-{NAME}").ring()


async def alerts_do(here: Process) -> None:
    """Everything but `redrive`, which is an operator's command."""
    store = DynamoAlertStore(here.dynamodb, f"AlertsTable-{NAME}")
    limits = Limits(1, 60_000_000)
    alerts = [Alert(f"a-{n}", "r", 10**9 + n, "k.k", "c", f"t-{n}", "DECLINE", "{}") for n in range(2)]
    assert await store.record([NewAlert(alert, ("a@b.example",), ("hook",), limits) for alert in alerts]) == 2
    for channel in (MAIL, "hook"):
        for message in await store.claim(channel, 10**15, 2 * 10**15, 8):
            await store.carried(message, 10)
            await store.settle(message)
    assert len(await store.page(Filter(client_id="c"), None, 5)) == 2
    await read_secrets(here.secretsmanager, [WEBHOOK])
    await here.revocations().is_revoked("s")


async def audit_log_does(here: Process) -> None:
    """Everything that the anchor can be asked for."""
    anchor = DynamoAuditAnchorStore(here.dynamodb, f"AuditAnchorTable-{NAME}")
    entry = Entry("transaction.scored", "shop", "t-1", b"{}")
    batch = seal(CHAIN_START, [entry], datetime.now(UTC))
    await anchor.intend(CHAIN_START, batch)
    await anchor.advance(batch, [entry])
    assert (await anchor.read()).head == batch.head
    assert await anchor.recorded([entry]) == {entry.identity}
    assert await anchor.find(*entry.identity)
    await here.revocations().is_revoked("s")


async def action_layer_does(here: Process) -> None:
    """Everything but `redrive`, which is an operator's command; an order is given up, an answer is lost."""
    table = here.table("AccountsTable")
    store, orders = DynamoAccountStore(table), DynamoCardOrderStore(table)
    assert await store.change(accounts.freezes(Account("a")))
    assert not await store.change(accounts.freezes(Account("a")))
    here.dynamodb.lose("transact_write_items")
    assert await store.change(accounts.releases(await store.get("a"), accounts.START + 1))
    await store.record([accounts.action(8)])
    (order,) = await orders.claim(FAR, 2 * FAR, 8)
    await orders.settle(replace(order, state=OrderState.DEAD), accounts.event("card_order.dead"))
    await read_secrets(here.secretsmanager, [f"CardManagementSecret-{NAME}"])
    await here.revocations().is_revoked("s")


async def challenges_do(here: Process) -> None:
    """Everything that the stores can be asked for, and the installation key."""
    table = here.table("ChallengesTable")
    store, factors = DynamoChallengeStore(table), DynamoFactorStore(table)
    here.dynamodb.lose("transact_write_items")
    kept = challenges.sent()
    assert await store.save(kept, events=[challenges.event()])
    assert await store.get(kept.id) == kept
    await store.sends("shop", "a-1")
    assert await store.overdue(FAR, 5) == [kept]
    await store.stalled(FAR, 5)
    event = challenges.event("contact.kept")
    await factors.put_contact("shop", "a-1", b"sealed", event)
    assert await factors.contact("shop", "a-1")
    assert await factors.remove_contact("shop", "a-1", challenges.event("contact.removed"))
    app = challenges.app()
    assert await factors.enrol(app, challenges.event("totp.enrolled"))
    assert await factors.change_enrolment(
        challenges.changed(app, is_confirmed=True), [challenges.event("totp.confirmed")]
    )
    assert await factors.enrolment("shop", "a-1")
    assert await factors.remove_enrolment("shop", "a-1", challenges.event("totp.removed"))
    await read_installation_key(f"secretsmanager:InstallationKeySecret-{NAME}", here.secretsmanager)
    await here.revocations().is_revoked("s")


async def client_events_do(here: Process) -> None:
    """Everything but `redrive`, which is an operator's command."""
    table = here.table("ClientEventsTable")
    feed, store, webhooks = DynamoFeedStore(table), DynamoDeliveryStore(table), DynamoWebhookStore(table)
    here.dynamodb.lose("transact_write_items")
    webhook = client_events.webhook()
    assert await webhooks.add(webhook, client_events.event(), 5)
    assert await webhooks.get(webhook.client_id, webhook.id) == webhook
    assert await webhooks.of_client(webhook.client_id)
    assert await feed.record([client_events.news(1), client_events.news(2)], now()) == 2
    await feed.page(webhook.client_id, 0, 5)
    ((due, _),) = await store.due(FAR)
    given_up, delivered = await store.claim(due.id, FAR, 2 * FAR, 5)
    await store.settle(webhook, delivered, None, now())
    await store.settle(webhook, given_up, replace(given_up, state=DeliveryState.DEAD, error="no"), now())
    assert await webhooks.change(replace(webhook, version=2), client_events.event("webhook.secret_rotated"))
    assert await webhooks.remove(replace(webhook, version=2), client_events.event("webhook.deleted"))
    await read_installation_key(f"secretsmanager:InstallationKeySecret-{NAME}", here.secretsmanager)
    await here.revocations().is_revoked("s")


async def post_auth_intelligence_does(here: Process) -> None:
    """A label that waits, a second person, what follows from it and its end; a step-up; an answer is lost."""
    table = here.table("LabelsTable")
    labels, effects, step_ups = DynamoLabelStore(table), DynamoEffectStore(table), DynamoStepUpStore(table)
    subjects = DynamoSubjects(here.dynamodb, f"DecisionsTable-{NAME}", f"ProfileTable-{NAME}")
    assert await labels.take([sent(allowance=0)])
    assert await labels.waiting(None, 5, None)
    here.dynamodb.lose("transact_write_items")
    assert await labels.take([sent(Label.FRAUD_CONFIRMED, "ben")])
    about = sent().subject
    assert await labels.in_effect(about.decided_at, None, 5)
    decided = {"pk": {"S": "D#shop#t"}, "arrival": {"N": str(now())}, "counterparty": {"S": "c"}}
    await here.dynamodb.unnoted.put_item(TableName=f"DecisionsTable-{NAME}", Item=decided)
    await subjects.record_label(about.client_id, about.transaction_id, is_fraud=True)
    for following in ([Effect("deny", "device", "d", FAR)], []):
        await effects.replace(about.client_id, about.transaction_id, following)
    step_up = StepUp(about.client_id, about.transaction_id, StepUpOutcome.FAILED, now())
    await step_ups.record([step_up])
    assert await step_ups.get(about.client_id, about.transaction_id) == step_up
    assert await DynamoReportStore(table).newest(DRIFT) is None
    await here.revocations().is_revoked("s")


async def intelligence_does(here: Process) -> None:
    """The labels, a report; an answer is lost."""
    table = here.table("LabelsTable")
    labels, reports = DynamoLabelStore(table), DynamoReportStore(table)
    assert await labels.in_effect(0, None, 5) == []
    assert await reports.newest(PATTERNS) is None
    here.dynamodb.lose("transact_write_items")
    assert await reports.replace(PATTERNS, None, StoredReport(1, b"{}"), [Event.now("drift.detected", "system")])


async def trainer_does(here: Process) -> None:
    """The key, labels, a report with its event whose answer is lost, an event by itself, moves of the registry."""
    table = here.table("LabelsTable")
    await read_secrets(here.secretsmanager, [f"TrainerKeySecret-{NAME}"])
    await DynamoLabelStore(table).in_effect(now(), None, 5)
    reports = DynamoReportStore(table)
    await reports.newest(RETRAINING)
    here.dynamodb.lose("transact_write_items")
    assert await reports.replace(RETRAINING, None, StoredReport(1, b"{}"), [Event.now("release.gated", "system")])
    assert not await table.commit("event", [], [Event.now("golden.frozen", "system")])
    _, move = moved(None, "release.challenged", None, Named(version="1.0", hash="0" * 64), "system", "")
    await announce(here.dynamodb, here.outbox(), [move])


SCENARIOS = {
    "users": users_do,
    "alerts": alerts_do,
    "audit_log": audit_log_does,
    "action_layer": action_layer_does,
    "challenges": challenges_do,
    "client_events": client_events_do,
    "post_auth_intelligence": post_auth_intelligence_does,
    "intelligence": intelligence_does,
    "trainer": trainer_does,
}
