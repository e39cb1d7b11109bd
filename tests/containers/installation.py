"""What the tests do with the running installation: clients, transactions, the archive, a stopped container."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from assay.schemas.verdict import FraudVerdict
from local.aws.docker import docker
from local.aws.stack import LocalAws
from local.tokens import SCOPES, mint

EVENTS = Path(__file__).resolve().parents[2] / "events"
TOKEN_LIFE_S = 3600
NUMBERS = count(1)


def token(aws: LocalAws, client: str) -> str:
    """A token with every scope."""
    return mint(aws.places.keys, client, SCOPES, TOKEN_LIFE_S)


def client_of(aws: LocalAws, name: str) -> httpx.Client:
    """A client of the API that speaks as the named one."""
    headers = {"Authorization": f"Bearer {token(aws, name)}"}
    return httpx.Client(base_url=aws.api_url, headers=headers, timeout=60)


def transaction(**changes: Any) -> dict[str, Any]:
    """The genuine sample, with an id, an account, a device and an address of its own."""
    n = next(NUMBERS)
    own = {
        "transaction_id": f"container-{n}",
        "account_id": f"container-acct-{n}",
        "device_id": f"container-phone-{n}",
        "ip_address": f"2001:db8::c:{n}",
    }
    return {**json.loads((EVENTS / "score_genuine.json").read_text()), **own, **changes}


def score(client: httpx.Client, body: dict[str, Any]) -> FraudVerdict:
    """The verdict, which must be one."""
    answer = client.post("/score", json=body)
    assert answer.status_code == 200, answer.text
    return FraudVerdict.model_validate_json(answer.content)


def recorded(aws: LocalAws) -> list[dict[str, Any]]:
    """Every event in the archive."""
    return objects(aws, "ArchiveBucket", "scored/")  # beside them are tables of days that are over


def objects(aws: LocalAws, name: str, prefix: str = "") -> list[dict[str, Any]]:
    """Every line of every object of the bucket."""
    s3, bucket = aws.client("s3"), aws.resources[name].ref
    keys = [
        item["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for item in page.get("Contents", [])
    ]
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]


@contextmanager
def stopped(aws: LocalAws, function: str) -> Iterator[None]:
    """The function's container is stopped. Its port is taken meanwhile, for sam would start it again."""
    (container,) = [found for found in map(_inspect, aws.containers()) if _function(found) == function]
    binding = container["NetworkSettings"]["Ports"]["8080/tcp"][0]
    docker("stop", "--time", "1", container["Id"])
    with socket.create_server((binding["HostIp"], int(binding["HostPort"]))):
        yield


def _inspect(container: str) -> dict[str, Any]:
    (found,) = json.loads(docker("inspect", container))
    return dict(found)


def _function(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["sam.cli.function.name"])
