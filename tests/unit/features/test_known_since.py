"""A history that knows only what came after some time: what needs more is unknown, never counted as nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.features.profile import Profile
from tests.unit.features.streams import DAY, HOUR, SECOND, START, ListHistory, events, steps, transaction


def answers(stored, logins, tx, known=None):
    history = ListHistory(stored, logins)
    if known is not None:
        history.known = known
    return Profile(history).observe(tx)


@given(
    st.booleans().flatmap(lambda late: steps(late, kinds=("tx", "tx", "tx", "login"))), st.integers(0, 60), st.data()
)
def test_an_answer_is_that_of_the_whole_history_or_none(plan, back, data):
    found = list(events(plan))
    stored = [event for kind, event in found if kind == "tx"]
    if not stored:
        return
    tx = stored.pop()
    logins = [event for kind, event in found if kind == "login"]
    known = tx.time - data.draw(st.sampled_from((0, SECOND, HOUR, DAY, 7 * DAY, 30 * DAY))) - back * SECOND
    whole, part = answers(stored, logins, tx), answers(stored, logins, tx, known)
    assert {name: (part[name], value) for name, value in whole.items() if part[name] not in (value, None)} == {}


def test_windows_after_it_are_exact_and_longer_ones_unknown():
    stored = [transaction(n, START - n * HOUR, device="d", address="i", counterparty="c") for n in range(1, 60)]
    probe = transaction(100, START, device="d", address="i", counterparty="c")
    part = answers(stored, [], probe, START - 30 * HOUR)
    assert (part["account_tx_count_1d"], part["tx_count_last_1h"], part["accounts_per_ip_24h"]) == (24.0, 1.0, 1.0)
    assert part["seconds_since_last_tx"] == 3600.0
    assert (part["new_device_flag"], part["device_seen_before"]) == (0.0, 1.0)
    unknown = {"account_tx_count_7d", "account_tx_count_30d", "accounts_per_device", "counterparty_tx_count_1d"}
    assert {name for name in unknown if part[name] is not None} == set()


def test_an_account_of_which_nothing_is_known_any_more_is_not_new():
    stored = [transaction(1, START, device="d")]
    part = answers(stored, [], transaction(2, START + 500 * DAY, device="d"), START + DAY)
    assert part["seconds_since_last_tx"] is None
    assert (part["account_tx_count_30d"], part["new_device_flag"]) == (1.0, 0.0)
