"""From starting the process to the first verdict, the way a user starts it."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from benchmarks import product
from benchmarks.bodies import transaction_bodies
from benchmarks.figures import Figure, Settings
from benchmarks.processes import HOST, NotReadyError, free_port, running
from benchmarks.timing import median

PATIENCE_S = 60


def first_verdict(folder: Path, number: int, body: bytes) -> float:
    """Seconds from starting `assay serve` on a fresh data folder until it has answered a verdict."""
    data, port, log = folder / f"data-{number}", free_port(), folder / f"assay-{number}.log"
    token = product.mint(data)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    argv = product.command("serve", f"--host={HOST}", f"--port={port}", f"--data-dir={data}")
    start = time.perf_counter()
    with running(argv, log) as process:
        while time.perf_counter() - start < PATIENCE_S and process.poll() is None:
            if _verdict(port, body, headers):
                return time.perf_counter() - start
            time.sleep(0.004)
        raise NotReadyError(f"assay serve gave no verdict: {log.read_text('utf-8', 'replace')[-800:]}")


def _verdict(port: int, body: bytes, headers: dict[str, str]) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("POST", "/score", body, headers)
        response = connection.getresponse()
        answer = response.read()
    except OSError:
        return False
    finally:
        connection.close()
    if response.status not in (200, 503):
        raise NotReadyError(f"the first transaction was answered {response.status}: {answer[:300]!r}")
    return response.status == 200 and b'"decision"' in answer


def measure(settings: Settings) -> list[Figure]:
    """Median of several starts; the one before them leaves the compiled files and the page cache warm."""
    bodies = list(transaction_bodies(settings.pick(8, 3), prefix="start"))
    with product.working_folder() as folder:
        spent = [first_verdict(folder, number, body) for number, body in enumerate(bodies)][1:]
    note = f"{len(spent)} starts, {min(spent):.2f} to {max(spent):.2f} s"
    return [Figure("start", "process start to first verdict, embedded", median(spent), "s", 1.5, "<=", "", note)]
