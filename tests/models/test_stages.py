"""The three model stages, built from a verified release."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xgboost
from pydantic import ValidationError

from assay.errors import PolicyError, ReleaseError
from assay.models.arrays import pack, unpack
from assay.models.autoencoder import spec as autoencoder_spec
from assay.models.boosted_trees import SPEC as XGBOOST_SPEC
from assay.models.forest import SPEC as FOREST_SPEC
from assay.schemas.stages import ScoringInput
from functions.autoencoder import bootstrap as autoencoder
from functions.isolation_forest import bootstrap as isolation_forest
from functions.xgboost_classifier import bootstrap as xgboost_classifier

SPECS = {
    "isolation_forest.npz": (isolation_forest, FOREST_SPEC),
    "autoencoder.npz": (autoencoder, autoencoder_spec(4)),
    "xgboost_classifier.npz": (xgboost_classifier, XGBOOST_SPEC),
}


def asked(features, explain=False):
    return ScoringInput(transaction_id="t-1", features=features, explain=explain)


def test_isolation_forest_flags_below_its_threshold(trained, release):
    scorer = isolation_forest.build(release)
    expected = trained.forest.decision_function(trained.rows("isolation_forest"))
    answers = [scorer.score(asked(features)) for features in trained.transactions]
    assert np.abs([answer.if_score for answer in answers] - expected).max() <= 1e-12
    assert [answer.if_anomaly for answer in answers] == [score < 0.0 for score in expected]
    assert 0 < sum(answer.if_anomaly for answer in answers) < len(answers)


def test_autoencoder_flags_above_its_threshold_and_says_which_features(trained, release):
    scorer = autoencoder.build(release)
    answers = [scorer.score(asked(features)) for features in trained.transactions]
    scaled = trained.scaler.transform(trained.rows("autoencoder"))
    squares = np.square(scaled - trained.network.predict(scaled))
    assert [answer.ae_error for answer in answers] == pytest.approx(squares.mean(axis=1).tolist())
    anomalous = [index for index, answer in enumerate(answers) if answer.ae_anomaly]
    assert anomalous == np.flatnonzero(squares.mean(axis=1) > 0.8).tolist()
    assert all(not answer.contributions for answer in answers if not answer.ae_anomaly)
    index = anomalous[0]
    shares = answers[index].contributions
    assert sum(share.contribution for share in shares) == pytest.approx(1.0)
    assert [share.contribution for share in shares] == sorted((s.contribution for s in shares), reverse=True)
    names = release.manifest.models.autoencoder.features
    assert shares[0].feature == names[int(squares[index].argmax())]
    assert shares[0].value == trained.transactions[index][shares[0].feature]


def test_autoencoder_explains_when_asked(trained, release):
    scorer = autoencoder.build(release)
    quiet = next(f for f in trained.transactions if not scorer.score(asked(f)).ae_anomaly)
    assert len(scorer.score(asked(quiet, explain=True)).contributions) == 13


def test_xgboost_explains_what_the_policy_would_challenge(trained, release):
    scorer = xgboost_classifier.build(release)
    rows = trained.rows("xgboost_classifier")
    margins = trained.booster.predict(xgboost.DMatrix(rows), output_margin=True).astype(float)
    answers = [scorer.score(asked(features)) for features in trained.transactions]
    assert [a.fraud_score for a in answers] == pytest.approx((1 / (1 + np.exp(-(0.9 * margins - 0.1)))).tolist())
    assert all(bool(answer.contributions) == (answer.fraud_score >= 0.5) for answer in answers)
    explained = next(index for index, answer in enumerate(answers) if answer.contributions)
    native = trained.booster.predict(xgboost.DMatrix(rows[explained : explained + 1]), pred_contribs=True)[0, :-1]
    served = {c.feature: c.contribution for c in answers[explained].contributions}
    names = release.manifest.models.xgboost_classifier.features
    assert [served.get(name, 0.0) for name in names] == pytest.approx((0.9 * native).tolist(), abs=1e-5)
    sizes = [abs(value) for value in served.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0


def test_xgboost_explains_when_asked(trained, release):
    scorer = xgboost_classifier.build(release)
    quiet = next(f for f in trained.transactions if not scorer.score(asked(f)).contributions)
    assert scorer.score(asked(quiet, explain=True)).contributions


@pytest.mark.parametrize("stage", [isolation_forest, autoencoder, xgboost_classifier])
def test_nothing_known_is_scored_and_text_for_a_number_is_refused(release, stage):
    scorer = stage.build(release)
    scorer.score(asked({}, explain=True))
    scorer.score(asked({"amount": 1e300, "tx_count_last_1h": 1.7e308, "not_a_feature": "x"}))
    with pytest.raises(ValueError, match="amount"):
        scorer.score(asked({"amount": "12"}))
    with pytest.raises(ValidationError, match="finite"):
        asked({"amount": float("nan")})


def test_a_policy_that_is_wrong_is_refused(trained, release_of):
    release = release_of(trained.body, {**trained.files, "policy.yaml": b"challenge_above: often\n"})
    with pytest.raises(PolicyError):
        xgboost_classifier.build(release)


CHANGES = {
    "cut rows": lambda array: array[:-1],
    "one dimension more": lambda array: array[None],
    "other type": lambda array: array.astype(np.float16),
    "wider": lambda array: np.concatenate([array, array], axis=-1),
    "empty": lambda array: array[:0],
}
FLAWS = [
    (file, name, flaw)
    for file, (_, spec) in SPECS.items()
    for name in spec
    for flaw in CHANGES
    if (file, flaw) != ("autoencoder.npz", "wider") or not name.startswith("weight")
]


@pytest.mark.parametrize(("file", "name", "flaw"), FLAWS)
def test_signed_but_inconsistent_arrays_are_refused(trained, release_of, file, name, flaw):
    stage, spec = SPECS[file]
    arrays = unpack(trained.files[file], spec)
    arrays[name] = CHANGES[flaw](arrays[name])
    release = release_of(trained.body, {**trained.files, file: pack(arrays)})
    with pytest.raises(ReleaseError, match=file):
        stage.build(release)


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("isolation_forest.npz", "feature", 13),
        ("isolation_forest.npz", "feature", -2),
        ("isolation_forest.npz", "threshold", np.nan),
        ("isolation_forest.npz", "path_length", -1.0),
        ("isolation_forest.npz", "parameters", 0.0),
        ("autoencoder.npz", "scale", 0.0),
        ("autoencoder.npz", "weight_1", np.inf),
        ("xgboost_classifier.npz", "feature", 17),
        ("xgboost_classifier.npz", "feature", -1),
        ("xgboost_classifier.npz", "leaf", np.nan),
        ("xgboost_classifier.npz", "cover", 0.0),
        ("xgboost_classifier.npz", "base_margin", np.inf),
    ],
)
def test_signed_but_impossible_values_are_refused(trained, release_of, file, name, value):
    stage, spec = SPECS[file]
    arrays = unpack(trained.files[file], spec)
    arrays[name].flat[0] = value
    release = release_of(trained.body, {**trained.files, file: pack(arrays)})
    with pytest.raises(ReleaseError, match=file):
        stage.build(release)


@pytest.mark.parametrize("file", SPECS)
@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"not arrays",
        lambda data: data[:100] + bytes(200) + data[300:],
        lambda data: pack({"other": np.zeros(3)}),
        lambda data: pack({f"weight_{i}": np.zeros((2, 2)) for i in range(9)}),
    ],
)
def test_signed_but_unreadable_files_are_refused(trained, release_of, file, change):
    release = release_of(trained.body, {**trained.files, file: change(trained.files[file])})
    with pytest.raises(ReleaseError, match=file):
        SPECS[file][0].build(release)


def test_pickled_objects_are_refused(trained, release_of, tmp_path):
    np.savez(tmp_path / "evil.npz", **{name: np.array([{"an": "object"}]) for name in XGBOOST_SPEC})
    files = {**trained.files, "xgboost_classifier.npz": (tmp_path / "evil.npz").read_bytes()}
    with pytest.raises(ReleaseError, match="pickle"):
        xgboost_classifier.build(release_of(trained.body, files))


def test_compressed_arrays_are_refused(trained, release_of, tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", **unpack(trained.files["isolation_forest.npz"], FOREST_SPEC))
    files = {**trained.files, "isolation_forest.npz": (tmp_path / "bomb.npz").read_bytes()}
    with pytest.raises(ReleaseError, match="compressed"):
        isolation_forest.build(release_of(trained.body, files))


@pytest.mark.parametrize("file", ["isolation_forest.npz", "xgboost_classifier.npz"])
def test_random_nodes_are_refused_or_served_but_never_read_out_of_bounds(trained, release, file):
    """Signed files are ours, but a bug of ours must end as an error, not as a dead process or a foreign number."""
    stage, spec = SPECS[file]
    random = np.random.default_rng(0)
    served = 0
    for number in range(150):
        arrays = unpack(trained.files[file], spec)
        nodes = arrays["feature"]
        chosen = random.integers(0, nodes.size, random.integers(1, 4))
        nodes.flat[chosen] = random.integers(-2, 18, len(chosen)) if number % 2 else random.integers(0, 13, len(chosen))
        damaged = replace(release, _files={**trained.files, file: pack(arrays)})
        try:
            stage.build(damaged).score(asked(trained.transactions[number], explain=True))
            served += 1
        except ReleaseError as error:
            assert file in str(error)
    assert 0 < served < 150


@pytest.mark.parametrize("stage", ["isolation_forest", "autoencoder", "xgboost_classifier"])
def test_a_stage_imports_no_training_or_web_library(stage):
    heavy = "{'sklearn', 'xgboost', 'fastapi', 'polars', 'scipy', 'pandas', 'boto3'}"
    code = f"import functions.{stage}.bootstrap, sys; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_the_store_needs_no_numpy():
    code = "import assay.release.store, sys; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "False"
