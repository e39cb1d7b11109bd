"""Patterns: a simulated ring is found, chance is not, and hubs link nobody."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from assay.features.profile import Profile
from assay.features.rates import Rates
from functions.intelligence import patterns
from functions.intelligence.patterns_statistics import components, discoveries, growth, poisson_tail, wilson
from training.settings import default
from training.simulator import START, simulate
from training.simulator.events import SimulatedLogin, SimulatedTransaction, as_seen_login, as_transaction

DAYS = 42
CUSTOMERS = 400
RULES = ("velocity_burst_5m", "new_device_flag")


@cache
def history() -> pl.DataFrame:
    """What a small bank has seen, with the simulator's truth beside: `story`."""
    return pl.DataFrame(list(_rows()), infer_schema_length=None).with_columns(
        pl.from_epoch("time", "s").dt.replace_time_zone("UTC").alias("occurred_at")
    )


def _rows() -> Iterator[dict[str, object]]:
    profile, rates = Profile(), Rates.load(default("rates.yaml"))
    for event in simulate(11, CUSTOMERS, DAYS):
        if isinstance(event, SimulatedLogin):
            profile.record_login(as_seen_login(event))
            continue
        features = profile.observe(as_transaction(event, rates))
        fired = [RULES[0]] if event.story == "card_testing" else []
        fired += [RULES[1]] if event.story and features["new_device_flag"] else []
        yield {**_known(event), **features, "triggered_rules": fired}


def _known(event: SimulatedTransaction) -> dict[str, object]:
    names = ("transaction_id", "account_id", "time", "device_id", "ip_address", "counterparty_id", "story")
    kinds = ("transaction_type", "merchant_category")
    return {name: getattr(event, name) for name in (*names, *kinds)} | {"client_id": "bank", "decision": "APPROVE"}


def truth(frame: pl.DataFrame) -> pl.DataFrame:
    frauds = frame.filter(pl.col("story").is_not_null())
    return frauds.select("client_id", "transaction_id", pl.lit("fraud_confirmed").alias("label"))


def ring() -> tuple[datetime, set[str]]:
    """A window's end in which the device farm is at work, and its accounts."""
    farm = history().filter(pl.col("story") == "device_farm").sort("occurred_at")
    at = farm["occurred_at"][0] + timedelta(days=patterns.WINDOW_DAYS)
    return at, set(farm.filter(pl.col("occurred_at") < at)["account_id"])


def test_the_ring_is_found() -> None:
    at, ring_accounts = ring()
    report = patterns.look(history(), at, truth(history()))
    assert report.based_on == "labels"
    found = max(report.clusters, key=lambda cluster: len(ring_accounts.intersection(cluster.accounts)))
    members = ring_accounts.intersection(found.accounts)
    assert len(members) >= 0.8 * len(ring_accounts)
    assert len(members) >= 0.5 * found.account_count  # and hardly anybody else
    assert found.bad_accounts > 5 * found.expected_bad_accounts
    assert found.devices
    assert found.first_at < found.last_at < at


def test_chance_is_not_a_pattern() -> None:
    """Over ten shuffles of who is bad, less than the stated rate of lists has anything in it, give or take."""
    at, _ = ring()
    window = history().filter(pl.col("occurred_at") < at, pl.col("occurred_at") >= at - timedelta(days=14))
    told = 0
    for seed in range(10):
        shuffled = window.with_columns(pl.col("story").shuffle(seed=seed))
        report = patterns.look(window, at, truth(shuffled))
        assert report.based_on == "labels"
        told += bool(report.clusters) + bool(report.segments)
    assert told <= 2


def test_segments_are_counted_right_and_say_more_than_their_parts() -> None:
    at, _ = ring()
    labels = truth(history())
    report = patterns.look(history(), at, labels)
    assert report.segments
    lifts = {tuple(segment.where.items()): segment.lift for segment in report.segments}
    for segment in report.segments:
        rows = history().filter(pl.col("occurred_at") < at, pl.col("occurred_at") >= at - timedelta(days=7))
        plain = {name: value for name, value in segment.where.items() if name in ("channel", "currency", "auth_method")}
        if plain == segment.where:
            rows = rows.filter(pl.all_horizontal(pl.col(name) == value for name, value in plain.items()))
            assert (len(rows), rows["story"].is_not_null().sum()) == (segment.events, segment.bad.now)
        assert segment.low <= segment.share <= segment.high
        assert segment.lift >= 2
        for part in segment.where.items():
            assert segment.lift >= lifts.get((part,), 0.0) or len(segment.where) == 1
    factors = [segment.bad.factor for segment in report.segments]
    assert factors == sorted(factors, reverse=True)


def test_without_enough_labels_declines_stand_in() -> None:
    at, accounts = ring()
    declined = pl.when(pl.col("story").is_not_null()).then(pl.lit("DECLINE")).otherwise("decision")
    frame = history().with_columns(declined.alias("decision"))
    for labels in (None, truth(history()).head(3)):
        report = patterns.look(frame, at, labels)
        assert report.based_on == "declines"
        assert any(accounts.intersection(cluster.accounts) for cluster in report.clusters)


def test_nothing_in_nothing() -> None:
    for frame in (history().clear(), history().head(1), history().head(100)):
        report = patterns.look(frame, START + timedelta(days=7))
        assert (report.clusters, report.rule_pairs, report.segments) == ([], [], [])


def test_rules_that_fire_together() -> None:
    """Two that follow each other, two that do not, among other rules."""
    rng = np.random.default_rng(2)
    one, other, third = (rng.random(5_000) < share for share in (0.02, 0.3, 0.02))
    follows = one | (rng.random(5_000) < 0.01)
    names = [
        [name for name, fires in zip("abcd", row, strict=True) if fires]
        for row in np.stack([one, follows, other, third]).T
    ]
    frame = history().head(5_000).with_columns(
        pl.Series("triggered_rules", names, dtype=pl.List(pl.String)),
        pl.Series("occurred_at", [START + timedelta(minutes=n) for n in range(5_000)]).dt.replace_time_zone("UTC"),
    )  # fmt: skip
    report = patterns.look(frame, START + timedelta(days=7))
    (pair,) = report.rule_pairs
    assert pair.rules == ("a", "b")
    assert (pair.first, pair.second, pair.both.now) == (one.sum(), follows.sum(), (one & follows).sum())
    assert pair.lift == pytest.approx(pair.both.now * 5_000 / (pair.first * pair.second))
    assert report.looked_at["rule_pairs"] == 6


def _linked(device: list[str], address: list[str | None], before: list[str | None]) -> int:
    """How many clusters there are when each account uses one device and one address; `before`: addresses in use."""
    start = START + timedelta(days=10)
    count = len(device)
    base = history().head(1)
    now = pl.concat([base] * count).with_columns(
        pl.Series("account_id", [f"a{n}" for n in range(count)]), pl.Series("device_id", device),
        pl.Series("ip_address", address, dtype=pl.String),
        pl.Series("counterparty_id", [f"p{n}" for n in range(count)]),
        pl.lit(start).cast(pl.Datetime("us", "UTC")).alias("occurred_at"), pl.lit("DECLINE").alias("decision"),
    )  # fmt: skip
    earlier = now.head(len(before)).with_columns(
        pl.Series("ip_address", before, dtype=pl.String),
        pl.Series("device_id", [f"old{n}" for n in range(len(before))]),
        (pl.col("occurred_at") - timedelta(days=8)).alias("occurred_at"),
    )  # fmt: skip
    both = pl.concat([now, earlier.cast(dict(now.schema))])
    return patterns.look(both, start + timedelta(days=1)).looked_at["clusters"]


def test_what_links_and_what_does_not() -> None:
    own = [f"d{n}" for n in range(70)]
    nothing: list[str | None] = [None] * 70
    assert _linked(own, nothing, []) == 0
    assert _linked(["farm"] * 5 + own[5:], nothing, []) == 1
    assert _linked(["agent"] * 65 + own[65:], nothing, []) == 0  # a hub
    proxy: list[str | None] = ["203.0.113.9"] * 5 + nothing[5:]
    assert _linked(own, proxy, []) == 1
    assert _linked(own, proxy, ["203.0.113.9"]) == 0  # in use all along


@given(st.integers(0, 200), st.floats(0.001, 150))
def test_the_poisson_tail(count: int, expected: float) -> None:
    assert poisson_tail(count, expected) == pytest.approx(
        float(stats.poisson.sf(count - 1, expected)), rel=1e-6, abs=1e-12
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_discoveries_are_those_of_scipy(p: list[float]) -> None:
    expected = stats.false_discovery_control(p, method="bh") <= 0.05 + 1e-15
    assert discoveries(np.array(p), 0.05).tolist() == expected.tolist()
    assert discoveries(np.array([]), 0.05).tolist() == []


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson(hits: int, more: int) -> None:
    count = hits + more
    interval = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert wilson(hits, count) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60))
def test_components_are_those_of_scipy(count: int, links: list[tuple[int, int]]) -> None:
    from scipy.sparse import coo_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    pairs = np.array([link for link in links if max(link) < count], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, expected = connected_components(graph, directed=False)
    found = components(pairs, count)
    assert (
        len({*zip(found.tolist(), expected.tolist(), strict=True)})
        == len({*found.tolist()})
        == len({*expected.tolist()})
    )


def test_growth_is_finite() -> None:
    assert growth(10, 0) == 21
    assert math.isclose(growth(0, 0), 1)
