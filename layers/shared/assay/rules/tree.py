"""Reads a rule's text into Python's syntax tree, within bounds. The tree is only ever looked at, never compiled."""

from __future__ import annotations

import ast
import re

from assay.errors import RuleError

MAX_LENGTH = 2000
MAX_NODES = 400
MAX_DEPTH = 24

_CHARACTERS = re.compile(r"[A-Za-z0-9_ .,:<>=!+\-*/()\[\]'\"]*")
_CONTEXT = ast.expr_context | ast.operator | ast.cmpop | ast.boolop | ast.unaryop


def read_tree(source: str) -> tuple[str, ast.expr]:
    """The text with single spaces, and its tree. RuleError for what is no expression, or too large."""
    if len(source) > MAX_LENGTH:
        raise RuleError(f"longer than {MAX_LENGTH} characters")
    text = " ".join(source.split())
    if not text:
        raise RuleError("empty expression")
    if not _CHARACTERS.fullmatch(text):
        bad = next(character for character in text if not _CHARACTERS.fullmatch(character))
        raise RuleError(f"column {text.index(bad) + 1}: character {bad!r} is not part of the rule language")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as problem:
        raise RuleError(f"column {problem.offset or 1}: {problem.msg}") from None
    except (ValueError, MemoryError, RecursionError):
        raise RuleError("cannot be parsed: too long or nested too deeply") from None
    _check_size(tree)
    return text, tree


def _check_size(tree: ast.expr) -> None:
    """Bounds the tree before anything recurses over it."""
    level: list[ast.AST] = [tree]
    total = 0
    for _ in range(MAX_DEPTH):
        total += len(level)
        if total > MAX_NODES:
            raise RuleError(f"more than {MAX_NODES} parts")
        level = [child for node in level for child in ast.iter_child_nodes(node) if not isinstance(child, _CONTEXT)]
        if not level:
            return
    raise RuleError(f"nested deeper than {MAX_DEPTH}")
