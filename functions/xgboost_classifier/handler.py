"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.served import KeepingUp, OfEachRelease, served_champion
from assay.stage_server import stage_handler
from assay.stages import XGBOOST_CLASSIFIER
from functions.xgboost_classifier.bootstrap import Settings, stage

_champion = served_champion(Settings.from_environment().releases)
handler = KeepingUp(_champion, stage_handler(XGBOOST_CLASSIFIER, OfEachRelease(_champion, stage)))
