"""The few lines of docs/events.md that verify a signature do what they say."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from assay.webhooks.signing import Secret, new_secret, signed_headers

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "events.md"
BODY = b'{"type":"account.frozen"}'


@pytest.fixture(scope="module")
def verified() -> Any:
    """The function of the document."""
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "def " in code]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own document
    return names["verified"]


def test_it_takes_what_one_of_the_secrets_signed(verified: Any) -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers("evt_1", int(time.time()), BODY, [Secret.parse(new), Secret.parse(old)])
    assert verified(old, headers, BODY) == verified(new, headers, BODY) == {"type": "account.frozen"}


@pytest.mark.parametrize(("body", "age"), [(BODY + b" ", 0), (BODY, 400), (BODY, -400)])
def test_it_refuses_what_was_changed_or_is_old(verified: Any, body: bytes, age: int) -> None:
    secret = new_secret()
    headers = signed_headers("evt_1", int(time.time()) - age, BODY, [Secret.parse(secret)])
    with pytest.raises(ValueError, match="not signed, or too old"):
        verified(secret, headers, body)
    with pytest.raises(ValueError, match="not signed, or too old"):
        verified(new_secret(), headers, BODY)
