"""`assay train`: a simulated bank in, a signed release out. The same arguments give the same release."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from assay.features.rates import Rates
from assay.policy import Policy
from assay.release.store import write_release
from assay.rules.ruleset import RuleSet
from training.assess import evidence_of, facts, model_evidence, release_metrics, score_part, thresholds_of
from training.calibration import fit_calibration
from training.evaluate import fire
from training.fit import fit_autoencoder, fit_forest, fit_xgboost
from training.manifest import manifest_body
from training.metrics import flattened, rounded
from training.models import export_models
from training.package import as_json, default, reference_file, trained_policy
from training.prepare import learn_encoding, prepare_part
from training.report import model_card
from training.simulator import START, simulate
from training.split import split_by_time
from training.table import FeatureTable, build_table
from training.unknowns import with_unknowns
from training.work import Data, Fitted, Progress, Run

CUSTOMERS = 2_600
DAYS = 140
VERSION = "2026.11.1"


def silent(step: str, share: float) -> None:
    """Tells nobody."""


def train(
    seed: int,
    customers: int,
    days: int,
    out: Path,
    signing_key: Ed25519PrivateKey,
    progress: Progress = silent,
    *,
    version: str = VERSION,
    start: datetime = START,
) -> Path:
    """Trains on a simulated bank and writes the signed release `out/version`. Returns its folder.

    `days` >= 40. Nothing is written unless the exported models answer as the training libraries do (ParityError); a
    release that is there already with other bytes is never overwritten (ReleaseError).
    """
    run = Run(seed, customers, days, start, version)
    with threadpool_limits(limits=1):
        events = simulate(seed, customers, days, start)
        table = build_table(events, Rates.load(default("rates.yaml")), run.end, progress)
        data = prepare(run, table)
        fitted = fit(data, seed, progress)
        return release(run, data, fitted, out, signing_key, progress)


def prepare(run: Run, table: FeatureTable) -> Data:
    """Splits by time and encodes. ValueError when a part has no known fraud: too few customers or days."""
    split = split_by_time(run.start.timestamp(), run.end)
    encoding = learn_encoding(table, split.part(table.times, "train"))
    train, calibrate, test = (prepare_part(table, split, name, encoding) for name in ("train", "calibrate", "test"))
    if not (train.known.any() and calibrate.known.any() and test.truth.any()):
        raise ValueError("too few customers or days: a part of the split has no fraud")
    return Data(table, split, encoding, train, calibrate, test)


def fit(data: Data, seed: int, progress: Progress = silent) -> Fitted:
    """Fits the models on the training part; stops early and calibrates on the calibration part."""
    train, calibrate = data.train, data.calibrate
    usual = train.anomaly[~train.known]
    progress("isolation forest", 0.0)
    forest = fit_forest(usual, seed)
    progress("autoencoder", 0.0)
    autoencoder = fit_autoencoder(usual, seed)
    progress("xgboost", 0.0)
    rows, labels = with_unknowns(train.full, train.known, data.encoding.categories, seed)
    xgboost = fit_xgboost(rows, labels, calibrate.full, calibrate.known, seed)
    calibration = fit_calibration(xgboost.margins(calibrate.full), calibrate.known)
    return Fitted(forest, autoencoder, xgboost, calibration)


def release(
    run: Run, data: Data, fitted: Fitted, out: Path, signing_key: Ed25519PrivateKey, progress: Progress = silent
) -> Path:
    """Evaluates, exports, checks the export against the libraries, and writes the release."""
    progress("evaluation", 0.0)
    policy_text, rules_text = default("policy.yaml"), default("rules.yaml")
    policy, rules = Policy.load(policy_text), RuleSet.load(rules_text)
    firings = fire(rules, data.table.frame(data.live))
    calibrated = score_part(data, data.calibrate, fitted, firings, policy)
    tested = score_part(data, data.test, fitted, firings, policy)
    thresholds = thresholds_of(calibrated, data.calibrate, policy)
    evidence = evidence_of(data, firings)
    metrics = release_metrics(data, fitted, tested, rules, firings, evidence)
    progress("export and parity", 0.0)
    models, parity = export_models(data, fitted)
    metrics = rounded(metrics)
    scores = {
        "fraud_score": calibrated.fraud_scores,
        "if_score": calibrated.if_scores,
        "ae_error": calibrated.ae_errors,
    }
    files = {
        **models,
        "rules.yaml": rules_text.encode(),
        "policy.yaml": trained_policy(policy_text, thresholds, *model_evidence(calibrated, data.calibrate)).encode(),
        "rates.yaml": default("rates.yaml").encode(),
        "reference.json": reference_file(data.table, data.train.rows | data.calibrate.rows, scores),
        "rule_evidence.json": as_json(evidence),
        "model_card.md": model_card(facts(run, data), metrics).encode(),
    }
    return write_release(out, manifest_body(run, data, fitted, {**flattened(metrics), **parity}), files, signing_key)
