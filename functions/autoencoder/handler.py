"""The Lambda function's entry point."""

from __future__ import annotations

from assay.release.registry import served_release
from assay.stage_server import stage_handler
from assay.stages import AUTOENCODER
from functions.autoencoder.bootstrap import Settings, stage

handler = stage_handler(AUTOENCODER, stage(served_release(Settings.from_environment().releases)))
