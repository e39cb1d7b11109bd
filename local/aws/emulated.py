"""Lets `sam local` run images that drop root.

sam adds its emulator of the Lambda runtime to an image with commands that take root, and runs them as the image's own
user. So each image gets a twin that starts as root and drops to that user only when the emulator starts the function.
The twin trusts one key of releases more: that of this machine, as the embedded server does.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from local.aws.docker import docker
from local.aws.template import read

KEYS = "/var/task/models/keys"


def write_template(built: Path, target: Path, trusted: bytes) -> None:
    """The built template with every image replaced by its twin, as JSON, which is YAML too. `trusted`: a key, PEM."""
    document = read(built)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            properties["ImageUri"] = _twin(properties["ImageUri"], trusted)
    target.write_text(json.dumps(document, indent=1, default=str))


def _twin(image: str, trusted: bytes) -> str:
    (inspected,) = json.loads(docker("image", "inspect", image))
    config: dict[str, Any] = inspected["Config"]
    user, _, group = config["User"].partition(":")
    if not user:
        return image
    drop = ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups"]
    key = f"echo {base64.b64encode(trusted).decode()} | base64 -d >{KEYS}/local.pub && chmod a+r {KEYS}/local.pub"
    dockerfile = (
        f"FROM {image}\nUSER root\nRUN test ! -d {KEYS} || {{ {key}; }}\n"
        f"ENTRYPOINT {json.dumps([*drop, *config['Entrypoint']])}\n"
    )
    # Named by the key: another folder's run beside this one has twins of its own.
    twin = f"{image.partition(':')[0]}:local-{hashlib.sha256(trusted).hexdigest()[:12]}"
    # CMD is given again: a new ENTRYPOINT takes it away.
    docker("build", "--tag", twin, "-", standard_input=f"{dockerfile}CMD {json.dumps(config['Cmd'])}\n")
    return twin
