"""Reasons of the committed champion: what is named is what moved it."""

from __future__ import annotations

import numpy as np
import pytest

from assay.features.catalog import NAMES
from benchmarks.reasons import falls, rows_and_declines
from local.champion import open_champion
from local.counterfactual import CAUSE_OF, CAUSES, Counterfactuals
from local.places import Places
from local.replay.scoring import BatchScorer

WANTED = 60


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return open_champion(Places(tmp_path_factory.mktemp("var")))


@pytest.fixture(scope="module")
def counterfactuals(release):
    return Counterfactuals(release)


@pytest.fixture(scope="module")
def risky(release):
    return rows_and_declines(release, customers=300, days=30, count=WANTED)


def test_every_feature_belongs_to_one_cause():
    assert CAUSE_OF.keys() == set(NAMES)
    assert sum(map(len, CAUSES.values())) == len(NAMES)


def test_without_the_first_reasons_cause_the_score_falls(release, risky, counterfactuals):
    rows, _ = risky
    assert len(rows) == WANTED
    assert falls(release, rows, counterfactuals)[1] >= 0.95


def test_a_counterfactual_flips_the_decline_and_no_smaller_one_does(release, risky, counterfactuals):
    _, declined = risky
    assert len(declined) >= 5
    scorer = BatchScorer(release)
    for features in declined[:5]:
        found = counterfactuals.find(features)
        assert found is not None
        changed = {**features, **{name: after for name, (_, after) in found.changes.items()}}
        assert {CAUSE_OF[name] for name in found.changes} <= set(found.causes)
        row, before = (tuple(each[name] for name in NAMES) for each in (changed, features))
        assert scorer.score([row, before])["decision"].to_list() == [found.decision, "DECLINE"]
        assert found.decision != "DECLINE"
        if len(found.causes) > 1:
            alone = [counterfactuals.without(features, (cause,)) for cause in CAUSES]
            rows = [tuple(each[name] for name in NAMES) for each in alone]
            assert set(scorer.score(rows)["decision"]) == {"DECLINE"}


def test_what_is_not_declined_has_no_counterfactual(counterfactuals):
    usual = counterfactuals.without(dict.fromkeys(NAMES), tuple(CAUSES))
    assert counterfactuals.find(usual) is None


def test_a_usual_amount_is_the_accounts_own(counterfactuals):
    features = {"amount": 400.0, "avg_tx_amount_7d": 50.0, "amount_to_avg_ratio": 8.0, "balance_share_moved": 0.8}
    without = counterfactuals.without(features, ("amount",))
    assert (without["amount"], without["amount_to_avg_ratio"]) == (50.0, 1.0)
    assert without["balance_share_moved"] == pytest.approx(0.1)
    assert np.isfinite(counterfactuals.without({}, ("amount",))["amount"])
