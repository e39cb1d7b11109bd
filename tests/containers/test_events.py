"""`sam local invoke` with every file of events/: each in a new container, each with its documented outcome."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.aws.stack import LocalAws
from tests.containers.installation import token
from tests.template.outcomes import EXPECTED, event, faults
from tests.template.stack import logical_id

AT_ONCE = 3
TIMEOUT_S = 120


def test_every_event_has_its_outcome(aws: LocalAws, tmp_path: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = dict(zip(EXPECTED, pool.map(lambda file: invoke(aws, file, tmp_path), EXPECTED), strict=True))
    assert [fault for file, outcome in outcomes.items() for fault in faults(file, outcome)] == []


def invoke(aws: LocalAws, file: str, folder: Path) -> Any:
    function, _, name = file.partition("/")
    given = folder / f"{function}-{name}"
    given.write_text(json.dumps(event(file, token(aws, "events"))))
    done = subprocess.run(  # noqa: S603 - sam
        aws.sam.invoke(logical_id(function), given),
        env=aws.sam.environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    lines = done.stdout.strip().splitlines()
    assert lines, f"{file}: {done.stderr[-1000:]}"
    return json.loads(lines[-1])
