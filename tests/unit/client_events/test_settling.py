"""What becomes of a delivery after an attempt."""

from dataclasses import replace

import pytest

from assay.client_events.records import Delivery, DeliveryState
from assay.webhooks.sender import Delivery as Sent
from assay.webhooks.sender import Outcome
from functions.client_events.delivery import ATTEMPTS, WAITS_S, settled
from tests.harness.client_events import DOWN, GONE, SECOND, START, TAKEN

DELIVERY = Delivery("whk_1", "evt_1", b"{}", START, START, attempts=1)


def after(outcome: Outcome, draw: float = 0.5, attempts: int = 1) -> Delivery | None:
    return settled(replace(DELIVERY, attempts=attempts), outcome, START, draw)


def test_what_was_taken_is_forgotten() -> None:
    assert after(TAKEN) is None


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
def test_waits_are_those_of_standard_webhooks_a_fifth_more_or_less(attempt: int) -> None:
    wait = WAITS_S[attempt - 1] * SECOND
    dues = [after(DOWN, draw, attempt).due_at - START for draw in (0.0, 0.5, 0.999)]  # type: ignore[union-attr]
    assert dues[:2] == [int(0.8 * wait), wait]
    assert dues[1] < dues[2] < 1.2 * wait


def test_it_is_tried_over_about_a_day_and_then_dead() -> None:
    assert 24 * 3_600 < sum(WAITS_S) < 30 * 3_600
    assert after(DOWN, attempts=ATTEMPTS) == replace(
        DELIVERY, attempts=ATTEMPTS, state=DeliveryState.DEAD, error="HTTP 503"
    )


@pytest.mark.parametrize(
    "reason", ["HTTP 301", "HTTP 400", "HTTP 401", "HTTP 404", "URL the address is not a public one"]
)
def test_a_refusal_today_may_be_none_tomorrow(reason: str) -> None:
    again = after(Outcome(Sent.REFUSED, reason))
    assert again == replace(DELIVERY, due_at=START + 5 * SECOND, error=reason)


def test_who_is_gone_is_not_asked_again() -> None:
    dead = after(GONE)
    assert dead is not None and dead.state is DeliveryState.DEAD


def test_the_receivers_wish_to_be_left_alone_is_heard() -> None:
    again = after(Outcome(Sent.RETRY, "HTTP 429", 600.0))
    assert again is not None and again.due_at == START + 600 * SECOND
