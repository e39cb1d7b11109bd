"""The handlers of the five stages over the packaged release: each answers as the stage itself, by every way in."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from assay import stages
from assay.errors import RequestError, SettingsError
from assay.release.served import MODELS, served_champion
from assay.schemas.base import Contract
from assay.stages import Handler, Stage

STAGES = [
    stages.RULES_ENGINE,
    stages.ISOLATION_FOREST,
    stages.AUTOENCODER,
    stages.XGBOOST_CLASSIFIER,
    stages.DECISION_ENGINE,
]
FEATURES: dict[str, object] = {
    "amount": 4_900,
    "amount_to_avg_ratio": 40.0,
    "tx_count_last_5m": 9,
    "new_device_flag": 1.0,
    "failed_login_count_last_1h": None,
    "channel": "web",
    "geo_country": "RO",
}


@dataclass
class Function:
    """A function as it is deployed, and its stage in this process."""

    stage: Stage[Any, Any]
    handler: Any
    inline: Handler
    request: dict[str, Any]


@pytest.fixture(scope="module", params=STAGES, ids=lambda stage: stage.name)
def function(request: pytest.FixtureRequest) -> Function:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_RELEASES", str(MODELS / "releases"))
        handler = import_module(f"functions.{request.param.name}.handler").handler
    inline = stage_of(request.param)
    return Function(request.param, handler, inline, example(request.param))


def stage_of(stage: Stage[Any, Any]) -> Handler:
    build = import_module(f"functions.{stage.name}.bootstrap").stage
    return build(served_champion(str(MODELS / "releases")).current())


def example(stage: Stage[Any, Any]) -> dict[str, Any]:
    scoring = {"transaction_id": "t-1", "features": FEATURES, "explain": True}
    if stage is not stages.DECISION_ENGINE:
        return scoring
    answers = {other.name: answer(other, scoring).model_dump(mode="json") for other in STAGES[:-1]}
    return {"transaction_id": "t-1", "amount": 4_900.0, "rules": answers.pop("rules_engine"), **answers}


def answer(stage: Stage[Any, Any], document: dict[str, Any]) -> Contract:
    return stage_of(stage)(stage.request_type.model_validate_json(json.dumps(document)))


def url_event(body: str, encoded: bool = False) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "body": body,
        "isBase64Encoded": encoded,
    }


def test_it_answers_as_the_stage_by_every_way_in(function: Function) -> None:
    body = json.dumps(function.request)
    expected = function.inline(function.stage.request_type.model_validate_json(body))
    direct = json.dumps(function.handler(function.request, None), allow_nan=False)
    assert function.stage.response_type.model_validate_json(direct) == expected
    for event in (url_event(body), url_event(base64.b64encode(body.encode()).decode(), encoded=True)):
        served = function.handler(event, None)
        assert served["statusCode"] == 200
        assert function.stage.response_type.model_validate_json(served["body"]) == expected


@pytest.mark.parametrize("payload", [None, [], "text", 7, {}, {"features": {}}])
def test_it_outlives_bad_payloads(function: Function, payload: object) -> None:
    with pytest.raises(RequestError):
        function.handler(payload, None)
    assert function.handler(url_event(json.dumps(payload)), None)["statusCode"] == 422
    assert function.handler(function.request, None)


def test_the_settings_name_the_registry(function: Function) -> None:
    settings = import_module(f"functions.{function.stage.name}.bootstrap").Settings
    assert settings.variables() == {"releases": "ASSAY_RELEASES"}
    assert settings.from_environment({"ASSAY_RELEASES": "s3://bucket/releases"}).releases == "s3://bucket/releases"
    with pytest.raises(SettingsError, match="ASSAY_RELEASES"):
        settings.from_environment({})


def test_the_packaged_release_is_found_beside_the_code() -> None:
    assert Path(__file__).resolve().parents[3] / "models" == MODELS
