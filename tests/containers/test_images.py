"""What is in an image: its own function, what that needs, nobody as its user, and little of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from local.aws.docker import docker
from local.aws.stack import LocalAws
from local.aws.template import read

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/handler.py"))
TRAINING = {"sklearn", "xgboost", "scipy", "pandas", "polars", "joblib", "pytest", "moto", "boto3", "uvicorn"}
MAX_OWN_MB = 150
LOOKS = {
    "intelligence": ({"polars"}, 350),
    "trainer": ({"polars", "sklearn", "xgboost", "scipy", "joblib"}, 600),
}
"""What it may hold besides, and megabytes: nothing waits for a look over weeks of events, or for a training."""
INSIDE = """
import json, os, sys
found = {"user": os.getuid(), "packages": os.listdir(next(p for p in sys.path if p.endswith("site-packages")))}
found["functions"] = [entry.name for entry in os.scandir("/var/task/functions") if entry.is_dir()]
found["writable"] = [place for place in ("/", "/var/task", "/opt/venv") if os.access(place, os.W_OK)]
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def images(aws: LocalAws) -> dict[str, str]:
    """Function's folder -> its image, as sam has built it."""
    resources = read(aws.sam.folder / "build" / "template.yaml")["Resources"].values()
    functions = [resource for resource in resources if resource["Type"] == "AWS::Serverless::Function"]
    return {
        function["Metadata"]["DockerBuildArgs"]["FUNCTION"]: function["Properties"]["ImageUri"]
        for function in functions
    }


def test_every_function_has_an_image(images: dict[str, str]) -> None:
    assert sorted(images) == FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_it_holds_its_function_and_nothing_else(images: dict[str, str], function: str) -> None:
    found = json.loads(docker("run", "--rm", "--entrypoint", "/opt/venv/bin/python", images[function], "-c", INSIDE))
    assert [name for name in found["functions"] if name != "__pycache__"] == [function]
    allowed, _ = LOOKS.get(function, (set(), 0))
    assert {name.partition("-")[0].partition(".")[0] for name in found["packages"]}.isdisjoint(TRAINING - allowed)
    assert found["user"] != 0
    assert found["writable"] == []


def test_the_trainer_holds_what_trains_and_no_release(images: dict[str, str]) -> None:
    look = "import os, functions.trainer.opening, functions.trainer.run; print(os.listdir('models/releases'))"
    assert docker("run", "--rm", "--entrypoint", "/opt/venv/bin/python", images["trainer"], "-c", look).strip() == "[]"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_its_own_layers_are_small(images: dict[str, str], function: str) -> None:
    base = os.environ.get("ASSAY_BASE_IMAGE") or read(ROOT / "template.yaml")["Parameters"]["BaseImage"]["Default"]
    own = _bytes(images[function]) - _bytes(base)
    _, most = LOOKS.get(function, (set(), MAX_OWN_MB))
    assert 0 < own <= most * 1_000_000


def _bytes(image: str) -> int:
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))
