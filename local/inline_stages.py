"""The stages of a release in this process: what an embedded installation decides with."""

from __future__ import annotations

from assay import stages
from assay.release import Release
from assay.stages import Handler
from functions.autoencoder import bootstrap as autoencoder
from functions.decision_engine import bootstrap as decision_engine
from functions.isolation_forest import bootstrap as isolation_forest
from functions.rules_engine import bootstrap as rules_engine
from functions.xgboost_classifier import bootstrap as xgboost_classifier


def inline_stages(release: Release) -> dict[str, Handler]:
    """Every stage of the release, in this process."""
    return {
        stages.RULES_ENGINE.name: rules_engine.build(release).evaluate,
        stages.ISOLATION_FOREST.name: isolation_forest.build(release).score,
        stages.AUTOENCODER.name: autoencoder.build(release).score,
        stages.XGBOOST_CLASSIFIER.name: xgboost_classifier.build(release).score,
        stages.DECISION_ENGINE.name: decision_engine.build(release).decide,
    }
