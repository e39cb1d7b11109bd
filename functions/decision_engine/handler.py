"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.registry import served_release
from assay.stage_server import stage_handler
from assay.stages import DECISION_ENGINE
from functions.decision_engine.bootstrap import Settings, stage

handler = stage_handler(DECISION_ENGINE, stage(served_release(Settings.from_environment().releases)))
