"""The SAM command line: builds the images, runs them, invokes one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.aws.docker import HOST
from local.aws.emulated import write_template
from local.aws.processes import Child
from local.aws.resources import CREDENTIALS

BUILD_S = 1800.0
PROGRAM = Path(__file__).with_name("sam_program.py")
CONTAINER = re.compile(r"SAM_CONTAINER_ID: ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Sam:
    """`sam` over one template and one set of parameters."""

    python: Path
    """Of sam's own environment."""
    template: Path
    parameters: Mapping[str, str]
    folder: Path
    """For what it builds and logs."""
    aws_url: str
    """Moto's address: sam asks AWS whose account it is in, and waits for the answer."""

    @property
    def _built(self) -> Path:
        return self.folder / "build"

    @property
    def _runnable(self) -> Path:
        return self.folder / "template.json"

    @property
    def variables(self) -> Path:
        """The file of the functions' environment variables, JSON: logical id -> name -> value."""
        return self.folder / "variables.json"

    def build(self, trusted: Path) -> None:
        """Builds every image; what has not changed comes from Docker's cache.

        `trusted`: a public key whose releases are good besides.
        """
        arguments = ["build", "--template-file", str(self.template), "--build-dir", str(self._built)]
        with self._start("sam-build", [*arguments, *self._overrides()]) as child:
            child.finish(BUILD_S)
        write_template(self._built / "template.yaml", self._runnable, trusted.read_bytes())

    def start_lambda(self, host: str, port: int) -> Child:
        """Starts Lambda's Invoke."""
        return self._start("sam-lambda", ["local", "start-lambda", *self._serving(host, port)])

    def start_api(self, host: str, port: int) -> Child:
        """Starts the HTTP API."""
        return self._start("sam-api", ["local", "start-api", *self._serving(host, port)])

    def invoke(self, function: str, event: Path) -> list[str]:
        """The command that invokes a function once, in a container of its own, with the event in the file."""
        return self._command(["local", "invoke", function, "--event", str(event), *self._running()])

    @staticmethod
    def containers(*children: Child) -> list[str]:
        """Ids of every container that they have started, from their logs."""
        logs = [child.log.read_text(errors="replace") for child in children]
        return [found for log in logs for found in CONTAINER.findall(log)]

    def environment(self) -> dict[str, str]:
        """For its processes: nobody's AWS account, no telemetry."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **own,
            **CREDENTIALS,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_ENDPOINT_URL_STS": self.aws_url,
            "SAM_CLI_TELEMETRY": "0",
        }

    def _serving(self, host: str, port: int) -> list[str]:
        # Each function gets its container with its first call and keeps it. EAGER starts them all at once, in threads
        # that race: some containers are then started twice and forgotten.
        return ["--host", host, "--port", str(port), "--warm-containers", "LAZY", "--no-watch", *self._running()]

    def _running(self) -> list[str]:
        return [
            "--template-file",
            str(self._runnable),
            "--env-vars",
            str(self.variables),
            "--add-host",
            f"{HOST}:host-gateway",
            "--skip-pull-image",
            *self._overrides(),
        ]

    def _overrides(self) -> list[str]:
        return ["--parameter-overrides", *(f"{name}={value}" for name, value in self.parameters.items())]

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [
            str(self.python),
            "-P",
            str(PROGRAM),
            *arguments,
        ]  # -P: what lies beside the program stays out of its way

    def _start(self, name: str, arguments: Sequence[str]) -> Child:
        return Child(name, self._command(arguments), self.folder / f"{name}.log", self.environment())
