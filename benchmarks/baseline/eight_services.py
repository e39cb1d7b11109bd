"""Seed B's topology: eight FastAPI services on loopback, our own build after its document, well-behaved.

    python -m benchmarks.baseline.eight_services SERVICE --port N --models DIR --peers JSON

As documented: rules -> the three models at once -> decision -> answer, then action and post-auth after the answer.
Kinder than the published one, which builds its HTTP client anew: pooled keep-alive clients that live as long as the
process, one per service (httpx searches its whole pool at every call: a shared one is half as fast with 16 callers),
async routes instead of a thread hop, no data frame around a row, one thread per library, no access log.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from benchmarks.baseline.orchestrator import MODELS, orchestrator
from benchmarks.baseline.rules import decide, evaluate, now
from benchmarks.baseline.schemas import (
    ActionAck,
    AEScore,
    DecideRequest,
    FraudVerdict,
    IFScore,
    PostAuthPayload,
    RulesResult,
    Transaction,
    XGBScore,
)
from benchmarks.processes import HOST

SERVICES = ("rules_engine", *MODELS, "decision_engine", "action_layer", "post_auth_intelligence", "orchestrator")
log = logging.getLogger("eight_services")


def rules_engine(app: FastAPI, _models: Path) -> None:
    @app.post("/evaluate")
    async def run(tx: Transaction) -> RulesResult:
        return evaluate(tx)


def isolation_forest(app: FastAPI, models: Path) -> None:
    import numpy as np

    from benchmarks.baseline.train import load

    forest = load(models, "forest")

    @app.post("/score")
    async def score(tx: Transaction) -> IFScore:
        row = np.array([tx.anomaly_row()])
        return IFScore(if_score=round(float(forest.decision_function(row)[0]), 6))  # type: ignore[attr-defined]


def autoencoder(app: FastAPI, models: Path) -> None:
    import numpy as np

    from benchmarks.baseline.train import load

    scaler, network = load(models, "scaler"), load(models, "autoencoder")

    @app.post("/score")
    async def score(tx: Transaction) -> AEScore:
        row = scaler.transform(np.array([tx.anomaly_row()]))  # type: ignore[attr-defined]
        error = float(np.mean((row - network.predict(row)) ** 2))  # type: ignore[attr-defined]
        return AEScore(ae_error=round(error, 6), ae_threshold=0.31, ae_anomaly=error > 0.31)


def xgboost_classifier(app: FastAPI, models: Path) -> None:
    import numpy as np

    from benchmarks.baseline.train import load

    boosted = load(models, "boosted")

    @app.post("/score")
    async def score(tx: Transaction) -> XGBScore:
        chance = float(boosted.predict_proba(np.array([tx.boosted_row()]))[0, 1])  # type: ignore[attr-defined]
        return XGBScore(fraud_score=round(chance, 6), is_fraud=chance >= 0.5)


def decision_engine(app: FastAPI, _models: Path) -> None:
    @app.post("/decide")
    async def run(request: DecideRequest) -> FraudVerdict:
        return decide(request)


def action_layer(app: FastAPI, _models: Path) -> None:
    @app.post("/execute")
    async def execute(verdict: FraudVerdict) -> ActionAck:
        log.info("verdict %s", verdict.decision)
        return ActionAck(action_taken="LOGGED", timestamp=now())


def post_auth_intelligence(app: FastAPI, models: Path) -> None:
    file = models / "retraining_data.jsonl"

    @app.post("/record")
    async def record(payload: PostAuthPayload) -> ActionAck:
        line = {
            "timestamp": payload.timestamp,
            "decision": payload.verdict.decision,
            "is_early_exit": payload.verdict.is_early_exit,
            "fraud_score": payload.verdict.fraud_score,
            "transaction": payload.transaction.model_dump(),
        }
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")
        return ActionAck(action_taken="RECORDED", timestamp=now())


ROUTES: dict[str, Callable[[FastAPI, Path], None]] = {
    "rules_engine": rules_engine,
    "isolation_forest": isolation_forest,
    "autoencoder": autoencoder,
    "xgboost_classifier": xgboost_classifier,
    "decision_engine": decision_engine,
    "action_layer": action_layer,
    "post_auth_intelligence": post_auth_intelligence,
}


def build(service: str, models: Path, peers: dict[str, str]) -> FastAPI:
    """The app of one service."""
    if service == "orchestrator":
        app = orchestrator(peers)
    else:
        app = FastAPI()
        ROUTES[service](app, models)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve one of the eight."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("service", choices=SERVICES)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--models", type=Path, required=True)
    arguments.add_argument("--peers", type=json.loads, default={})
    options = arguments.parse_args()
    app = build(options.service, options.models, options.peers)
    uvicorn.run(
        app, host=HOST, port=options.port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
