"""`python -m local.aws`: everything up, until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from assay.errors import AssayError
from local import tokens
from local.aws.stack import ROOT, Choices, LocalAws, local_aws
from local.places import Places

TOKEN_S = 3600


def main() -> int:
    """Exit code: 0 after Ctrl-C or SIGTERM, 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(prog="make sam-local", description="Assay in containers, on an imitation of AWS.")
    parser.add_argument("--port", type=int, default=3000, help="of the API, on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, default=Path("var"), help="keys, logs, builds (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    places = Places(arguments.data_dir.resolve())
    choices = Choices(places, arguments.port, os.environ.get("ASSAY_BASE_IMAGE", ""))
    try:
        with local_aws(choices, lambda line: print(f"sam-local: {line}", flush=True)) as aws:
            _greet(aws)
            aws.wait()
    except KeyboardInterrupt:
        print("sam-local: stopped", flush=True)
        return 0
    except AssayError as error:
        print(f"sam-local: {error}", file=sys.stderr)
    return 1


def _stop(_: int, __: FrameType | None) -> None:
    """The first signal ends the run; later ones must not cut the taking down short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _greet(aws: LocalAws) -> None:
    token = tokens.mint(aws.places.keys, "dev", tokens.SCOPES, TOKEN_S)
    sample = os.path.relpath(ROOT / "events" / "score_risky.json")
    print(
        f"\nAssay: {aws.api_url}   documentation: {aws.api_url}/docs   AWS: {aws.aws_url}   logs: {aws.sam.folder}\n\n"
        f"curl -s {aws.api_url}/score -H 'Content-Type: application/json' -d @{sample} \\\n"
        f"  -H 'Authorization: Bearer {token}'\n\n"
        "A first admin, in another terminal (docs/local-aws.md goes on from there: log in, register a client):\n\n"
        f"export {' '.join(f'{name}={value}' for name, value in aws.environment().items())}\n"
        f".venv/bin/assay users create-admin ana@bank.example --users-table {aws.resources['IdentityTable'].ref} \\\n"
        f"  --outbox-table {aws.resources['OutboxTable'].ref} --events-topic {aws.resources['EventsTopic'].ref}\n\n"
        "Ctrl-C stops it all.",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
