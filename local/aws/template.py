"""Reads template.yaml the way CloudFormation does: tags, parameters, conditions, references."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.aws.errors import TemplateError

Value = Any
"""Of YAML."""
Lookup = Callable[[str, str | None], Any]
"""Physical value of a resource: what `Ref` gives (attribute None), or `Fn::GetAtt`."""

REGION = "us-east-1"
ACCOUNT = "123456789012"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "assay-local",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()
_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags: `!Ref x` is read as `{"Ref": "x"}`."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Value
    if isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_scalar(node)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def read(path: Path) -> dict[str, Any]:
    """A template file, its short tags written out. Raises `TemplateError`."""
    try:
        document = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(f"{path}: {error}") from error
    if not isinstance(document, dict) or "Resources" not in document:
        raise TemplateError(f"{path}: has no Resources")
    return document


class Template:
    """A template with its parameters filled in. Everything it cannot follow raises `TemplateError`."""

    def __init__(self, document: Mapping[str, Any], overrides: Mapping[str, str] | None = None) -> None:
        self._document = document
        self._parameters = _parameters(document.get("Parameters", {}), overrides or {})
        self.resources: dict[str, dict[str, Any]] = {
            name: resource
            for name, resource in document["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }

    @classmethod
    def load(cls, path: Path, overrides: Mapping[str, str] | None = None) -> Template:
        """Reads the file; `overrides` take the place of parameter defaults."""
        return cls(read(path), overrides)

    def of_type(self, *types: str) -> dict[str, dict[str, Any]]:
        """Logical id -> unresolved properties of the resources of these types that exist."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] in types
        }

    def functions(self) -> dict[str, dict[str, Any]]:
        """Logical id -> unresolved properties of every function, the Globals of the template in them."""
        common = self._document.get("Globals", {}).get("Function", {})
        return {name: _merged(common, own) for name, own in self.of_type("AWS::Serverless::Function").items()}

    def resolve(self, value: Value, lookup: Lookup) -> Value:
        """The value with every intrinsic in it carried out. None when the whole of it is `AWS::NoValue`."""
        resolved = self._resolve(value, lookup)
        return None if resolved is _NOTHING else resolved

    def _resolve(self, value: Value, lookup: Lookup) -> Value:
        if isinstance(value, list):
            return [item for item in (self._resolve(item, lookup) for item in value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(name, argument, lookup)
        resolved = {key: self._resolve(item, lookup) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NOTHING}

    def _intrinsic(self, name: str, argument: Value, lookup: Lookup) -> Value:
        if name == "Ref":
            return self._reference(argument, lookup)
        if name == "Fn::GetAtt":
            return lookup(argument[0], argument[1])
        if name == "Fn::Sub":
            return self._substitute(argument, lookup)
        if name == "Fn::If":
            condition, yes, no = argument
            return self._resolve(yes if self._condition(condition) else no, lookup)
        if name == "Fn::Join":
            separator, parts = argument
            return separator.join(self._resolve(parts, lookup))
        if name == "Fn::Split":
            separator, text = argument
            return self._resolve(text, lookup).split(separator)
        if name == "Fn::Select":
            index, items = argument
            return self._resolve(items, lookup)[int(index)]
        raise TemplateError(f"{name} is not understood here: {argument!r}")

    def _reference(self, name: str, lookup: Lookup) -> Value:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            return self._parameters[name]
        return lookup(name, None)

    def _substitute(self, argument: Value, lookup: Lookup) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument

        def value_of(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in given:
                return str(self._resolve(given[name], lookup))
            if name in PSEUDO or name in self._parameters or name in self.resources:
                return str(self._reference(name, lookup))
            resource, _, attribute = name.partition(".")
            return str(lookup(resource, attribute or None))

        return _PLACEHOLDER.sub(value_of, text).replace("${!", "${")

    def _condition(self, condition: Value) -> bool:
        if isinstance(condition, str):
            try:
                return self._condition(self._document.get("Conditions", {})[condition])
            except KeyError:
                raise TemplateError(f"there is no condition {condition!r}") from None
        (name, argument), *_ = condition.items()
        if name == "Condition":
            return self._condition(argument)
        if name == "Fn::Equals":
            left, right = (self._resolve(side, _no_resources) for side in argument)
            return bool(str(left) == str(right))
        if name == "Fn::Not":
            return not self._condition(argument[0])
        if name == "Fn::And":
            return all(self._condition(part) for part in argument)
        if name == "Fn::Or":
            return any(self._condition(part) for part in argument)
        raise TemplateError(f"{name} is not understood in a condition: {argument!r}")


def _no_resources(name: str, _: str | None) -> Value:
    raise TemplateError(f"a condition cannot refer to {name!r}: it is no parameter")


def _parameters(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    unknown = overrides.keys() - declared.keys()
    if unknown:
        raise TemplateError(f"the template has no parameter {', '.join(sorted(unknown))}")
    values = {name: overrides.get(name, parameter.get("Default")) for name, parameter in declared.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise TemplateError(f"the template needs a value for {', '.join(sorted(missing))}")
    return {name: _number(value) if declared[name]["Type"] == "Number" else value for name, value in values.items()}


def _number(value: Value) -> Value:
    return int(value) if str(value).lstrip("-").isdecimal() else value


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `common`, mappings merged as SAM merges its Globals."""
    merged = {**common, **own}
    for key in common.keys() & own.keys():
        if isinstance(common[key], dict) and isinstance(own[key], dict):
            merged[key] = _merged(common[key], own[key])
    return merged
