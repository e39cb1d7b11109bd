"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.registry import served_release
from assay.stage_server import stage_handler
from assay.stages import XGBOOST_CLASSIFIER
from functions.xgboost_classifier.bootstrap import Settings, stage

handler = stage_handler(XGBOOST_CLASSIFIER, stage(served_release(Settings.from_environment().releases)))
