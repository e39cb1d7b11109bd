"""From an event and the configuration to alerts: nothing is kept, nothing is asked."""

from __future__ import annotations

from collections.abc import Iterator

from assay.alerts.config import AlertsConfig, Condition
from assay.alerts.details import Details, masked
from assay.alerts.records import Alert, NewAlert, alert_id
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.stages import Decision
from functions.alerts.events import Other, Scored, read

_APPROVED = b'"decision":"APPROVE"'
"""Where it stands in an event's JSON it is the verdict's: no other part has such a key."""


class Router:
    """The routes of a configuration."""

    def __init__(self, config: AlertsConfig) -> None:
        self._config = config
        self.kinds = config.kinds()
        self._passes_over_approved = not any(
            _may_concern_approved(condition) for route in config.routes for condition in route.when
        )

    def alerts(self, body: bytes, now: int) -> Iterator[NewAlert]:
        """The alerts that an event gives rise to, made at this moment. Raises `PoisonEvent`."""
        if self._passes_over_approved and _APPROVED in body:
            return  # nearly all events: they are not even parsed
        event = read(body)
        for route in self._config.routes:
            if any(matches(condition, event) for condition in route.when):
                alert = _alert(route.name, event, now)
                yield NewAlert(alert, tuple(route.to), tuple(route.webhooks), route.digest.limits())


def matches(condition: Condition, event: Scored | Other) -> bool:
    """Whether everything that the condition says holds for the event."""
    if isinstance(event, Other) or condition.events is not None:
        return event.event in (condition.events or ())
    verdict = event.verdict
    return (
        (condition.decisions is None or verdict.decision in condition.decisions)
        and _at_least(verdict.fraud_score, condition.min_fraud_score)
        and _at_least(event.amount_base, condition.min_amount_base)
        and (condition.rules is None or not set(condition.rules).isdisjoint(verdict.triggered_rules))
        and (condition.degraded is None or condition.degraded == bool(verdict.degraded))
    )


def _at_least(value: float | None, least: float | None) -> bool:
    """Unknown is never enough."""
    return least is None or (value is not None and value >= least)


def _may_concern_approved(condition: Condition) -> bool:
    if condition.events is not None:
        return False
    return condition.decisions is None or Decision.APPROVE in condition.decisions


def _alert(route: str, event: Scored | Other, now: int) -> Alert:
    if isinstance(event, Other):
        facts = {name: _shown(name, fact) for name, fact in event.data.items()}
        details = Details(occurred_at=event.occurred_at, facts=facts)
        identity = (event.event, event.client_id, event.id)
        return Alert(alert_id(route, *identity), route, now, event.event, event.client_id, None, None, _json(details))
    verdict = event.verdict
    return Alert(
        id=alert_id(route, TRANSACTION_SCORED, event.client_id, verdict.transaction_id),
        route=route,
        created_at=now,
        kind=TRANSACTION_SCORED,
        client_id=event.client_id,
        transaction_id=verdict.transaction_id,
        decision=verdict.decision,
        details=_json(_of_scored(event)),
    )


def _of_scored(event: Scored) -> Details:
    transaction, verdict = event.transaction, event.verdict
    return Details(
        occurred_at=event.occurred_at,
        amount=transaction.amount,
        currency=transaction.currency,
        amount_base=event.amount_base,
        account=_masked(transaction.account_id),
        counterparty=_masked(transaction.counterparty_id),
        channel=transaction.channel,
        country=transaction.geo_country,
        fraud_score=verdict.fraud_score,
        triggered_by=verdict.triggered_by,
        triggered_rules=verdict.triggered_rules,
        reasons=[reason.analyst_text for reason in verdict.reasons],
        degraded=verdict.degraded,
        release=verdict.release.version,
    )


def _masked(name: str | None) -> str | None:
    return None if name is None else masked(name)


def _shown(name: str, fact: object) -> str:
    text = ", ".join(fact) if isinstance(fact, list) else str(fact)
    return masked(text) if name == "account_id" else text


def _json(details: Details) -> str:
    return details.model_dump_json(exclude_defaults=True)
