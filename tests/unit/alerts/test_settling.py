"""What becomes of a message after an attempt."""

from dataclasses import replace

import pytest

from assay.alerts.ports import Undelivered
from assay.alerts.records import MAIL, Message, State
from functions.alerts.delivery import ATTEMPTS, settled
from tests.harness.alerts import MINUTE, START

LATER, NEVER = Undelivered("SMTP 451"), Undelivered("SMTP 550", is_permanent=True)
MESSAGE = Message("msg_1", "a", MAIL, START, START, recipients=("a@x", "b@x"), attempts=1)


def after(failures: dict[str, Undelivered], draw: float = 0.5, **changes: object) -> Message:
    return settled(replace(MESSAGE, **changes), failures, START, draw)  # type: ignore[arg-type]


def test_taken_by_all_is_sent() -> None:
    assert after({}) == replace(MESSAGE, state=State.SENT, recipients=())


def test_whom_it_did_not_reach_is_tried_again() -> None:
    again = after({"b@x": LATER})
    assert (again.state, again.recipients, again.error) == (State.PENDING, ("b@x",), "SMTP 451")
    assert again.due_at == START + MINUTE // 2


def test_who_refuses_for_good_is_given_up_at_once_and_the_other_is_not() -> None:
    again = after({"a@x": NEVER, "b@x": LATER})
    assert (again.state, again.recipients, again.refused) == (State.PENDING, ("b@x",), ("a@x",))
    end = settled(replace(again, attempts=2), {}, START, 0.5)
    assert (end.state, end.recipients, end.refused, end.error) == (State.DEAD, (), ("a@x",), "SMTP 550")


def test_refused_by_all_is_dead_at_once() -> None:
    assert after({"a@x": NEVER, "b@x": NEVER}).state is State.DEAD


def test_after_so_many_attempts_it_is_dead_and_knows_whom_it_did_not_reach() -> None:
    assert after({"b@x": LATER}, attempts=ATTEMPTS - 1).state is State.PENDING
    end = after({"b@x": LATER}, attempts=ATTEMPTS)
    assert (end.state, end.recipients, end.refused) == (State.DEAD, (), ("b@x",))


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
def test_waits_double_and_are_random(attempt: int) -> None:
    bound = MINUTE * 2 ** (attempt - 1)
    waits = [after({"a@x": LATER}, draw, attempts=attempt).due_at - START for draw in (0.0, 0.25, 0.999)]
    assert waits[0] == 0 and waits[1] == bound // 4 and waits[2] < bound


def test_the_receivers_wish_to_be_left_alone_is_heard() -> None:
    busy = Undelivered("HTTP 429", wait_s=600)
    assert after({"siem": busy}).due_at == START + 10 * MINUTE
