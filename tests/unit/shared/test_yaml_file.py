"""The YAML reader of release files: what it refuses, and where it says so."""

from __future__ import annotations

import pytest

from assay.errors import PolicyError
from assay.yaml_file import MAX_BYTES, load_mapping


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: 2", "line 1, column 4: anchors and aliases"),
        ("a: &x [1]\nb: *x", "anchors and aliases"),
        ("a: !!str 1", "line 1, column 4: tags"),
        ("a: !x 1", "tags"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "line 4, column 3: key 'c' given twice"),
        ("a: 1\n? 2\n: 3", "a key that is not a string"),
        ("<<: {a: 1}", "a key that is not a string"),
        ("a: " + "[" * 12 + "]" * 12, "nested deeper"),
        ("- a", "not a mapping"),
        ("a: [", "line 2"),
        ("a" * (MAX_BYTES + 1), "larger than"),
        (b"a: \xff", "not valid YAML"),
        ("a: 2020-99-99", "not valid YAML"),
        ("a: 1\n---\nb: 2", "line 2"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(PolicyError) as problem:
        load_mapping(text, PolicyError, "x.yaml")
    assert str(problem.value).startswith("x.yaml: ")
    assert message in str(problem.value)


def test_read() -> None:
    assert load_mapping(b"a: [1, 2.5, true, null, 'x']\nb: {c: d}", PolicyError, "x.yaml") == {
        "a": [1, 2.5, True, None, "x"],
        "b": {"c": "d"},
    }
