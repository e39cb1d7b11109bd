"""`assay audit verify`: proves a log in a folder, against its anchor when the database is beside it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import read_anchor
from assay.audit.verification import Proof, ReadAnchor, verify
from assay.errors import StorageError
from assay.ports import AuditAnchor
from local.embedded import Places

NO_ANCHOR = "verified without an anchor (no database beside the folder): records missing at the end cannot be seen"


def run(folder: Path, as_json: bool) -> int:
    """Prints the proof; returns 0 when the log is whole, else 1."""
    started = time.perf_counter()
    proof = prove(folder, show=not as_json)
    seconds = time.perf_counter() - started
    print(json.dumps(facts(proof, seconds)) if as_json else describe(proof, seconds))
    return 0 if proof.whole else 1


def prove(folder: Path, show: bool) -> Proof:
    """The proof of the log in a folder. Raises `StorageError`, also when there is nothing to prove."""
    database = Places(folder.absolute().parent).database
    reader = _reader(database) if database.exists() else None
    if reader is None and not folder.is_dir():
        raise StorageError(f"{folder}: no audit log, and no {database.name} beside it")
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        bar = progress.add_task("", total=None)
        proof = asyncio.run(
            verify(
                FolderArchive(folder),
                reader,
                lambda done, total: progress.update(bar, completed=done, total=total),
            )
        )
    if reader is None and not proof.objects and proof.whole:
        raise StorageError(f"{folder}: holds no audit log")
    return proof


def facts(proof: Proof, seconds: float) -> dict[str, Any]:
    """The proof for a program."""
    broken = proof.broken
    return {
        "whole": proof.whole,
        "anchored": proof.anchor is not None,
        "records": proof.records,
        "objects": proof.objects,
        "head": {"sequence": proof.head.sequence, "hash": proof.head.hash},
        "broken": None
        if broken is None
        else {"sequence": broken.sequence, "object": broken.key, "reason": broken.reason},
        "seconds": round(seconds, 3),
        "records_per_second": round(proof.records / seconds),
    }


def describe(proof: Proof, seconds: float) -> str:
    """The proof for a person."""
    lines = [str(proof.broken)] if proof.broken is not None else []
    holds = "whole" if proof.whole else "NOT WHOLE; up to the break"
    speed = f"{seconds:.1f} s, {proof.records / seconds:,.0f}/s"
    lines.append(f"{holds}: {proof.records:,} records in {proof.objects:,} objects ({speed})")
    lines.append(f"head {proof.head.sequence}:{proof.head.hash}")
    lines.append(NO_ANCHOR if proof.anchor is None else f"anchored: the database knows record {proof.anchor.sequence}")
    return "\n".join(lines)


def _reader(database: Path) -> ReadAnchor:
    async def read() -> AuditAnchor:
        return read_anchor(database)

    return read
