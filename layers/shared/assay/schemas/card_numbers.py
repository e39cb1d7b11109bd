"""Finds payment card numbers, so that none is ever accepted, stored or echoed.

A card number here: 13-19 digits in groups (up to three separators ` . : _ -` between them, or none), an issuer's prefix
of that length, and a valid Luhn check digit. Issuer prefixes keep ordinary numeric ids, a tenth of which pass Luhn, out
of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assay.problems import safe_name

SUSPICIOUS = re.compile(r"\d[\d .:_-]{12}")
"""Cheap and too broad: only what matches is looked at closely."""
RUN = re.compile(r"\d(?:[ .:_-]{0,3}\d){12,}")
ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}"  # Discover
    r"|62\d{14,17}"  # UnionPay
    r"|(?:5[0678]|6\d)\d{10,17}"  # Maestro
)
DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def passes_luhn(digits: str) -> bool:
    """True when the last of the ASCII digits is the Luhn check digit of the others."""
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(DOUBLED[n] for n in numbers[1::2])) % 10 == 0


def is_card_number(digits: str) -> bool:
    """True for 13-19 ASCII digits with an issuer's prefix and a valid check digit."""
    return 13 <= len(digits) <= 19 and ISSUERS.fullmatch(digits) is not None and passes_luhn(digits)


def contains_card_number(text: str) -> bool:
    """True when a run of digit groups in the text, or a part of it on group borders, is a card number."""
    return any(is_card_number(candidate) for run in RUN.finditer(text) for candidate in _candidates(run.group()))


def find_card_number(document: Any, text: str | None = None) -> str | None:  # noqa: ANN401 - any JSON
    """The dotted path of the first value or key that holds a card number; None when there is none.

    `text`, the JSON the document was read from, lets ordinary requests pass after one scan; escapes may hide digits.
    """
    if text is not None and "\\" not in text and SUSPICIOUS.search(text) is None:
        return None
    return next((path for path, value in _strings(document, "") if contains_card_number(value)), None)


def _candidates(run: str) -> Iterator[str]:
    groups = [_ascii(group) for group in re.split(r"[ .:_-]+", run)]
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(digits) > 19:
                break
            yield digits


def _ascii(digits: str) -> str:
    """Other scripts' decimal digits (full-width, Arabic-Indic, ...) as ASCII ones."""
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, int):
        yield path, str(value) if abs(value) < 10**40 else ""
    elif isinstance(value, dict):
        for name, inner in value.items():
            inner_path = f"{path}.{safe_name(name)}" if path else safe_name(name)
            yield inner_path, name
            yield from _strings(inner, inner_path)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _strings(inner, f"{path}.{position}" if path else str(position))
