"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.served import KeepingUp, OfEachRelease, served_champion
from assay.stage_server import stage_handler
from assay.stages import DECISION_ENGINE
from functions.decision_engine.bootstrap import Settings, stage

_champion = served_champion(Settings.from_environment().releases)
handler = KeepingUp(_champion, stage_handler(DECISION_ENGINE, OfEachRelease(_champion, stage)))
