"""template.yaml as CloudFormation would carry it out, for one choice of parameters."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.aws.template import Template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
INLINE = {"RulesEnginePlacement": "Inline", "DecisionEnginePlacement": "Inline", "GeoipPlacement": "Inline"}
EXTRAS = {"Tracing": "Active", "AlarmEmail": "a@example.org", "ProvisionedConcurrency": "2"}
TRAINER_KEY = "TrainerKeySecret"
"""In the place of its ARN: it is made before the stack is."""
TRAINER = {"TrainerKeySecret": TRAINER_KEY}
CHOICES: dict[str, dict[str, str]] = {
    "all_separate": TRAINER,
    "without_trainer": {},
    "cheap_stages_inline": INLINE | TRAINER,
    "one_function": {**INLINE, **TRAINER, "ModelsPlacement": "Inline"},
    "with_every_extra": {**EXTRAS, **TRAINER, "AwsEndpoint": "http://moto:5000", "LambdaEndpoint": "http://sam:3001"},
}

Resources = dict[str, dict[str, Any]]
"""Logical id -> resource. What refers to another resource is text: `Name` for its Ref, `Name.Arn` for its attribute."""


@cache
def expanded(parameters: str = "{}") -> dict[str, Any]:
    """The template after SAM's translator, which the SAM tool's environment has. Fails when there is none.

    `parameters` (JSON) matter for the names of versions only; everything else keeps its references to parameters.
    """
    python = Path(os.environ.get("ASSAY_SAM_PYTHON") or ROOT / ".sam" / "bin" / "python")
    if not python.exists():
        pytest.fail(
            f"{python}: no such file; the SAM tool's environment is made by `make`, or named by ASSAY_SAM_PYTHON"
        )
    script = Path(__file__).with_name("expand.py")
    done = subprocess.run([python, script, TEMPLATE, parameters], capture_output=True, text=True, timeout=300)  # noqa: S603
    if done.returncode:
        pytest.fail(f"SAM refuses the template: {done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@cache
def stack(choice: str) -> Resources:
    """The resources that CloudFormation would make. Shared: copy before changing anything."""
    template = Template(expanded(), CHOICES[choice])
    return {name: template.resolve(resource, _symbol) for name, resource in template.resources.items()}


def _symbol(name: str, attribute: str | None) -> str:
    return name if attribute is None else f"{name}.{attribute}"


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    """Logical id -> properties of the resources of a type."""
    return {name: r.get("Properties", {}) for name, r in resources.items() if r["Type"] == kind}


def functions(resources: Resources) -> dict[str, dict[str, Any]]:
    """Folder of functions/ -> properties of the Lambda function that is built from it."""
    return {
        resource["Metadata"]["DockerBuildArgs"]["FUNCTION"]: resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def logical_id(folder: str) -> str:
    """Of the function that is built from the folder."""
    return "".join(part.capitalize() for part in folder.split("_")) + "Function"


def variables(function: Mapping[str, Any]) -> dict[str, Any]:
    """A function's environment."""
    return dict(function.get("Environment", {}).get("Variables", {}))


def as_list(value: Any) -> list[Any]:
    """CloudFormation takes one thing or a list of them."""
    return value if isinstance(value, list) else [value]
