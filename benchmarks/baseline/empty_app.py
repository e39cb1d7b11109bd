"""An empty endpoint on the same server: what HTTP and the framework alone cost."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from benchmarks.processes import HOST

app = FastAPI()


@app.post("/score")
async def score() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        app, host=HOST, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
