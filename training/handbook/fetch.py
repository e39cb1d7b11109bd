"""Fetches the Handbook's data from where its authors publish it: one pickle per day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import httpx

from training.handbook.pickles import HandbookError
from training.work import Progress

HOME = "https://raw.githubusercontent.com/Fraud-Detection-Handbook/simulated-data-raw"
COMMIT = "6e67dbd0a3bfe0d7ec33abc4bce5f37cd4ff0d6a"
"""The data as it was when the published figures were reproduced; a branch could change."""
FIRST, LAST = date(2018, 4, 1), date(2018, 9, 14)
"""The days that the published evaluation loads."""
LARGEST = 20_000_000
"""Bytes; a day has about 9,600 transactions, less than one million bytes."""
TIMEOUT = 30.0


def fetch(folder: Path, progress: Progress, transport: httpx.BaseTransport | None = None) -> list[Path]:
    """The days' files in `folder`; those that are there already are not fetched again. Raises HandbookError."""
    days = [FIRST + timedelta(days=count) for count in range((LAST - FIRST).days + 1)]
    files = [folder / f"{day}.pkl" for day in days]
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, transport=transport) as client:
        for done, file in enumerate(files):
            progress("fetching", done / len(files))
            if not file.exists():
                _save(_get(client, f"{HOME}/{COMMIT}/data/{file.name}"), file)
    return files


def _get(client: httpx.Client, url: str) -> bytes:
    try:
        answer = client.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise HandbookError(
            f"{url} cannot be fetched ({type(error).__name__}). Clone "
            "https://github.com/Fraud-Detection-Handbook/simulated-data-raw where there is a network, and name the "
            "folder with --data"
        ) from None
    if len(answer.content) > LARGEST:
        raise HandbookError(f"{url}: larger than {LARGEST:,} bytes: not the Handbook's data")
    return answer.content


def _save(content: bytes, file: Path) -> None:
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.replace(file)  # whole or not there: a stopped run goes on where it was
