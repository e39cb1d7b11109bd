"""The stream of events: order, determinism, identifiers, contracts."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice, pairwise

import pytest

from assay.schemas.login import LoginEvent
from assay.schemas.transaction import TransactionRequest
from training.simulator import START, SimulatedTransaction, as_login, as_request, simulate
from training.simulator.stories import NAMES

DIGEST = """
import hashlib, itertools
from training.simulator import simulate
print(hashlib.sha256(repr(list(simulate(11, 120, 12))).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def events():
    return list(simulate(5, 400, 45))


@pytest.fixture(scope="module")
def transactions(events):
    return [event for event in events if isinstance(event, SimulatedTransaction)]


def digest(stream):
    return hashlib.sha256(repr(list(stream)).encode()).hexdigest()


def test_same_seed_same_bytes_in_processes_with_other_hash_seeds():
    here = digest(simulate(11, 120, 12))
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", DIGEST]
        there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
        assert there.stdout.strip() == here


def test_another_seed_is_another_world():
    assert digest(simulate(12, 120, 5)) != digest(simulate(11, 120, 5))


def test_a_longer_run_begins_like_a_shorter_one():
    short = list(simulate(3, 100, 6))
    assert list(islice(simulate(3, 100, 9), len(short))) == short


def test_events_are_in_time_order_and_inside_the_days(events):
    assert all(before.time <= after.time for before, after in pairwise(events))
    assert START.timestamp() <= events[0].time
    assert events[-1].time < START.timestamp() + 45 * 86400


def test_the_stream_is_lazy():
    assert next(iter(simulate(1, 100, 10_000_000))) is not None


def test_a_start_that_is_no_midnight_and_a_tiny_world_are_refused():
    with pytest.raises(ValueError, match="midnight"):
        next(simulate(1, 100, 1, datetime(2026, 1, 1, 3, tzinfo=UTC)))
    with pytest.raises(ValueError, match="customers"):
        next(simulate(1, 10, 1))


def test_identifiers_are_unique(events):
    identifiers = [getattr(event, "transaction_id", None) or event.event_id for event in events]
    assert len(set(identifiers)) == len(identifiers)


def test_no_identifier_looks_like_a_card_number(events):
    run = re.compile(r"\d(?:[ -]?\d){12,}")
    for event in events:
        for name in ("transaction_id", "account_id", "event_id", "device_id", "counterparty_id", "card_token"):
            assert not run.search(str(getattr(event, name, "")))


def test_every_body_fits_its_contract(events):
    for event in events:
        if isinstance(event, SimulatedTransaction):
            TransactionRequest.model_validate(as_request(event))
        else:
            LoginEvent.model_validate(as_login(event))


def test_a_body_does_not_tell_what_only_the_simulator_knows(transactions):
    assert not {"label", "story", "label_time", "time"} & as_request(transactions[0]).keys()


def test_fraud_is_rare_and_every_story_is_told(transactions):
    frauds = [tx for tx in transactions if tx.label]
    assert 0.002 <= len(frauds) / len(transactions) <= 0.01
    assert {tx.story for tx in frauds} == set(NAMES)
    assert all((tx.story is not None) == tx.label for tx in transactions)


def test_labels_come_late_and_some_never(transactions):
    frauds = [tx for tx in transactions if tx.label]
    assert all(tx.label_time is None for tx in transactions if not tx.label)
    delays = sorted((tx.label_time - tx.time) / 86400 for tx in frauds if tx.label_time is not None)
    assert delays[0] > 0
    assert 1.5 < delays[len(delays) // 2] < 12
    assert 0.01 < 1 - len(delays) / len(frauds) < 0.2


def test_most_currency_is_the_euro_and_the_others_occur(transactions):
    share = sum(tx.currency == "EUR" for tx in transactions) / len(transactions)
    assert 0.4 < share < 0.8
    assert {tx.currency for tx in transactions} == {"EUR", "USD", "GBP", "GHS", "NGN", "KES", "ZAR"}
