"""A tuned bare FastAPI app: the three models and nothing else. No rules, profile, token, reasons or store.

python -m benchmarks.baseline.bare_app --port N --models DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.baseline.schemas import Transaction
from benchmarks.baseline.train import load
from benchmarks.baseline.tuned import TunedAutoencoder, TunedClassifier, TunedForest
from benchmarks.processes import HOST


class Scores(BaseModel):
    fraud_score: float
    if_score: float
    ae_error: float


def build(models: Path) -> FastAPI:
    """The app, its models loaded."""
    forest = TunedForest(load(models, "forest"))
    autoencoder = TunedAutoencoder(load(models, "scaler"), load(models, "autoencoder"))
    classifier = TunedClassifier(load(models, "boosted"))  # type: ignore[arg-type]
    app = FastAPI()

    @app.post("/score")
    async def score(tx: Transaction) -> Scores:
        row = np.array(tx.anomaly_row())
        return Scores(
            fraud_score=classifier.score(np.array([tx.boosted_row()], dtype=np.float32)),
            if_score=forest.score(row.astype(np.float32)[None]),
            ae_error=autoencoder.error(row),
        )

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--models", type=Path, required=True)
    options = arguments.parse_args()
    app = build(options.models)
    uvicorn.run(
        app, host=HOST, port=options.port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
