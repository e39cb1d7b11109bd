"""A function's image under the Lambda runtime interface emulator, with the share of a processor its memory buys."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from local.aws.docker import HOST, docker

FULL_PROCESSOR_MB = 1769
"""The memory with which a Lambda has one whole processor; below, its share."""
EMULATOR = "samcli/local/rapid/aws-lambda-rie-x86_64"
INVOCATIONS = "/2015-03-31/functions/function/invocations"
REPORT = re.compile(r"REPORT RequestId.*?\tDuration: ([\d.]+) ms")
READY_S = 60


def emulator() -> Path:
    """The emulator that the SAM tool carries. Raises FileNotFoundError with the mend."""
    found = next((ROOT / ".sam").glob(f"lib/python3*/site-packages/{EMULATOR}"), None)
    if found is None:
        raise FileNotFoundError("no Lambda emulator: run `make .sam/.ready` first")
    return found


@dataclass(frozen=True, slots=True)
class Container:
    """A function that runs. `memory_mb` is what it is billed for."""

    identity: str
    port: int
    memory_mb: int

    def invoke(self, payload: bytes) -> tuple[bytes, float]:
        """The function's answer, and the seconds it took from outside."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{INVOCATIONS}", payload)
        start = time.perf_counter()
        with urllib.request.urlopen(request, timeout=READY_S) as response:
            return response.read(), time.perf_counter() - start

    def log(self) -> str:
        """What the emulator and the function have written so far."""
        done = subprocess.run(["docker", "logs", self.identity], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def durations_ms(self) -> list[float]:
        """What the emulator reported for each invocation so far."""
        return [float(found) for found in REPORT.findall(self.log())]


@contextmanager
def running(image: str, memory_mb: int, environment: Mapping[str, str]) -> Iterator[Container]:
    """The image as a function of this much memory, gone when the block ends."""
    inspected: dict[str, Any] = json.loads(docker("image", "inspect", image))[0]["Config"]
    command = [*(inspected["Entrypoint"] or []), *(inspected["Cmd"] or [])]
    share = min(1.0, memory_mb / FULL_PROCESSOR_MB)
    variables = {**environment, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb)}
    given = [argument for name, value in variables.items() for argument in ("--env", f"{name}={value}")]
    identity = docker(
        *("run", "--detach", "--publish", "127.0.0.1::8080", "--add-host", f"{HOST}:host-gateway"),
        *("--memory", f"{memory_mb}m", "--cpus", f"{share:.3f}", "--volume", f"{emulator()}:/emulator:ro"),
        *given,
        *("--entrypoint", "/emulator", image, *command),
    ).strip()
    try:
        port = int(docker("port", identity, "8080").split(":")[-1])
        _wait(port)
        yield Container(identity, port, memory_mb)
    finally:
        docker("rm", "--force", identity)


def _wait(port: int) -> None:
    """Until the emulator listens; it starts the function at the first invocation."""
    until = time.monotonic() + READY_S
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
