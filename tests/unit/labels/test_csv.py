"""A file of labels: what can be read is taken, what cannot is listed by its line and says nothing of its values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.labels.contracts import LabelRequest
from assay.labels.records import Label
from assay.problems import Problem
from functions.post_auth_intelligence.feedback_csv import MAX_LINE, LabelFile

HEADER = b"transaction_id,label,client_id,labelled_at,note\n"


def read(body: bytes, client: str | None = None) -> tuple[dict[int, LabelRequest], dict[int, str]]:
    rows = dict(LabelFile(body, client).rows())
    good = {line: row for line, row in rows.items() if isinstance(row, LabelRequest)}
    return good, {line: row for line, row in rows.items() if isinstance(row, str)}


def test_broken_rows_are_told_by_line_and_the_rest_is_read() -> None:
    body = (
        HEADER
        + "\n".join(
            [
                "t-2,fraud_confirmed,shop,2026-11-01T10:00:00Z,called",
                't-3,legitimate,shop,,"with, a comma"',
                "t-4,maybe,shop,,",
                "t-5,legitimate,shop",
                't-6,legitimate,shop,,"an open quote',
                "t-7,legitimate,shop,yesterday,",
                "t 8,legitimate,shop,,",
                "",
                "t-10,legitimate,shop,,4111 1111 1111 1111",
                "t-11,false_positive,,,",
                "t-12,inconclusive,shop,,hidden \u202e text",
                f"t-13,legitimate,shop,,{'x' * MAX_LINE}",
                ",legitimate,shop,,",
            ]
        ).encode()
        + b"\nt-15,legitimate,shop,,\xff\n"
    )
    good, bad = read(body)
    assert {line: row.transaction_id for line, row in good.items()} == {2: "t-2", 3: "t-3", 11: "t-11"}
    assert (good[3].note, good[11].client_id, good[2].label) == ("with, a comma", None, Label.FRAUD_CONFIRMED)
    assert sorted(bad) == [4, 5, 6, 7, 8, 10, 12, 13, 14, 15]
    assert bad[4].startswith("label: ") and bad[7].startswith("labelled_at: ") and bad[14].startswith("transaction_id")
    told = " ".join(bad.values())
    assert not any(value in told for value in ("maybe", "yesterday", "4111", "hidden", "t-5", "t 8"))


def test_spreadsheets_and_clients() -> None:
    good, bad = read(b"\xef\xbb\xbflabel,transaction_id\r\nlegitimate,a\r\n\r\nfraud_confirmed,b\r\n", "shop")
    assert ([row.client_id for row in good.values()], bad) == (["shop", "shop"], {})
    named, _ = read(HEADER + b"a,legitimate,bank,,\n", "shop")
    assert named[2].client_id == "bank"


def test_two_labels_for_one_transaction_need_their_moments() -> None:
    rows = b"a,legitimate,shop,,\na,legitimate,shop,,\na,fraud_confirmed,shop,,\na,fraud_confirmed,bank,,\n"
    good, bad = read(HEADER + rows + b"a,inconclusive,shop,2026-11-01T10:00:00Z,\n")
    assert (sorted(good), sorted(bad)) == ([2, 3, 5, 6], [4])


@pytest.mark.parametrize(
    "header", [b"", b"label\n", b"transaction_id,lable\n", b"transaction_id,label,label\n", b"\xff\n", b'"label\n']
)
def test_a_header_that_cannot_be_used_is_refused(header: bytes) -> None:
    with pytest.raises(Problem) as refused:
        LabelFile(header + b"a,legitimate\n")
    assert (refused.value.status, refused.value.errors[0].field) == (422, "header")


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_told(garbage: bytes) -> None:
    good, bad = read(HEADER + garbage)
    filled = [line for line in garbage.split(b"\n") if line.strip()]
    assert len(good) + len(bad) == len(filled)


def test_an_empty_file_has_no_rows() -> None:
    assert read(HEADER) == ({}, {})
