"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.registry import served_release
from assay.stage_server import stage_handler
from assay.stages import RULES_ENGINE
from functions.rules_engine.bootstrap import Settings, stage

handler = stage_handler(RULES_ENGINE, stage(served_release(Settings.from_environment().releases)))
