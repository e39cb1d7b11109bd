"""Hyperparameters of the classifier by successive halving, within a budget, judged by log loss.

Not by what decisions would cost: one fraud of a hundred thousand outweighs all that candidates differ by. The learning
rate is not searched: after the same rounds, the faster learner would look better and end worse.
The judges are the newest rows of the training part: neither the calibration nor the test period sees the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COMMON: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "eval_metric": "aucpr",
    "nthread": 1,
    "learning_rate": 0.06,
}
PROVEN: tuple[dict[str, Any], ...] = (
    {"max_depth": 5, "min_child_weight": 4.0},
    {"max_depth": 4, "min_child_weight": 1.0},
)
"""Always among the candidates: a search that finds nothing better than these ends with one of them."""
PROVEN_SAMPLING = {"subsample": 0.8, "colsample_bytree": 0.6, "reg_lambda": 2.0}
RUNGS = (100, 200, 300)
"""Rounds a candidate has been given when it is judged; a third of the candidates goes on to the next."""
KEPT = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate, and its loss on the judging rows after `rounds`."""

    parameters: dict[str, Any]
    rounds: int
    loss: float


Judge = Callable[[Floats], float]
"""Margins of the judging rows -> loss."""


def candidates(count: int, seed: int) -> list[dict[str, Any]]:
    """The proven ones, then random ones; trees stay shallow: deeper ones know their own bank by heart, others less."""
    random = np.random.default_rng(seed)
    drawn: list[dict[str, Any]] = [{**PROVEN_SAMPLING, **proven} for proven in PROVEN]
    while len(drawn) < count:
        drawn.append(
            {
                "max_depth": int(random.integers(3, 6)),
                "min_child_weight": round(float(np.exp(random.uniform(np.log(0.5), np.log(16)))), 3),
                "subsample": round(float(random.uniform(0.6, 1.0)), 3),
                "colsample_bytree": round(float(random.uniform(0.4, 0.9)), 3),
                "reg_lambda": round(float(np.exp(random.uniform(np.log(0.5), np.log(10)))), 3),
            }
        )
    return drawn[:count]


def judge_by_log_loss(labels: Bools) -> Judge:
    """Mean over the rows, in nats."""

    def judge(margins: Floats) -> float:
        return float(np.mean(np.logaddexp(0.0, margins) - labels * margins))

    return judge


def tune(
    learn: tuple[Floats, Bools],
    judged_rows: Floats,
    judge: Judge,
    trials: int,
    seed: int,
    told: Callable[[float], None],
) -> tuple[dict[str, Any], list[Judged]]:
    """The parameters of least loss, and every judgement made. `told` hears the share done, 0..1."""
    rows = xgboost.DMatrix(*learn, nthread=1)
    judged = xgboost.DMatrix(judged_rows, nthread=1)
    running: list[tuple[dict[str, Any], xgboost.Booster | None]] = [(each, None) for each in candidates(trials, seed)]
    history: list[Judged] = []
    before = 0
    for rung, rounds in enumerate(RUNGS):
        results = []
        for index, (parameters, booster) in enumerate(running):
            told((rung + index / len(running)) / len(RUNGS))
            booster = xgboost.train(
                {**COMMON, **parameters, "seed": seed}, rows, rounds - before, xgb_model=booster, verbose_eval=False
            )
            loss = judge(booster.predict(judged, output_margin=True).astype(np.float64))
            results.append((loss, index, parameters, booster))
            history.append(Judged(parameters, rounds, loss))
        results.sort(key=lambda result: result[:2])
        running = [(parameters, booster) for _, _, parameters, booster in results[: max(1, len(results) // KEPT)]]
        before = rounds
        if len(running) == 1:
            break
    return running[0][0], history
