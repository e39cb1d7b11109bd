"""Training on a tiny bank, end to end: the release opens, scores, repeats itself, and says how hard its data was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.errors import PolicyError, ReleaseError
from assay.features.catalog import NAMES
from assay.features.profile import Profile
from assay.features.rates import Rates
from assay.policy import Policy
from assay.release.models import load_autoencoder, load_isolation_forest, load_xgboost, vectoriser
from assay.release.registry import champion
from assay.release.store import open_release
from assay.rules.ruleset import RuleSet
from functions.decision_engine.table import confidence
from training.champion import ReleaseScorer, evaluate_table
from training.costs import ScoreThresholds
from training.package import trained_policy
from training.report_html import report
from training.settings import Settings, TrainingDataError, default
from training.simulator import START, SimulatedTransaction, as_transaction, simulate
from training.split import split_by_time
from training.table import build_table
from training.thresholds import SubsetThresholds, TrainedThresholds, confidence_bands, subset_thresholds
from training.train import silent, train

CUSTOMERS, DAYS, SEED = 300, 60, 3
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SETTINGS = Settings("2026.1.1", trials=3)
RATES = Rates.load(default("rates.yaml"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("releases")


@pytest.fixture(scope="module")
def trained(root):
    return train(SEED, CUSTOMERS, DAYS, root, KEY, settings=SETTINGS)


@pytest.fixture(scope="module")
def table():
    return build_table(simulate(SEED, CUSTOMERS, DAYS), RATES, 0.0, silent)


@pytest.fixture(scope="module")
def folder(trained):
    return trained.folder


@pytest.fixture(scope="module")
def release(folder):
    return open_release(folder, [KEY.public_key()])


def test_the_release_opens_with_its_key_and_with_no_other(folder, release):
    assert release.version == "2026.1.1"
    with pytest.raises(ReleaseError):
        open_release(folder, [Ed25519PrivateKey.generate().public_key()])


def test_the_same_arguments_give_the_same_release_in_another_process(root, release, tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey\n"
        "from assay.release.store import open_release\nfrom training.train import train\n"
        "key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))\n"
        "from training.settings import Settings\nsettings = Settings('2026.1.1', trials=3)\n"
        f"folder = train({SEED}, {CUSTOMERS}, {DAYS}, Path(sys.argv[1]), key, settings=settings).folder\n"
        "print(open_release(folder, [key.public_key()]).hash)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    again = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert again.stdout.strip() == release.hash


def test_another_seed_never_overwrites_a_release(root, release):
    with pytest.raises(ReleaseError, match="overwritten"):
        train(5, 150, 45, root, KEY, settings=SETTINGS)


def test_a_world_that_is_too_short_is_refused(tmp_path):
    with pytest.raises(TrainingDataError, match="days"):
        train(1, 100, 10, tmp_path, KEY)
    assert list(tmp_path.iterdir()) == []


def test_the_parity_gate_passed_on_every_model(release):
    metrics = release.manifest.metrics
    for model, limit in (("isolation_forest", 1e-12), ("autoencoder", 1e-9), ("xgboost_classifier", 1e-6)):
        assert metrics[f"parity.{model}.max_difference"] <= limit
        assert metrics[f"parity.{model}.probes"] >= 20_000


def test_every_model_answers_on_a_served_row(release):
    manifest = release.manifest
    rates = Rates.load(release.read("rates.yaml"))
    transaction = next(event for event in simulate(9, 60, 2) if isinstance(event, SimulatedTransaction))
    features = Profile().observe(as_transaction(transaction, rates))
    assert tuple(features) == NAMES
    forest = load_isolation_forest(release)
    assert -1 <= forest.score(vectoriser(manifest, "isolation_forest").row(features)) <= 1
    assert load_autoencoder(release).error(vectoriser(manifest, "autoencoder").row(features)) >= 0
    assert np.isfinite(load_xgboost(release).predict_margin(vectoriser(manifest, "xgboost_classifier").row(features)))


def test_rules_and_evidence_belong_together(release):
    evidence = json.loads(release.read("rule_evidence.json"))
    rules = RuleSet.load(release.read("rules.yaml"), evidence)
    assert len(rules.rules) == 16
    assert evidence.keys() == {rule.id for rule in rules.rules}
    assert {rule.id: rule.evidence for rule in rules.rules} == evidence


def test_the_policy_holds_the_trained_thresholds(release):
    degraded = Policy.of(release).degraded
    assert degraded.isolation_forest_alone is not None
    assert degraded.isolation_forest_alone <= 0.0
    assert degraded.autoencoder_alone >= release.manifest.models.autoencoder.threshold * 0.5
    without = degraded.without_xgboost
    assert without.isolation_forest >= degraded.isolation_forest_alone
    assert without.autoencoder <= degraded.autoencoder_alone


def test_the_reference_covers_every_feature_and_score(release):
    reference = json.loads(release.read("reference.json"))
    assert set(reference["features"]) == set(NAMES)
    assert set(reference["scores"]) == {"fraud_score", "if_score", "ae_error"}
    for part in (*reference["features"].values(), *reference["scores"].values()):
        shares = part["shares"].values() if part["kind"] == "category" else part["shares"]
        assert sum(shares) + part["unknown"] == pytest.approx(1, abs=1e-6)
        if part["kind"] == "number":
            assert len(part["shares"]) == len(part["edges"]) + 1


def test_the_card_and_the_manifest_say_how_hard_the_data_is(release):
    metrics = release.manifest.metrics
    single = {name: value for name, value in metrics.items() if name.startswith("difficulty.single_feature_roc_auc.")}
    assert set(single) == {f"difficulty.single_feature_roc_auc.{name}" for name in NAMES}
    assert metrics["difficulty.tree_depth_3.average_precision"] < metrics["xgboost_classifier.average_precision"]
    card = release.read("model_card.md").decode()
    assert "decision tree, depth 3" in card
    assert "Not one row comes from a real customer" in card
    assert str(Path(__file__).parents[2]) not in card


def test_a_release_scores_as_it_was_measured(trained, release, table):
    split = split_by_time(START.timestamp(), START.timestamp() + 86400 * DAYS)
    scored = ReleaseScorer(release).score(table, split.part(table.times, "test"))
    assert np.allclose(scored.fraud_scores, trained.scored.fraud_scores, atol=1e-6)
    assert (scored.decisions == trained.scored.decisions).all()
    assert scored.stories == trained.scored.stories


def test_a_release_is_evaluated_on_a_bank_it_never_saw(release, table):
    result = evaluate_table(release, table)
    assert result["difficulty"]["single_feature_roc_auc"].keys() == set(NAMES)
    assert 0 < result["frauds"] < result["transactions"] < len(table)
    assert set(result["rules"]["each"]) == {rule.id for rule in RuleSet.load(release.read("rules.yaml")).rules}
    with pytest.raises(TrainingDataError, match="lacks fraud"):
        evaluate_table(release, build_table(simulate(9, 60, 3), RATES, 0.0, silent))


def test_the_report_shows_what_was_measured_and_loads_nothing(trained):
    page = report(trained)
    assert page == report(trained)
    assert page.count("<svg") == 5
    assert "http" not in page
    assert "src=" not in page
    for story, part in trained.metrics["stories"].items():
        assert f"{story} ({part['frauds']})" in page
    assert f"{trained.metrics['costs']['per_1000']:,.0f}" in page


def test_the_command_makes_the_first_release_the_champion(tmp_path):
    arguments = ["--seed", "5", "--customers", "150", "--days", "45", "--out", str(tmp_path / "registry")]
    key = ["--signing-key", str(tmp_path / "key.pem"), "--version", "2026.2.1", "--trials", "2"]
    command = [sys.executable, "-m", "local", "train", *arguments, *key]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip().endswith("2026.2.1")
    assert champion(tmp_path / "registry") == "2026.2.1"
    report = (tmp_path / "reports" / "2026.2.1.html").read_text()
    assert report.count("<svg") == 5
    assert "http" not in report


def test_progress_is_told_and_stays_within_bounds():
    told = []
    rates = Rates.load(default("rates.yaml"))
    until = START.timestamp() + 86400 * 70
    table = build_table(simulate(1, 80, 70), rates, until, lambda step, share: told.append((step, share)))
    assert len(table) > 5_000
    assert told
    assert all(0 <= share <= 1 for _, share in told)
    silent("nothing", 0.5)


def test_subset_thresholds_keep_the_burden_on_honest_customers():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=50_000)
    if_scores, ae_errors = -(shared + rng.normal(size=50_000)), np.exp(shared + rng.normal(size=50_000))
    both = (if_scores < np.quantile(if_scores, 0.02)) & (ae_errors > np.quantile(ae_errors, 0.98))
    stopped = both | (rng.random(50_000) < 0.004)
    found = subset_thresholds(if_scores, ae_errors, both, stopped)
    assert (if_scores < found.forest_alone).mean() == pytest.approx(both.mean(), rel=0.01)
    assert (ae_errors > found.autoencoder_alone).mean() == pytest.approx(both.mean(), rel=0.01)
    together = (if_scores < found.forest_without_xgboost) & (ae_errors > found.autoencoder_without_xgboost)
    assert together.mean() == pytest.approx(stopped.mean(), rel=0.02)


@pytest.mark.parametrize(("challenge", "decline"), [(0.01, 0.02), (0.04, 0.27), (0.5, 0.8), (0.98, 0.99)])
def test_confidence_is_low_where_the_score_itself_challenges(challenge, decline):
    bands = confidence_bands(ScoreThresholds(0.0, challenge, decline, 5.0))
    update = {"confidence": bands, "challenge_above": challenge, "decline_above": decline, "flag_escalates_above": 0.0}
    policy = Policy.model_validate({**Policy.load(default("policy.yaml")).model_dump(), **update})
    edges = (0.0, challenge - 0.0011, challenge, decline - 0.0001, decline, 1.0)
    assert [confidence(score, policy) for score in edges] == ["HIGH", "MEDIUM", "LOW", "LOW", "MEDIUM", "HIGH"]
    odds = [edge / (1 - edge) for edge in (bands.high.above, bands.high.below)]
    assert odds[0] >= 3 * decline / (1 - decline) * 0.999
    assert odds[1] <= challenge / (1 - challenge) / 3


def test_confidence_bands_of_one_threshold_are_in_order():
    bands = confidence_bands(ScoreThresholds(0.0, 0.3, 0.3, 5.0))
    assert bands.high.below < bands.medium.below < bands.medium.above < bands.high.above


def test_a_policy_without_a_place_for_the_thresholds_is_refused():
    subsets = SubsetThresholds(-0.1, 3.0, 0.01, 2.0)
    thresholds = TrainedThresholds(ScoreThresholds(0.02, 0.12, 0.34, 5.0), subsets, 1.0, 2.0)
    text = default("policy.yaml")
    trained = trained_policy(text, thresholds)
    policy = Policy.load(trained)
    assert (policy.model_evidence.autoencoder, policy.challenge_above, policy.decline_above) == (2.0, 0.12, 0.34)
    assert (policy.flag_escalates_above, policy.confidence) == (0.02, confidence_bands(thresholds.score))
    assert trained_policy(trained, thresholds) == trained  # a retraining starts from a trained policy
    before = "".join(line for line in text.splitlines(True) if not line.startswith("flag_escalates_above"))
    assert Policy.load(trained_policy(before, thresholds)) == policy
    with pytest.raises(PolicyError, match="autoencoder_alone"):
        trained_policy(text.replace("autoencoder_alone: null", ""), thresholds)
