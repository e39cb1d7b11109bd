"""A stage of the pipeline = a name + a request type + a response type, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from assay.schemas.base import Contract
from assay.schemas.stages import (
    AutoencoderScore,
    DecisionRequest,
    DecisionResult,
    FraudScore,
    IsolationForestScore,
    RulesResult,
    ScoringInput,
)

Request = TypeVar("Request", bound=Contract)
Response = TypeVar("Response", bound=Contract)


@dataclass(frozen=True, slots=True)
class Stage(Generic[Request, Response]):
    """One step of the pipeline, as its callers know it."""

    name: str
    request_type: type[Request]
    response_type: type[Response]


RULES_ENGINE = Stage("rules_engine", ScoringInput, RulesResult)
ISOLATION_FOREST = Stage("isolation_forest", ScoringInput, IsolationForestScore)
AUTOENCODER = Stage("autoencoder", ScoringInput, AutoencoderScore)
XGBOOST_CLASSIFIER = Stage("xgboost_classifier", ScoringInput, FraudScore)
DECISION_ENGINE = Stage("decision_engine", DecisionRequest, DecisionResult)

Handler = Callable[[Any], Contract]
"""A stage in this process: request in, response out."""
