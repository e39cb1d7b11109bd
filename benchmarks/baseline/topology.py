"""Starts the baselines' servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.baseline.eight_services import SERVICES
from benchmarks.processes import HOST, free_port, running, wait_ready

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers `POST /score` on this port, and all its processes."""

    port: int
    pids: tuple[int, ...]


Started = tuple[subprocess.Popen[bytes], int, Path]


def _start(stack: ExitStack, module: str, folder: Path, port: int, *arguments: str) -> Started:
    log = folder / f"{module.rpartition('.')[2]}-{port}.log"
    argv = [sys.executable, "-m", module, *arguments]
    return stack.enter_context(running(argv, log, ONE_THREAD)), port, log


@contextmanager
def empty_endpoint(folder: Path) -> Iterator[Served]:
    """The empty FastAPI endpoint."""
    with ExitStack() as stack:
        port = free_port()
        process, _, log = _start(stack, "benchmarks.baseline.empty_app", folder, port, str(port))
        wait_ready(process, port, "/health", log)
        yield Served(port, (process.pid,))


@contextmanager
def bare_app(folder: Path, models: Path) -> Iterator[Served]:
    """The tuned bare app, one process."""
    with ExitStack() as stack:
        port = free_port()
        arguments = (f"--port={port}", f"--models={models}")
        process, _, log = _start(stack, "benchmarks.baseline.bare_app", folder, port, *arguments)
        wait_ready(process, port, "/health", log)
        yield Served(port, (process.pid,))


@contextmanager
def eight_services(folder: Path, models: Path) -> Iterator[Served]:
    """All eight services; the port is the orchestrator's."""
    ports = {service: free_port() for service in SERVICES}
    peers = json.dumps({service: f"http://{HOST}:{port}" for service, port in ports.items()})
    module = "benchmarks.baseline.eight_services"
    with ExitStack() as stack:
        started = [
            _start(stack, module, folder, port, service, f"--port={port}", f"--models={models}", f"--peers={peers}")
            for service, port in ports.items()
        ]
        for process, port, log in started:
            wait_ready(process, port, "/health", log)
        yield Served(ports["orchestrator"], tuple(process.pid for process, _, _ in started))
