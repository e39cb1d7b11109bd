"""What is asked of Docker beside sam: where containers see this machine, and which containers are left."""

from __future__ import annotations

import ipaddress
import json
import socket
import subprocess
from collections.abc import Sequence

from local.aws.errors import LocalAwsError

HOST = "host.docker.internal"
"""This machine, as containers call it."""
TIMEOUT_S = 60


def docker(*arguments: str, standard_input: str = "") -> str:
    """Output of a docker command. Raises `LocalAwsError` with what it said."""
    command = ["docker", *arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command, input=standard_input, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except FileNotFoundError:
        raise LocalAwsError("docker is not installed") from None
    except subprocess.TimeoutExpired:
        raise LocalAwsError(f"docker {arguments[0]} does not answer") from None
    except subprocess.CalledProcessError as error:
        raise LocalAwsError(f"docker {arguments[0]}: {error.stderr.strip()}") from error
    return done.stdout


def host_address() -> str:
    """The address to listen on for containers, and for them alone: the bridge's end on this machine.

    Docker Desktop has its bridge in a virtual machine and forwards `host.docker.internal` to the loopback address.
    """
    network = json.loads(docker("network", "inspect", "bridge"))[0]
    (first, *_) = network["IPAM"]["Config"]
    gateway = first.get("Gateway") or str(next(ipaddress.ip_network(first["Subnet"]).hosts()))
    with socket.socket() as probe:
        try:
            probe.bind((gateway, 0))
        except OSError:
            return "127.0.0.1"
    return gateway


def remove(containers: Sequence[str]) -> None:
    """Removes the containers, running or not; one that is gone already is no error."""
    known = set(docker("ps", "--all", "--quiet", "--no-trunc").split())
    left = [container for container in containers if container in known]
    if left:
        docker("rm", "--force", "--volumes", *left)
