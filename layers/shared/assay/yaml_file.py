"""Reads a YAML file of a release: safe tags only, no aliases, no duplicate keys, bounded size and depth.

A YAML "bomb" needs aliases, a code-loading tag needs an explicit tag, and a key given twice silently loses one of its
values: all three are refused before anything is built.
"""

from __future__ import annotations

from typing import Any

import yaml

from assay.errors import AssayError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _refused(problem: str, at: Any) -> yaml.MarkedYAMLError:  # noqa: ANN401 - a node or an event of either parser
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader, refusing keys that are given twice and merge keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag != "tag:yaml.org,2002:str":
                raise _refused("a key that is not a string", key_node)
            if key_node.value in seen:
                raise _refused(f"key {key_node.value!r} given twice", key_node)
            seen.add(key_node.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _check_events(text: str) -> None:
    """Walks the file once without building anything."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases are not allowed", event)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags are not allowed", event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _refused(f"nested deeper than {MAX_DEPTH}", event)


def load_mapping(text: str | bytes, error: type[AssayError], name: str) -> dict[str, Any]:
    """The mapping at the top of the file; `error`, naming the file and the place, for anything else."""
    if len(text) > MAX_BYTES:
        raise error(f"{name}: larger than {MAX_BYTES} bytes")
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        _check_events(decoded)
        data = yaml.load(decoded, Loader=_Loader)  # noqa: S506 - a safe loader, see above
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise error(f"{name}: {place}{problem.problem}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as problem:
        raise error(f"{name}: not valid YAML: {str(problem).splitlines()[0][:200]}") from None
    if not isinstance(data, dict):
        raise error(f"{name}: the top of the file is not a mapping")
    return data
