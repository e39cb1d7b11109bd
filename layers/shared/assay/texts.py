"""Texts with `{name}` placeholders that are filled with plain values: no attribute, index or format access."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from assay.schemas.base import FeatureValue

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
MAX_LABEL = 64


def plain_value(value: FeatureValue) -> str:
    """A value as a person reads it: `12,000`, `0.86`, `mobile`, `unknown`."""
    if value is None or value != value:
        return "unknown"
    if isinstance(value, str):
        return "".join(character for character in value[:MAX_LABEL] if character.isprintable())
    size = abs(value)
    if size >= 1e15 or 0 < size < 0.01:
        return f"{value:.3g}"
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


class Template:
    """A text, split once at its placeholders."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for a brace that belongs to no `{name}`."""
        pieces = _PLACEHOLDER.split(text)
        if any("{" in literal or "}" in literal for literal in pieces[::2]):
            raise ValueError("a brace that is not part of a {name} placeholder")
        self.text = text
        self.names = tuple(pieces[1::2])
        self._literals = pieces[::2]

    def fill(self, values: Mapping[str, FeatureValue], show: Callable[[FeatureValue], str] = plain_value) -> str:
        """The text with the values put in; an absent value reads `unknown`. What is put in is never read again."""
        if not self.names:
            return self.text
        filled = [self._literals[0]]
        for name, literal in zip(self.names, self._literals[1:], strict=True):
            filled += (show(values.get(name)), literal)
        return "".join(filled)
