import pytest

from assay.problems import Problem
from assay.schemas.strict_json import MAX_BODY, parse_object


def test_an_object_is_read_as_it_is() -> None:
    assert parse_object(b'{"a": 1, "b": [1.5, "x", null, true]}') == {"a": 1, "b": [1.5, "x", None, True]}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b'{"a": 1} x', 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        ('{"a": 1}'.encode("utf-16"), 400, "encoding"),
        (b'{"a": "\xff"}', 400, "encoding"),
        (b'{"a": NaN}', 400, "not_finite"),
        (b'{"a": -Infinity}', 400, "not_finite"),
        (b'{"a": 1e309}', 400, "not_finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
        (b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400, "malformed_json"),
        (b'{"a": 1, "a": 2}', 400, "duplicate_key"),
        (b'{"a": {"b": 1, "b": 1}}', 400, "duplicate_key"),
        (b"[]", 422, "validation"),
        (b"null", 422, "validation"),
        (b'"text"', 422, "validation"),
        (b'{"a": "' + b"x" * MAX_BODY + b'"}', 413, "body_too_large"),
        (b'{"a": "4111 1111 1111 1111"}', 422, "card_number"),
        (b'{"a": "\\u0034111111111111111"}', 422, "card_number"),
    ],
)
def test_what_is_refused(body: bytes, status: int, code: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_object(body)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_duplicate_key_is_named() -> None:
    with pytest.raises(Problem) as refused:
        parse_object(b'{"amount": 1, "amount": 1000000}')
    assert [error.field for error in refused.value.errors] == ["amount"]


def test_an_unprintable_key_is_not_echoed() -> None:
    with pytest.raises(Problem) as refused:
        parse_object(b'{"\\ud800": 1, "\\ud800": 2}')
    assert b"ud800" not in refused.value.to_json()
