"""The two texts of every reason, read once from texts.yaml beside this module."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from assay.errors import PolicyError
from assay.features.catalog import BY_NAME
from assay.schemas.base import Contract, FeatureValue
from assay.texts import Template
from assay.validation import validated
from assay.yaml_file import load_mapping
from functions.decision_engine.degradation import MODELS, PARTS

FILE = "texts.yaml"
Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]


@cache
def _template(text: str) -> Template:
    """Split once: the texts are few and fixed."""
    return Template(text)


class Pair(Contract):
    """A text for the analyst, and the key of the text that the customer may read."""

    analyst: Text
    customer: str


class FeatureTexts(Pair):
    """The analyst's text holds `{value}`; a flag has a second one for the value 0."""

    analyst_zero: Text | None = None


class Texts(Contract):
    """texts.yaml: complete, or refused."""

    customer: Annotated[dict[str, Text], Field(min_length=1)]
    """Customer-safe texts: no threshold, no feature, no means of detection."""
    features: dict[str, FeatureTexts]
    models: dict[str, Pair]
    stand_in: dict[str, Pair]
    deny_list: Pair
    trust: Pair

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, given, needed in (
            ("features", set(self.features), set(BY_NAME)),
            ("models", set(self.models), set(MODELS)),
            ("stand_in", set(self.stand_in), set(PARTS)),
        ):
            if given != needed:
                raise PydanticCustomError(
                    "keys", "{name}: {wrong} missing or unknown", {"name": name, "wrong": min(given ^ needed)}
                )
        pairs = [*self.features.values(), *self.models.values(), *self.stand_in.values(), self.deny_list, self.trust]
        for pair in pairs:
            if pair.customer not in self.customer:
                raise PydanticCustomError("customer", "no customer text {key}", {"key": pair.customer})
        for name, texts in self.features.items():
            if (BY_NAME[name].kind == "flag") != (texts.analyst_zero is not None):
                raise PydanticCustomError("zero", "{name}: analyst_zero is for flags, and needed there", {"name": name})
        return self

    def feature(self, name: str, value: FeatureValue) -> tuple[str, str]:
        """(analyst, customer) for a feature's value."""
        texts = self.features.get(name)
        if texts is None:  # a feature of a newer release than this code
            return _template("{name} is {value}").fill({"name": name, "value": value}), self.customer["other"]
        if value is None or value != value:
            return f"unknown: {BY_NAME[name].meaning}", self.customer[texts.customer]
        text = texts.analyst_zero if texts.analyst_zero is not None and value == 0 else texts.analyst
        return _template(text).fill({"value": value}), self.customer[texts.customer]

    def pair(self, pair: Pair, **values: FeatureValue) -> tuple[str, str]:
        """(analyst, customer) with the values put into the analyst's text."""
        return _template(pair.analyst).fill(values, show=_as_is), self.customer[pair.customer]


def _as_is(value: FeatureValue) -> str:
    return str(value)


@cache
def load_texts() -> Texts:
    """The texts that ship with the code. Raises PolicyError when they are not complete."""
    text = files("functions.decision_engine").joinpath(FILE).read_bytes()
    return validated(Texts, load_mapping(text, PolicyError, FILE), PolicyError, FILE)
