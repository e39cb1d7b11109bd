"""The Lambda function's entry point."""

from __future__ import annotations

from assay.geoip import GEOIP
from assay.stage_server import stage_handler
from functions.geoip.bootstrap import served

handler = stage_handler(GEOIP, served())
