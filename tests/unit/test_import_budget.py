"""What a function loads before its first request. A cold start is mostly imports: what a stage does not use, it must
not load.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

import pytest

from assay.release.served import MODELS

MODEL_STAGES = ["isolation_forest", "autoencoder", "xgboost_classifier"]
PLAIN_STAGES = ["rules_engine", "decision_engine"]
OF_RELEASES = MODEL_STAGES + PLAIN_STAGES
STAGES = [*OF_RELEASES, "geoip"]
OTHERS = [
    "functions.users.aws",
    "functions.alerts.aws",
    "functions.action_layer.aws",
    "functions.challenges.aws",
    "functions.client_events.aws",
    "functions.post_auth_intelligence.aws",
    "functions.post_auth_intelligence.app",
    "functions.audit_log.app",
    "functions.audit_log.bootstrap",
]
"""What the entry points of functions load whose import needs AWS."""
FOREIGN = {
    "aiobotocore",
    "aiohttp",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "httpx",
    "jwt",
    "mangum",
    "pandas",
    "polars",
    "rich",
    "scipy",
    "sklearn",
    "sqlite3",
    "starlette",
    "typer",
    "uvicorn",
    "xgboost",
}
"""Top-level packages that no stage loads, though this environment has most of them."""
OF_MODELS = {"numpy", "pandas", "polars", "scipy", "sklearn", "xgboost"}
HEAVY = {"cryptography", "obstore", "pydantic", "yaml"}
"""What a function needs and `assay --help` does not."""
OF_EMBEDDED = {"boto3", "moto", "sqlite3", "typer", "uvicorn"}


@cache
def loaded_by(module: str) -> frozenset[str]:
    """Every module that a new process holds after importing one, or some."""
    code = f"import sys, json, {module}; print(json.dumps(list(sys.modules)))"
    environment = os.environ | {"ASSAY_RELEASES": str(MODELS / "releases")}
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return frozenset(json.loads(run.stdout))


def packages_of(module: str) -> set[str]:
    return {name.partition(".")[0] for name in loaded_by(module)}


@pytest.mark.parametrize("entry", ["bootstrap", "handler"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_nothing_foreign(stage: str, entry: str) -> None:
    assert packages_of(f"functions.{stage}.{entry}").isdisjoint(FOREIGN)


@pytest.mark.parametrize("module", OTHERS)
def test_what_decides_nothing_loads_no_model_and_nothing_of_the_embedded_server(module: str) -> None:
    assert packages_of(module).isdisjoint(OF_MODELS | OF_EMBEDDED)


def test_the_look_loads_polars_and_nothing_that_learns_or_serves() -> None:
    loaded = packages_of("functions.intelligence.aws")
    assert "polars" in loaded
    assert loaded.isdisjoint((OF_MODELS | OF_EMBEDDED | {"starlette", "mangum", "jwt"}) - {"numpy", "polars"})


def test_the_trainer_loads_what_trains_only_when_it_does() -> None:
    """A cold start that takes longer than ten seconds is begun again."""
    settings = ("ARCHIVE", "RELEASES", "TRAINING", "RELEASE_KEY", "LABELS_TABLE", "OUTBOX_TABLE", "EVENTS_TOPIC")
    with pytest.MonkeyPatch.context() as patch:
        for name in settings:
            patch.setenv(f"ASSAY_{name}", "any")
        patch.setenv("ASSAY_MEMORY_MB", "3538")
        assert packages_of("functions.trainer.handler").isdisjoint(OF_MODELS | OF_EMBEDDED)
    loaded = loaded_by("functions.trainer.opening, functions.trainer.run")
    packages = {name.partition(".")[0] for name in loaded}
    assert {"sklearn", "xgboost", "polars"} <= packages
    assert packages.isdisjoint(OF_EMBEDDED | {"local", "starlette"})
    assert "training.command" not in loaded  # it shows progress to people: its package is in no image


def test_the_command_loads_nothing_of_what_its_commands_do() -> None:
    """Each command imports what it needs when it runs, and no other waits for that."""
    assert packages_of("local.cli").isdisjoint((FOREIGN | OF_MODELS | OF_EMBEDDED | HEAVY) - {"typer"})
    assert "local.embedded" not in loaded_by("local.cli")


@pytest.mark.parametrize("module", ["local.explanation", "local.audit.redecide", "local.registry", "local.replay.run"])
def test_what_decides_offline_does_not_load_the_server(module: str) -> None:
    assert packages_of(module).isdisjoint({"starlette", "aiohttp", "uvicorn"})


@pytest.mark.parametrize("stage", [*PLAIN_STAGES, "geoip"])
def test_a_stage_without_a_model_loads_no_numpy(stage: str) -> None:
    assert "numpy" not in packages_of(f"functions.{stage}.handler")


@pytest.mark.parametrize("stage", MODEL_STAGES)
def test_a_model_stage_loads_numpy(stage: str) -> None:
    """Otherwise the test above would look at the wrong thing."""
    assert "numpy" in packages_of(f"functions.{stage}.handler")


@pytest.mark.parametrize("stage", ["rules_engine", "isolation_forest", "autoencoder", "geoip"])
def test_what_decides_nothing_by_the_policy_does_not_load_it(stage: str) -> None:
    assert "assay.policy" not in loaded_by(f"functions.{stage}.handler")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_no_other_function(stage: str) -> None:
    functions = {name for name in loaded_by(f"functions.{stage}.handler") if name.startswith("functions.")}
    own = f"functions.{stage}"
    assert functions
    assert all(name == own or name.startswith(f"{own}.") for name in functions)


@pytest.mark.parametrize("stage", OF_RELEASES)
def test_the_bootstrap_alone_opens_no_registry(stage: str) -> None:
    """An orchestrator, and the embedded server, place a stage in their own process by its bootstrap."""
    assert "obstore" not in packages_of(f"functions.{stage}.bootstrap")
    assert "obstore" in packages_of(f"functions.{stage}.handler")
