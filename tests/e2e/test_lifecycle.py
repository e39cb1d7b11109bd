"""Stopping under load, and every reason not to start: one clear line, exit code 1."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from assay.adapters.sqlite.schema import SCHEMA_VERSION, open_database
from local.server import GRACE_S
from tests.harness import state
from tests.harness.process import ROOT, ServerProcess, free_port, serve_options
from tests.harness.service import EVENTS, Service

PAYMENT = httpx.Response(200, content=(EVENTS / "score_genuine.json").read_bytes()).json()
MARGIN_S = 20


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    found = ServerProcess(tmp_path / "data")
    yield found
    found.close()


async def _load(service: Service, answers: dict[str, bytes], faults: list[str], client_number: int) -> None:
    """Sends until the connection fails; an answer is a whole verdict or a refusal that says so."""
    headers = {"Authorization": f"Bearer {service.token()}"}
    async with httpx.AsyncClient(base_url=service.address, headers=headers, timeout=30) as client:
        for n in range(100_000):
            body = {**PAYMENT, "transaction_id": f"load-{client_number}-{n}", "account_id": f"a-{client_number}"}
            try:
                answer = await client.post("/score", json=body)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                answers[body["transaction_id"]] = answer.content
            elif answer.status_code != 503:
                faults.append(f"HTTP {answer.status_code} {answer.text}")


def test_a_stop_under_load_finishes_what_it_has_accepted(process: ServerProcess) -> None:
    answers: dict[str, bytes] = {}
    faults: list[str] = []

    async def under_load() -> None:
        clients = [asyncio.create_task(_load(process.service, answers, faults, n)) for n in range(16)]
        while len(answers) < 300:
            await asyncio.sleep(0.001)
        process.terminate()
        await asyncio.gather(*clients)

    process.start()
    process.wait_until_ready()
    asyncio.run(under_load())
    code = process.wait(GRACE_S + MARGIN_S)
    assert not faults
    log = process.service.log.read_text()
    assert "Traceback" not in log, log
    assert code == 0

    process.start()
    process.wait_until_ready()
    state.drained(process.service.data)
    rows = state.query(process.service.data, "SELECT transaction_id, verdict FROM decisions")
    stored = {row[0]: bytes(row[1]) for row in rows}
    assert answers.items() <= stored.items()
    assert state.query(process.service.data, "SELECT count(*) FROM scored_events") == [(len(rows),)]


@pytest.mark.parametrize("idle", [True, False])
def test_a_stop_does_not_wait_for_clients_that_never_finish(process: ServerProcess, idle: bool) -> None:
    process.start()
    process.wait_until_ready()
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        if not idle:
            token = process.service.token()
            half = f"POST /score HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            connection.sendall(half.encode() + b"Content-Length: 500\r\n\r\n{")
            with process.service.client() as client:
                assert client.get("/health").status_code == 200
        process.terminate()
        assert process.wait(GRACE_S + MARGIN_S) == 0


def test_a_second_process_is_refused_and_the_first_goes_on(process: ServerProcess) -> None:
    process.start()
    process.wait_until_ready()
    assert "another Assay is running on this data folder" in refusal(process.service.data)
    with process.service.client() as client:
        assert client.get("/ready").status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in refusal(tmp_path / "data", port)


def _of_another_version(database: Path) -> str:
    open_database(database).close()
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    return f"schema version {SCHEMA_VERSION + 1}"


def _of_somebody_else(database: Path) -> str:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE notes (text)")
    return "not a database of Assay"


def _of_noise(database: Path) -> str:
    database.write_bytes(bytes(range(256)) * 64)
    return "not a database"


def _a_folder(database: Path) -> str:
    database.mkdir()
    return "assay.db"


def _torn(database: Path) -> str:
    open_database(database).close()
    with database.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 2_000)
    return "assay.db"


@pytest.mark.parametrize("make", [_of_another_version, _of_somebody_else, _of_noise, _a_folder, _torn])
def test_a_database_that_is_not_ours_is_refused(tmp_path: Path, make: Callable[[Path], str]) -> None:
    reason = make(tmp_path / "assay.db")
    assert reason in refusal(tmp_path)


def test_a_locked_database_is_refused(tmp_path: Path) -> None:
    open_database(tmp_path / "assay.db").close()
    holder = sqlite3.connect(tmp_path / "assay.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert "locked" in refusal(tmp_path)
    finally:
        holder.close()


def test_a_broken_token_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "token-signing.json").write_text("not a key")
    assert "token-signing.json" in refusal(tmp_path)


@pytest.mark.parametrize("inside", ["nothing", "a database"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, inside: str) -> None:
    if inside == "a database":
        open_database(tmp_path / "assay.db").close()
        (tmp_path / "assay.lock").touch()
    for path in tmp_path.iterdir():
        path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        line = refusal(tmp_path)
    finally:
        tmp_path.chmod(0o755)
    assert "assay." in line
    assert "denied" in line or "readonly" in line


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert str(tmp_path / "data") in refusal(tmp_path / "data")


def _as_others_are() -> None:
    """Root may write everywhere: give that up (PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) before the program starts."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def refusal(data: Path, port: int | None = None) -> str:
    """The one line that `assay serve` says when it does not start."""
    command = [sys.executable, "-m", "local", *serve_options(port or free_port(), data)]
    run = subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False, preexec_fn=_as_others_are
    )
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr, run.stderr
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, run.stderr
    return lines[0]
