"""The whole of it: moto, the template's resources, the release, the containers, the pollers. Up, and down again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

import httpx

from local import tokens
from local.aws import docker
from local.aws.errors import InvokeError, LocalAwsError
from local.aws.lambda_api import LambdaApi, is_error
from local.aws.mappings import queue_mappings, schedules
from local.aws.poller import Pollers, QueuePoller
from local.aws.processes import Child, free_port, wait_until_open
from local.aws.publish import publish_all, release_key
from local.aws.resources import CREDENTIALS, Client, Physical, Resources, client
from local.aws.sam import Sam
from local.aws.template import ACCOUNT, REGION, Template
from local.places import Places

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
START_S = 300.0
DEADLINE_MS = "5000"
"""The template's longest: a call through sam takes longer than one on AWS, a container that starts again a second."""
READY = b'{"status":"ready"}'
HEALTH = {
    "version": "2.0",
    "rawPath": "/health",
    "headers": {},
    "requestContext": {"http": {"method": "GET", "path": "/health"}},
    "isBase64Encoded": False,
}

NO_MESSAGES = b'{"Records": []}'
"""A batch that is none: a consumer loads, and has nothing to do."""

Variables = dict[str, dict[str, str]]
"""Function -> environment variable -> value."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user may choose."""

    places: Places
    port: int = 3000
    base_image: str = ""
    """What the images are built on; empty for the template's own."""
    sam_python: Path = ROOT / ".sam" / "bin" / "python"
    template: Path = ROOT / "template.yaml"

    @property
    def folder(self) -> Path:
        """For what is built and logged."""
        return self.places.data / "aws"


@dataclass(frozen=True, slots=True)
class LocalAws:
    """A running installation."""

    api_url: str
    aws_url: str
    """Moto, as this machine reaches it."""
    resources: Mapping[str, Physical]
    functions: LambdaApi
    sam: Sam
    places: Places
    children: tuple[Child, ...]
    pollers: Pollers

    def client(self, service: str) -> Client:
        """A boto3 client of the service, at moto."""
        return client(service, self.aws_url)

    def environment(self) -> dict[str, str]:
        """What leads the `assay` command, and any client of AWS, to moto."""
        return {"AWS_ENDPOINT_URL": self.aws_url, **CREDENTIALS}

    def containers(self) -> list[str]:
        """Ids of the containers that were started."""
        return self.sam.containers(*self.children)

    def wait(self) -> None:
        """Stays until a part stops: then raises `LocalAwsError` with the reason."""
        pause = Event()
        while not pause.wait(0.5):
            self.pollers.check()
            for child in self.children:
                child.check()


@contextmanager
def local_aws(choices: Choices, say: Callable[[str], None]) -> Iterator[LocalAws]:
    """Brings everything up; takes everything down at the end, whatever that is. Raises `AssayError` with the reason."""
    free_port(LOOPBACK, choices.port)  # before the minutes of a build
    host = docker.host_address()
    choices.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        moto_port = free_port(host)
        moto = undo.enter_context(_moto(host, moto_port, choices.folder))
        wait_until_open(moto, (host, moto_port), START_S)
        aws_url = f"http://{host}:{moto_port}"
        lambda_port = free_port(host)
        parameters = _parameters(choices, moto_port, lambda_port)
        template = Template.load(choices.template, parameters)
        sam = Sam(choices.sam_python, choices.template, parameters, choices.folder, aws_url)
        say("building the images; the first time takes minutes")
        sam.build(release_key(choices.places).with_suffix(".pub"))

        say("creating the template's resources, publishing release, keys and alerts")
        resources = Resources(template, aws_url)
        physical = resources.create()
        variables = resources.variables()
        sam.variables.write_text(json.dumps(variables, indent=1))
        api_url = f"http://{LOOPBACK}:{choices.port}"
        publish_all(variables, choices.places, api_url, aws_url)

        say("starting the containers")
        lambdas = undo.enter_context(_containers(sam, sam.start_lambda(host, lambda_port)))
        api = undo.enter_context(_containers(sam, sam.start_api(LOOPBACK, choices.port)))
        wait_until_open(lambdas, (host, lambda_port), START_S)
        wait_until_open(api, (LOOPBACK, choices.port), START_S)
        functions = LambdaApi(f"http://{host}:{lambda_port}")
        undo.callback(functions.close)
        sqs, mappings = client("sqs", aws_url), queue_mappings(template, resources.lookup)
        events = {stage: json.dumps(HEALTH).encode() for stage in _stages(variables)}
        events |= {mapping.function: NO_MESSAGES for mapping in mappings}
        _warm(functions, events, api_url, _routes(template))

        queues = [QueuePoller(mapping, sqs, functions.invoke) for mapping in mappings]
        pollers = Pollers(queues, schedules(template, resources.lookup), functions.invoke)
        undo.enter_context(pollers)
        children = (moto, lambdas, api)
        yield LocalAws(api_url, aws_url, physical, functions, sam, choices.places, children, pollers)


def _moto(host: str, port: int, folder: Path) -> Child:
    command = [sys.executable, "-m", "local.aws.moto_server", "--host", host, "--port", str(port)]
    return Child("moto", command, folder / "moto.log", os.environ)


@contextmanager
def _containers(sam: Sam, child: Child) -> Iterator[Child]:
    """The child; at the end it is stopped, and what containers it has left are removed."""
    try:
        with child:
            yield child
    finally:
        docker.remove(sam.containers(child))


def _parameters(choices: Choices, moto_port: int, lambda_port: int) -> dict[str, str]:
    parameters = {
        "AwsEndpoint": f"http://{docker.HOST}:{moto_port}",
        "LambdaEndpoint": f"http://{docker.HOST}:{lambda_port}",
        "TokenIssuer": tokens.ISSUER,
        "TokenAudience": tokens.AUDIENCE,
        "DeadlineMs": DEADLINE_MS,
        "AllowLocalWebhooks": "true",
        "TrainerKeySecret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:assay-release-key",
    }
    chosen = {"BaseImage": choices.base_image, "CardManagementUrl": choices.places.card_management}
    return parameters | {name: value for name, value in chosen.items() if value}  # sam takes no empty value


def _stages(variables: Variables) -> set[str]:
    """Functions that another one invokes."""
    values = [value for environment in variables.values() for value in environment.values()]
    return {value.removeprefix("lambda:") for value in values if value.startswith("lambda:")}


def _routes(template: Template) -> list[str]:
    """A path of each function behind the HTTP API that can be asked for without knowing anything."""
    found = {
        name: path
        for name, properties in template.functions().items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "HttpApi"
        and event["Properties"]["Method"] == "GET"
        and "{" not in (path := event["Properties"]["Path"])
    }
    return sorted(found.values())


def _warm(functions: LambdaApi, events: Mapping[str, bytes], api_url: str, paths: list[str]) -> None:
    """Lets every function load: the first request of the user shall not pay for it, nor a queue wait for it."""
    end = monotonic() + START_S
    for name, event in sorted(events.items()):
        _until(end, lambda name=name, event=event: functions.invoke(name, event, START_S))  # type: ignore[misc]
    for path in paths:
        _until(end, lambda path=path: _get(f"{api_url}{path}"))  # type: ignore[misc]
    _until(end, lambda: _ready(api_url))


def _get(url: str) -> bytes:
    """What is there, a refusal too. sam answers 200 for a function that failed, with the error as the body."""
    answer = httpx.get(url, timeout=START_S, trust_env=False)
    if answer.status_code >= 500 or is_error(answer.content):
        raise InvokeError(f"GET {url}: HTTP {answer.status_code} {answer.text[:500]}")
    return answer.content


def _ready(api_url: str) -> None:
    if (answer := _get(f"{api_url}/ready")) != READY:
        raise InvokeError(f"GET /ready: {answer[:500]!r}")


def _until(end: float, attempt: Callable[[], object]) -> None:
    pause = Event()
    while True:
        try:
            attempt()
        except (InvokeError, httpx.HTTPError) as error:
            if monotonic() > end:
                raise LocalAwsError(f"not ready in time: {error}") from error
            pause.wait(0.5)
        else:
            return
