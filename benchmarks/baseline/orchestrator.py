"""The baseline's orchestrator: rules, the three models at once, the decision; action and post-auth after the answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, HTTPException

from benchmarks.baseline.rules import early_exit, now
from benchmarks.baseline.schemas import FraudVerdict, RulesResult, Transaction

MODELS = ("isolation_forest", "autoencoder", "xgboost_classifier")


class Pipeline:
    """What the orchestrator does with one transaction."""

    def __init__(self, clients: dict[str, httpx.AsyncClient]) -> None:
        self.clients = clients
        self.background: set[asyncio.Task[None]] = set()

    async def call(self, service: str, path: str, payload: Mapping[str, object]) -> dict[str, object]:
        try:
            response = await self.clients[service].post(path, json=payload)
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise HTTPException(502, f"{service} failed") from error
        except httpx.HTTPError as error:
            raise HTTPException(503, f"{service} unreachable") from error
        answer: dict[str, object] = response.json()
        return answer

    async def score(self, tx: Transaction) -> FraudVerdict:
        body = tx.model_dump()
        rules = RulesResult.model_validate(await self.call("rules_engine", "/evaluate", body))
        if rules.rules_flag == "BLOCK":
            verdict = early_exit(rules)
        else:
            forest, error, boosted = await asyncio.gather(*(self.call(name, "/score", body) for name in MODELS))
            request = {
                "fraud_score": boosted["fraud_score"],
                "if_score": forest["if_score"],
                "ae_error": error["ae_error"],
                "rules_flag": rules.rules_flag,
                "triggered_rules": rules.triggered_rules,
            }
            verdict = FraudVerdict.model_validate(await self.call("decision_engine", "/decide", request))
        task = asyncio.create_task(self.notify(body, verdict))
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return verdict

    async def notify(self, body: dict[str, object], verdict: FraudVerdict) -> None:
        said = verdict.model_dump()
        record = {"transaction": body, "verdict": said, "timestamp": now()}
        calls = [self.call("action_layer", "/execute", said)]
        if not verdict.is_early_exit:
            calls.append(self.call("post_auth_intelligence", "/record", record))
        await asyncio.gather(*calls, return_exceptions=True)


def orchestrator(peers: dict[str, str]) -> FastAPI:
    """The only public service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # httpcore asks for it at every call; a failing search of the disk would be a quarter of the call's cost.
        sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        clients = {name: httpx.AsyncClient(base_url=url, timeout=10.0, limits=limits) for name, url in peers.items()}
        app.state.pipeline = Pipeline(clients)
        yield
        for client in clients.values():
            await client.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/score")
    async def score(tx: Transaction) -> FraudVerdict:
        pipeline: Pipeline = app.state.pipeline
        return await pipeline.score(tx)

    return app
