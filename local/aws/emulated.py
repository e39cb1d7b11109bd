"""Lets `sam local` run images that drop root.

sam adds its emulator of the Lambda runtime to an image with commands that take root, and runs them as the image's own
user. So each image gets a twin that starts as root and drops to that user only when the emulator starts the function.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.aws.docker import docker
from local.aws.template import read


def write_template(built: Path, target: Path) -> None:
    """The built template with every image replaced by its twin, as JSON, which is YAML too."""
    document = read(built)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            properties["ImageUri"] = _twin(properties["ImageUri"])
    target.write_text(json.dumps(document, indent=1, default=str))


def _twin(image: str) -> str:
    (inspected,) = json.loads(docker("image", "inspect", image))
    config: dict[str, Any] = inspected["Config"]
    user, _, group = config["User"].partition(":")
    if not user:
        return image
    drop = ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups"]
    dockerfile = f"FROM {image}\nUSER root\nENTRYPOINT {json.dumps([*drop, *config['Entrypoint']])}\n"
    twin = f"{image.partition(':')[0]}:local"
    # CMD is given again: a new ENTRYPOINT takes it away.
    docker("build", "--tag", twin, "-", standard_input=f"{dockerfile}CMD {json.dumps(config['Cmd'])}\n")
    return twin
