"""`assay audit verify`: proves a log in a folder or a bucket, against its anchor where that can be read."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from assay.adapters.local.archive import FolderArchive
from assay.audit.chain import Head
from assay.audit.verification import Proof, ReadAnchor, verify
from assay.errors import AuditHeadError, StorageError
from assay.ports import Archive
from local.audit.anchors import S3, bucket_anchor, folder_anchor

NO_ANCHOR = "verified without an anchor ({}): records missing at the end cannot be seen"
_HEAD = re.compile(r"(\d{1,16}):([0-9a-f]{64})(\s.*)?", re.ASCII)


def run(location: str, anchor_table: str | None, noted: Iterable[Head], as_json: bool) -> int:
    """Prints the proof; returns 0 when the log is whole, else 1."""
    started = time.perf_counter()
    proof = prove(location, not as_json and sys.stderr.isatty(), anchor_table, noted)
    seconds = time.perf_counter() - started
    why = "no --anchor-table" if location.startswith(S3) else "no database beside the folder"
    print(json.dumps(facts(proof, seconds)) if as_json else describe(proof, seconds, why))
    return 0 if proof.whole else 1


def prove(location: str | Path, show: bool, anchor_table: str | None = None, noted: Iterable[Head] = ()) -> Proof:
    """The proof of the log in a folder or under `s3://bucket`. Raises `StorageError`, also for nothing to prove."""
    archive, reader = _opened(location, anchor_table)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        bar = progress.add_task("", total=None)
        shown = verify(archive, reader, lambda done, total: progress.update(bar, completed=done, total=total), noted)
        proof = asyncio.run(shown)
    if reader is None and not proof.objects and proof.whole:
        raise StorageError(f"{location}: holds no audit log")
    return proof


def read_head(text: str) -> Head:
    """`SEQUENCE:HASH`, whatever follows after a blank. Raises `AuditHeadError`."""
    match = _HEAD.fullmatch(text.strip())
    if match is None:
        raise AuditHeadError("a head is SEQUENCE:HASH, as `assay audit head` prints it")
    return Head(int(match[1]), match[2])


def read_heads(path: Path) -> list[Head]:
    """The heads in a file, one per line. Raises `AuditHeadError`, `OSError`."""
    return [read_head(line) for line in path.read_text().splitlines() if line.strip()]


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


def describe(proof: Proof, seconds: float, no_anchor: str) -> str:
    """The proof for a person. `no_anchor`: why there is none, if there is none."""
    lines = [str(proof.broken)] if proof.broken is not None else []
    holds = "whole" if proof.whole else "NOT WHOLE; up to the break"
    speed = f"{seconds:.1f} s, {proof.records / seconds:,.0f}/s"
    lines.append(f"{holds}: {proof.records:,} records in {proof.objects:,} objects ({speed})")
    lines.append(f"head {proof.head.sequence}:{proof.head.hash}")
    anchored = None if proof.anchor is None else f"anchored: the database knows record {proof.anchor.sequence}"
    return "\n".join([*lines, anchored or NO_ANCHOR.format(no_anchor)])


def _opened(location: str | Path, anchor_table: str | None) -> tuple[Archive, ReadAnchor | None]:
    if str(location).startswith(S3):
        from assay.adapters.aws.archive import S3Archive
        from assay.adapters.aws.objects import open_store

        return S3Archive(open_store(str(location))), None if anchor_table is None else bucket_anchor(anchor_table)
    folder = Path(location)
    reader = folder_anchor(folder)
    if reader is None and not folder.is_dir():
        raise StorageError(f"{folder}: no audit log, and no database beside it")
    return FolderArchive(folder), reader
