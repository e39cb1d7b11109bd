"""Labels from a CSV file: what can be read is taken, what cannot is listed by its line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from pydantic import ValidationError

from assay.labels.contracts import LabelRequest
from assay.labels.records import Label, Outcome, Taken
from assay.problems import FieldError, Problem, from_validation
from assay.schemas.base import Contract
from assay.schemas.card_numbers import contains_card_number
from functions.post_auth_intelligence.feedback import Feedback, Sender

MAX_FILE = 4 << 20
"""Bytes, over HTTP: what a Lambda can be sent, and some 100,000 labels."""
MAX_LINE = 1_000
"""Characters. No row of labels is as long."""
MAX_LISTED = 1_000
CHUNK = 100
"""Rows in a commit: more would keep a score waiting."""
COLUMNS = tuple(LabelRequest.model_fields)
REQUIRED = ("transaction_id", "label")


class RefusedRow(Contract):
    """A row that was not taken."""

    line: int
    reason: str


class ImportReport(Contract):
    """What became of a file's rows."""

    recorded: int
    pending: int
    confirmed: int
    unchanged: int
    refused: int
    errors: list[RefusedRow]
    """The first of those that were refused."""


@dataclass(slots=True)
class _Tally:
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    errors: list[RefusedRow] = field(default_factory=list)
    refused: int = 0

    def refuse(self, line: int, reason: str) -> None:
        self.refused += 1
        if len(self.errors) < MAX_LISTED:
            self.errors.append(RefusedRow(line=line, reason=reason))

    def report(self) -> ImportReport:
        kinds = (Outcome.RECORDED, Outcome.PENDING, Outcome.CONFIRMED, Outcome.UNCHANGED)
        counts = {kind.value: self.outcomes[kind] for kind in kinds}
        return ImportReport(**counts, refused=self.refused, errors=sorted(self.errors, key=lambda row: row.line))


class LabelFile:
    """A file with a header and a label per line. No field goes over several lines: an open quote ends with its line."""

    def __init__(self, body: bytes, client_id: str | None = None, max_rows: int | None = None) -> None:
        """`client_id`: of rows that name none. `max_rows`: no file may have more; None: any may.

        Raises `Problem`: 413 for one with more rows, 422 for a header that cannot be used.
        """
        self._lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if max_rows is not None and sum(1 for line in self._lines[1:] if line.strip()) > max_rows:
            raise Problem(413, "too_many_rows", f"A file may have {max_rows} rows; send the labels in several")
        self._header = _header(self._lines[0])
        self._client_id = client_id
        self._seen: dict[tuple[str | None, str], Label] = {}

    def rows(self) -> Iterator[tuple[int, LabelRequest | str]]:
        """(line, its label or why there is none); empty lines are passed over."""
        for number, line in enumerate(self._lines[1:], 2):
            if line.strip():
                yield number, self._row(line)

    def _row(self, line: bytes) -> LabelRequest | str:
        try:
            cells = _cells(line)
        except ValueError as problem:
            return str(problem)
        if len(cells) != len(self._header):
            return f"{len(cells)} fields, the header has {len(self._header)}"
        given = {name: cell for name, cell in zip(self._header, cells, strict=True) if cell}
        if self._client_id is not None:
            given.setdefault("client_id", self._client_id)
        try:
            request = LabelRequest.model_validate(given)
        except ValidationError as error:
            return "; ".join(f"{wrong.field}: {wrong.detail}" for wrong in from_validation(error).errors)
        return self._contradiction(request) or request

    def _contradiction(self, request: LabelRequest) -> str:
        """Two labels of one moment for one transaction: nobody can know which is meant."""
        if request.labelled_at is not None:
            return ""
        first = self._seen.setdefault((request.client_id, request.transaction_id), request.label)
        return "" if first is request.label else "another label than an earlier line has; say labelled_at"


async def import_labels(feedback: Feedback, sender: Sender, file: LabelFile) -> ImportReport:
    """Takes the file's labels. Raises `StorageError`; what was taken stays, and the file can be sent again."""
    tally, rows = _Tally(), file.rows()
    while chunk := list(islice(rows, CHUNK)):
        good: list[tuple[int, LabelRequest]] = []
        for line, found in chunk:
            if isinstance(found, str):
                tally.refuse(line, found)
            else:
                good.append((line, found))
        taken = await feedback.take(sender, [request for _, request in good])
        for (line, _), result in zip(good, taken, strict=True):
            _count(tally, line, result)
    return tally.report()


def _count(tally: _Tally, line: int, result: Taken | str) -> None:
    if isinstance(result, str):
        tally.refuse(line, str(result))
    elif result.outcome is Outcome.FULL:
        tally.refuse(line, FULL)
    else:
        tally.outcomes[result.outcome] += 1


FULL = "Too much was said of this transaction already"


def _header(line: bytes) -> list[str]:
    try:
        names = [name.strip() for name in _cells(line)]
    except ValueError as problem:
        raise _refused(str(problem)) from None
    if len(set(names)) < len(names) or not set(REQUIRED) <= set(names) <= set(COLUMNS):
        raise _refused(f"The first line should name columns: {', '.join(REQUIRED)} and any of {', '.join(COLUMNS)}")
    return names


def _refused(detail: str) -> Problem:
    return Problem(422, "validation", "Not valid: header", [FieldError("header", "header", detail)])


def _cells(line: bytes) -> list[str]:
    """The fields of one line. Raises ValueError, which says nothing of what the line holds."""
    try:
        text = line.decode().rstrip("\r")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if len(text) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} characters")
    if contains_card_number(text):
        raise ValueError("looks like a card number; send a token")
    try:
        cells = next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise ValueError("not CSV: check its quotes") from None
    return [cell.strip() for cell in cells]
