"""How hard the simulated fraud is, and what the sixteen rules make of it."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import numpy as np
import pytest

from assay.features.catalog import NAMES
from assay.features.rates import Rates
from assay.rules.ruleset import RuleSet
from training.evaluate import fire
from training.metrics import roc_auc, single_feature_auc
from training.settings import default
from training.simulator import START, simulate
from training.simulator.stories import Crew
from training.simulator.stories.device_farm import DeviceFarm
from training.simulator.world import World
from training.table import CATEGORIES, NUMERIC, build_table
from training.train import silent

DAYS = 60
RULES = RuleSet.load(default("rules.yaml"))


@pytest.fixture(scope="module")
def table():
    return build_table(simulate(4, 1_200, DAYS), Rates.load(default("rates.yaml")), 0.0, silent)


@pytest.fixture(scope="module")
def lived_in(table):
    """Rows after the first ten days, in which everybody's device is new."""
    return table.times >= START.timestamp() + 86400 * 10


@pytest.fixture(scope="module")
def firings(table, lived_in):
    return fire(RULES, table.frame(lived_in))


def test_every_rule_fires_on_some_fraud(table, lived_in, firings):
    labels = table.labels[lived_in]
    silent_rules = [rule for rule, column in firings.fired.items() if not (column & labels).any()]
    assert silent_rules == []


def test_honest_customers_are_rarely_blocked_and_sometimes_flagged(table, lived_in, firings):
    honest = firings.flags[~table.labels[lived_in]]
    assert 0 < (honest == "BLOCK").mean() <= 0.01
    assert 0.02 < (honest == "FLAG").mean() <= 0.15


def test_no_feature_alone_tells_fraud(table, lived_in):
    labels = table.labels[lived_in]
    areas = {name: single_feature_auc(labels, table.numeric[name][lived_in]) for name in NUMERIC}
    for name in CATEGORIES:
        values = np.array([value or "" for value in table.categories[name]])[lived_in]
        risk = {value: labels[values == value].mean() for value in np.unique(values)}
        areas[name] = roc_auc(labels, np.array([risk[value] for value in values]))
    assert areas.keys() == set(NAMES)
    assert max(areas.values()) < 0.90


def test_everybody_shares_something_but_no_crowd_is_a_botnet(table, lived_in):
    honest = lived_in & ~table.labels
    on_address = table.numeric["accounts_per_ip_24h"][honest]
    assert (on_address > 1).mean() > 0.05
    assert np.nanmean(on_address > 20) < 0.001


def test_what_is_not_sent_stays_unknown(table):
    unknown = np.isnan(table.numeric["accounts_per_device"])
    assert 0.1 < unknown.mean() < 0.7
    assert np.isnan(table.numeric["balance_share_moved"]).any()


def test_most_rings_work_one_phone_hard_enough_for_the_rule():
    world = World(1, 60, START)
    crew = Crew(world, Random(1))
    busiest = []
    for _ in range(200):
        accounts = defaultdict(set)
        for draft in DeviceFarm().play(crew, world.start_seconds + 86400 * 20):
            accounts[draft.device].add(draft.customer.account_id)
        busiest.append(max(map(len, accounts.values())))
    assert np.mean(np.array(busiest) > 10) > 0.6
    assert np.mean(np.array(busiest) > 10) < 0.95  # some stay below it
