"""Assay itself, as the benchmarks use it: its release in process, its server as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from assay.features.rates import Rates
from assay.features.transaction import Transaction
from assay.release import Release
from benchmarks.machine import ROOT
from benchmarks.processes import HOST, free_port, running, wait_ready
from functions.orchestrator.intake import read_transaction
from local.champion import open_champion
from local.inline_stages import inline_stages
from local.places import Places

TOKEN_SECONDS = 3600


@cache
def release() -> Release:
    """The champion, verified."""
    with working_folder() as folder:
        return open_champion(Places(folder))


@cache
def stages() -> dict[str, Callable[[Any], Any]]:
    """Every stage of the champion, in this process, as the embedded server calls it."""
    return dict(inline_stages(release()))


@cache
def rates() -> Rates:
    """The release's rates of exchange."""
    return Rates.load(release().read("rates.yaml"))


def transaction(body: bytes) -> Transaction:
    """A request body as the features see it, read by the product's own intake."""
    return read_transaction(body, "bench", rates(), datetime.now(UTC)).transaction


def command(*arguments: str) -> list[str]:
    """The `assay` command of this environment."""
    script = Path(sys.executable).with_name("assay")
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "local.cli", *arguments]


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder beside the code, on the disk: in a memory file system a durable commit would cost nothing."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "var", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def sync_cost_ms(folder: Path, times: int = 50) -> float:
    """Median of one small append made durable with fsync in the folder, in ms: the floor of a durable commit."""
    spent = []
    with (folder / "sync-probe").open("wb", buffering=0) as file:
        for _ in range(times):
            start = time.perf_counter()
            file.write(b"x" * 512)
            os.fsync(file.fileno())
            spent.append((time.perf_counter() - start) * 1000)
    return sorted(spent)[times // 2]


@dataclass(frozen=True, slots=True)
class Server:
    """A running `assay serve`."""

    port: int
    pids: tuple[int, ...]
    token: str


def mint(data: Path) -> str:
    """A bearer token for the server of this data folder."""
    argv = command("token", f"--data-dir={data}", "--client=bench", "--scope=score:write", f"--ttl={TOKEN_SECONDS}")
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"assay token: {done.stderr[-400:]}")
    return done.stdout.strip()


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """`assay serve` on a fresh data folder, ready."""
    data, port, log = folder / "data", free_port(), folder / "assay.log"
    token = mint(data)
    argv = command("serve", f"--host={HOST}", f"--port={port}", f"--data-dir={data}")
    with running(argv, log) as process:
        wait_ready(process, port, "/ready", log)
        yield Server(port, (process.pid,), token)
