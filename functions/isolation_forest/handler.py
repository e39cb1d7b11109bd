"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.registry import served_release
from assay.stage_server import stage_handler
from assay.stages import ISOLATION_FOREST
from functions.isolation_forest.bootstrap import Settings, stage

handler = stage_handler(ISOLATION_FOREST, stage(served_release(Settings.from_environment().releases)))
