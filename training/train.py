"""A simulated bank or an installation's history in, a signed release out. The same arguments give the same release."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from assay.features.rates import Rates
from assay.policy import Policy
from assay.release.store import write_release
from assay.rules.ruleset import RuleSet
from training.assess import cost_metrics, evidence_of, facts, release_metrics, score_part, trained_thresholds
from training.calibration import fit_calibration
from training.costs import Costs
from training.data_file import table_of_file
from training.datasets import ColumnMapping
from training.evaluate import Scored, fire
from training.fit import fit_autoencoder, fit_forest, fit_xgboost
from training.history import history_table
from training.manifest import manifest_body
from training.metrics import flattened, rounded
from training.models import export_models
from training.package import as_json, reference_file, trained_policy
from training.prepare import learn_encoding, prepare_part
from training.report import model_card
from training.settings import Settings, TrainingDataError
from training.simulator import START, simulate
from training.split import DAY, split_by_time
from training.table import FeatureTable, build_table
from training.tuning import Judged, judge_by_log_loss, tune
from training.unknowns import with_unknowns
from training.work import Data, Fitted, Progress, Run

CUSTOMERS = 2_600
DAYS = 140
VERSION = "2026.11.3"
JUDGED_BY = 0.25
"""The newest part of the training rows judges the tuning."""


def silent(step: str, share: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A release that was written, and what it was measured by: `metrics` as the model card shows them, `scored` the
    test period row by row (for the report; nothing of it is in the release)."""

    folder: Path
    facts: dict[str, Any]
    metrics: dict[str, Any]
    scored: Scored


def train(
    seed: int,
    customers: int,
    days: int,
    out: Path,
    signing_key: Ed25519PrivateKey,
    progress: Progress = silent,
    *,
    settings: Settings | None = None,
    start: datetime = START,
) -> Trained:
    """Trains on a simulated bank and writes the signed release `out/version`; `seed` is also that of the settings.

    `days` >= 40. Nothing is written unless the exported models answer as the training libraries do (ParityError); a
    release that is there already with other bytes is never overwritten (ReleaseError). TrainingDataError: too small a
    world to learn from.
    """
    settings = replace(settings or Settings(VERSION), seed=seed)
    end = start.timestamp() + DAY * days
    source = (
        f"Simulated by `training/simulator` (seed {seed}, {customers:,} customers, {days} days from "
        f"{start.date().isoformat()}). Not one row comes from a real customer."
    )
    with threadpool_limits(limits=1):
        table = build_table(simulate(seed, customers, days, start), Rates.load(settings.rates), end, progress)
        return train_on_table(table, start.timestamp(), end, Run(settings, source), out, signing_key, progress)


def train_on(
    history: pl.DataFrame,
    labels: pl.DataFrame,
    settings: Settings,
    out: Path,
    signing_key: Ed25519PrivateKey,
    progress: Progress = silent,
) -> Trained:
    """Trains on what an installation scored and learnt since (`history_table` has the columns); writes `out/version`.

    The newest `settings.label_delay_days` are left out: their labels are still on the way. Raises TrainingDataError
    (a missing column, no fraud, too short), ParityError, ReleaseError as `train` does.
    """
    return _train_on_history(
        "History of an installation", history_table(history, labels), settings, out, signing_key, progress
    )


def train_on_file(
    path: Path,
    mapping: ColumnMapping,
    settings: Settings,
    out: Path,
    signing_key: Ed25519PrivateKey,
    progress: Progress = silent,
) -> Trained:
    """Trains on a file of labelled transactions as `train_on` does on history; features are computed here.

    Raises DatasetError for a file that cannot be read, and what `train_on` raises.
    """
    rates = Rates.load(settings.rates)
    table = table_of_file(path, mapping, rates, settings.label_delay_days, progress)
    return _train_on_history("A file of transactions", table, settings, out, signing_key, progress)


def _train_on_history(
    what: str, table: FeatureTable, settings: Settings, out: Path, signing_key: Ed25519PrivateKey, progress: Progress
) -> Trained:
    if not len(table):
        raise TrainingDataError("no transactions to learn from")
    start, end = float(table.times[0]), float(table.times[-1]) + 1 - DAY * settings.label_delay_days
    days = [datetime.fromtimestamp(moment, UTC).date().isoformat() for moment in (start, end)]
    run = Run(settings, f"{what}, {days[0]} to {days[1]}.")
    with threadpool_limits(limits=1):
        return train_on_table(table, start, end, run, out, signing_key, progress)


def train_on_table(
    table: FeatureTable,
    start: float,
    end: float,
    run: Run,
    out: Path,
    signing_key: Ed25519PrivateKey,
    progress: Progress = silent,
) -> Trained:
    """The way all training goes, from a feature table in time order; `start`, `end` in seconds since the epoch."""
    data = prepare(table, start, end, run.settings.judged_days)
    fitted = fit(data, run.settings, progress)
    return release(run, data, fitted, out, signing_key, progress)


def prepare(table: FeatureTable, start: float, end: float, judged_days: float | None = None) -> Data:
    """Splits by time and encodes. TrainingDataError says what a part lacks to learn from it."""
    if len(table) and np.any(np.diff(table.times) < 0):
        raise TrainingDataError("the rows go back in time")
    split = split_by_time(start, end, judged_days)
    for name, labels in (
        ("train", split.known(table.labels, table.label_times)),
        ("calibrate", split.known(table.labels, table.label_times)),
        ("test", table.labels),
    ):
        _require_both(name, labels[split.part(table.times, name)])
    encoding = learn_encoding(table, split.part(table.times, "train"))
    train, calibrate, test = (prepare_part(table, split, name, encoding) for name in ("train", "calibrate", "test"))
    return Data(table, split, encoding, train, calibrate, test)


def _require_both(name: str, labels: Any) -> None:  # noqa: ANN401 - a boolean column
    if not len(labels):
        raise TrainingDataError(f"the period to {name} has no rows: too few customers or days")
    if not labels.any():
        raise TrainingDataError(f"no known fraud in the period to {name} ({len(labels):,} rows): nothing to learn")
    if labels.all():
        raise TrainingDataError(f"nothing but fraud in the period to {name} ({len(labels):,} rows): nothing to learn")


def fit(data: Data, settings: Settings, progress: Progress = silent) -> Fitted:
    """Tunes and fits the models on the training part; stops early and calibrates on the calibration part."""
    train, calibrate, seed = data.train, data.calibrate, settings.seed
    usual = train.anomaly[~train.known]
    progress("isolation forest", 0.0)
    forest = fit_forest(usual, seed)
    progress("autoencoder", 0.0)
    autoencoder = fit_autoencoder(usual, seed)
    tuned, search = _tune(data, settings, progress)
    progress("xgboost", 0.0)
    rows, labels = with_unknowns(train.full, train.known, data.encoding.categories, seed)
    xgboost = fit_xgboost(rows, labels, calibrate.full, calibrate.known, tuned, seed)
    calibration = fit_calibration(xgboost.margins(calibrate.full), calibrate.known)
    return Fitted(forest, autoencoder, xgboost, calibration, search)


def _tune(data: Data, settings: Settings, progress: Progress) -> tuple[dict[str, Any], list[Judged]]:
    """On the older part of the training rows, judged by the newer."""
    train = data.train
    older = int(len(train.known) * (1 - JUDGED_BY))
    judges = train.known[older:]
    _require_both("tune (the newest quarter of that to train)", judges)
    _require_both("tune (the older part of that to train)", train.known[:older])
    judge = judge_by_log_loss(judges)
    learn = with_unknowns(train.full[:older], train.known[:older], data.encoding.categories, settings.seed)
    return tune(
        learn, train.full[older:], judge, settings.trials, settings.seed, lambda share: progress("tuning", share)
    )


def release(
    run: Run, data: Data, fitted: Fitted, out: Path, signing_key: Ed25519PrivateKey, progress: Progress = silent
) -> Trained:
    """Evaluates, exports, checks the export against the libraries, and writes the release."""
    progress("evaluation", 0.0)
    settings = run.settings
    costs, rules = Costs.load(settings.costs), RuleSet.load(settings.rules)
    firings = fire(rules, data.table.frame(data.live))
    thresholds = trained_thresholds(data, fitted, firings, costs, Policy.load(settings.policy))
    policy_text = trained_policy(settings.policy, thresholds)
    policy = Policy.load(policy_text)
    calibrated = score_part(data, data.calibrate, fitted, firings, policy)
    tested = score_part(data, data.test, fitted, firings, policy)
    evidence = evidence_of(data, firings)
    metrics = rounded(
        {
            **release_metrics(data, fitted, tested, rules, firings, evidence),
            "costs": cost_metrics(data, fitted, firings, costs, tested, policy),
        }
    )
    progress("export and parity", 0.0)
    models, parity = export_models(data, fitted)
    scores = {
        "fraud_score": calibrated.fraud_scores,
        "if_score": calibrated.if_scores,
        "ae_error": calibrated.ae_errors,
    }
    about = facts(run, data, fitted)
    files = {
        **models,
        "rules.yaml": settings.rules.encode(),
        "policy.yaml": policy_text.encode(),
        "rates.yaml": settings.rates.encode(),
        "reference.json": reference_file(data.table, data.train.rows | data.calibrate.rows, scores),
        "rule_evidence.json": as_json(evidence),
        "model_card.md": model_card(about, metrics).encode(),
    }
    body = manifest_body(settings, data, fitted, {**flattened(metrics), **parity})
    return Trained(write_release(out, body, files, signing_key), about, metrics, tested)
