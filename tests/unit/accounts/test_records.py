"""The state machine of an account, against every order in which messages may come."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from assay.accounts.records import IN_EFFECT, Account, AccountState, Cause, Freeze, Release, confirmed, frozen, released

NOW = 1_000
UNKNOWN = Account("a")
TIMES = st.integers(0, 12)
CAUSES = st.builds(Cause, TIMES, st.sampled_from(["shop", "bank"]), st.sampled_from(["t-1", "t-2"]))
RELEASES = st.builds(Release, TIMES, st.sampled_from(["ann", "bob"]), st.just("verified by phone"))


def ends(cause: Cause) -> int | None:
    """One cause, one freeze: the same message says the same."""
    return None if cause.transaction_id == "t-1" else cause.decided_at + 5


def freeze(cause: Cause) -> Freeze:
    return Freeze(cause, ends(cause), ())


FREEZES = CAUSES.map(freeze)
MESSAGES = st.lists(
    st.tuples(st.just(frozen), FREEZES)
    | st.tuples(st.just(confirmed), CAUSES)
    | st.tuples(st.just(released), RELEASES),
    max_size=12,
)


def after(messages: list[Any], account: Account = UNKNOWN) -> Account:
    for step, message in messages:
        account = step(account, message)
    return account


def known(account: Account) -> tuple[object, ...]:
    """All but the number of steps that it took."""
    return account.freeze, account.confirmed, account.release


@given(MESSAGES, st.data())
def test_order_and_repetition_make_no_difference(messages: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations([*messages, *data.draw(st.lists(st.sampled_from(messages or [()])))]))
    one, other = after(messages), after([message for message in shuffled if message])
    assert known(one) == known(other)
    for now in range(20):
        assert one.state(now) is other.state(now)


@given(MESSAGES)
def test_a_message_that_comes_again_changes_nothing_at_all(messages: list[Any]) -> None:
    account = after(messages)
    assert after(messages, account) is account


@given(RELEASES, st.lists(FREEZES, max_size=8), MESSAGES, st.data())
def test_a_release_is_never_undone_by_an_older_decline(
    release: Release, declines: list[Freeze], before: list[Any], data: st.DataObject
) -> None:
    older = [(frozen, decline) for decline in declines if decline.cause.decided_at <= release.at]
    own = [message for message in before if message[0] is not frozen or message[1].cause.decided_at <= release.at]
    account = after(data.draw(st.permutations([*own, *older, (released, release)])))
    assert account.state(NOW) is AccountState.RELEASED
    assert account.in_force is None


@given(MESSAGES, CAUSES)
def test_what_is_older_changes_no_state(messages: list[Any], cause: Cause) -> None:
    account = after(messages)
    moments = [account.freeze.cause.decided_at] if account.freeze else []
    moments += [account.release.at] if account.release else []
    late = after([(frozen, freeze(Cause(min(moments, default=0) - 1, cause.client_id, cause.transaction_id)))], account)
    if moments:
        assert all(late.state(now) is account.state(now) for now in range(20))


@given(MESSAGES, CAUSES)
def test_a_newer_decline_freezes_whatever_was_before(messages: list[Any], cause: Cause) -> None:
    newer = freeze(Cause(100, cause.client_id, cause.transaction_id))
    account = after([*messages, (frozen, newer)])
    assert account.state(100) is AccountState.FROZEN
    assert confirmed(account, newer.cause).state(100) is AccountState.BLOCKED


@given(MESSAGES)
def test_versions_only_rise(messages: list[Any]) -> None:
    account = Account("a")
    for step, message in messages:
        following = step(account, message)
        assert following.version == account.version + (known(following) != known(account))
        account = following


@given(MESSAGES)
def test_every_state_says_why(messages: list[Any]) -> None:
    account = after(messages)
    for now in range(20):
        state = account.state(now)
        assert (state in IN_EFFECT) == (account.in_force is not None and not account.in_force.is_over(now))
        assert state is not AccountState.RELEASED or account.release is not None


def test_a_freeze_ends_by_itself_and_a_confirmation_outlives_nothing() -> None:
    cause = Cause(10, "shop", "t-2")
    account = frozen(Account("a"), Freeze(cause, 15, ()))
    assert [account.state(now) for now in (10, 14, 15)] == [
        AccountState.FROZEN,
        AccountState.FROZEN,
        AccountState.ACTIVE,
    ]
    account = confirmed(account, cause)
    assert [account.state(now) for now in (10, 14, 15)] == [
        AccountState.BLOCKED,
        AccountState.BLOCKED,
        AccountState.ACTIVE,
    ]
    again = frozen(account, Freeze(Cause(20, "shop", "t-3"), None, ()))
    assert again.state(NOW) is AccountState.FROZEN


def test_a_confirmation_that_comes_first_counts() -> None:
    cause = Cause(10, "shop", "t-2")
    account = confirmed(Account("a"), cause)
    assert account.state(NOW) is AccountState.ACTIVE
    assert frozen(account, Freeze(cause, None, ())).state(NOW) is AccountState.BLOCKED


def test_release_and_decline_of_one_moment() -> None:
    """Whoever released has seen the account frozen."""
    account = released(frozen(Account("a"), Freeze(Cause(10, "shop", "t"), None, ())), Release(10, "ann", "a reason"))
    assert account.state(NOW) is AccountState.RELEASED
