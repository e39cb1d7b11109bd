"""Turns what pydantic found wrong with a file into one line that names the key."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from assay.errors import AssayError

Model = TypeVar("Model", bound=BaseModel)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no known word is near."""
    by_folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""


def key_path(location: tuple[int | str, ...]) -> str:
    """`("rules", 2, "when")` -> `rules[2].when`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def validated(model: type[Model], data: object, error: type[AssayError], name: str) -> Model:
    """`data` as the strict model; `error` naming the first wrong key otherwise."""
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        location = first["loc"]
        message = first["msg"]
        if first["type"] == "extra_forbidden":
            known = model.model_fields if len(location) == 1 else ()
            message = "unknown key" + did_you_mean(str(location[-1]), known)
        raise error(f"{name}: {key_path(location) or 'file'}: {message}") from None
