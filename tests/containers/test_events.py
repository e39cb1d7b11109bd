"""Every file of events/ has its documented outcome in the containers."""

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


def test_every_event_has_its_outcome(aws: LocalAws) -> None:
    """One after the other in a function's warm container: what was wrong with one event must not spoil the next."""
    outcomes = {file: json.loads(invoked(aws, file)) for file in EXPECTED}
    assert [fault for file, outcome in outcomes.items() for fault in faults(file, outcome)] == []


def test_sam_local_invoke_gives_the_same(aws: LocalAws, tmp_path: Path) -> None:
    """The first event of each function, each in a new container."""
    files = list({file.partition("/")[0]: file for file in reversed(EXPECTED)}.values())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = dict(zip(files, pool.map(lambda file: invoked_by_command(aws, file, tmp_path), files), strict=True))
    assert [fault for file, outcome in outcomes.items() for fault in faults(file, outcome)] == []


def invoked(aws: LocalAws, file: str) -> bytes:
    given = json.dumps(event(file, token(aws, "events")))
    return aws.functions.outcome(logical_id(file.partition("/")[0]), given, TIMEOUT_S)


def invoked_by_command(aws: LocalAws, file: str, folder: Path) -> Any:
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
