"""One topology at one size: moto, every function in a container, and what a run of verdicts used."""

from __future__ import annotations

import json
import math
import urllib.request
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bodies import transaction_bodies
from benchmarks.lambda_cost.containers import Container, running
from benchmarks.lambda_cost.meter import Meter
from benchmarks.lambda_cost.prices import SQS_BATCH
from benchmarks.lambda_cost.router import invoke_api
from benchmarks.lambda_cost.topologies import Topology, image
from benchmarks.machine import ROOT
from benchmarks.processes import free_port
from local import tokens
from local.aws import sqs_batch
from local.aws.docker import HOST, host_address
from local.aws.mappings import QueueMapping, queue_mappings
from local.aws.moto_server import moto, one_at_a_time, serving
from local.aws.publish import publish_all
from local.aws.resources import CREDENTIALS, Resources, client
from local.aws.template import Template
from local.places import Places

ORCHESTRATOR = "OrchestratorFunction"
DEADLINE_MS = "5000"
"""Verdicts that lack a part would cost less than they should."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What `verdicts` verdicts used. Billed milliseconds are of each invocation, rounded up, as AWS does."""

    verdicts: int
    billed_ms: Mapping[str, list[int]]
    """By function's folder; of consumers, per batch of at most `SQS_BATCH` events."""
    consumers: frozenset[str]
    """Those of them that take events out of queues."""
    moto_ms: Mapping[str, float]
    """Of an invocation's time, what moto took: it answers one call at a time. Of the orchestrator and the consumers."""
    rounds: Mapping[str, float]
    """Calls to AWS in an invocation of a consumer."""
    first_s: Mapping[str, float]
    """The first invocation from outside: start of the process, import, release, and the call itself."""
    calls: Mapping[str, float]
    """Units and calls of the meter, while the verdicts were made."""
    log_bytes: int
    """Of all functions."""


@contextmanager
def _metered_moto(host: str) -> Iterator[tuple[str, Meter]]:
    meter = Meter(moto())
    with serving(one_at_a_time(meter), host) as address:
        # Its state is the process's: what an earlier run made is there still.
        urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
        yield address, meter


class Deployment:
    """The functions that run, and what is around them."""

    def __init__(
        self,
        containers: Mapping[str, Container],
        folders: Mapping[str, str],
        queues: Sequence[QueueMapping],
        meter: Meter,
        aws: str,
        places: Places,
    ) -> None:
        self._containers = containers
        self._folders = folders
        self._queues = queues
        self._meter = meter
        self._sqs = client("sqs", aws)
        self._token = tokens.mint(places.keys, "bench", tokens.SCOPES, 3600)
        self._event = json.loads((ROOT / "events" / "orchestrator" / "score_genuine.json").read_text())

    def score(self, body: bytes) -> None:
        """Raises RuntimeError for anything but a full verdict."""
        headers = {**self._event["headers"], "authorization": f"Bearer {self._token}", "content-length": str(len(body))}
        event = {**self._event, "headers": headers, "body": body.decode()}
        answer, _ = self._containers[ORCHESTRATOR].invoke(json.dumps(event).encode())
        document = json.loads(answer)
        verdict = json.loads(document["body"]) if document.get("statusCode") == 200 else None
        if verdict is None or verdict["degraded"]:
            raise RuntimeError(f"not a full verdict: {answer[:600]!r}")

    def consume(self) -> dict[str, Counter[str]]:
        """Gives every consumer all that waits, in batches of `SQS_BATCH`, until what they tell is consumed too.

        By function's folder, what the meter counted meanwhile.
        """
        counts: dict[str, Counter[str]] = {self._folders[queue.function]: Counter() for queue in self._queues}
        while any(self._consume(queue, counts[self._folders[queue.function]]) for queue in self._queues):
            pass
        return counts

    def _consume(self, queue: QueueMapping, counts: Counter[str]) -> bool:
        """One batch; False when nothing waits."""
        url = self._sqs.get_queue_url(QueueName=queue.queue)["QueueUrl"]
        found = self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=SQS_BATCH, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        messages = found.get("Messages", [])
        if not messages:
            return False
        before = Counter(self._meter.counts)
        event = json.dumps(sqs_batch.event(messages, queue.queue_arn)).encode()
        answer, _ = self._containers[queue.function].invoke(event)
        counts.update(self._meter.counts - before)
        if json.loads(answer) != {"batchItemFailures": []}:
            raise RuntimeError(f"{queue.function}: a batch was not taken: {answer[:600]!r}")
        for message in messages:
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return True

    def billed(self) -> dict[str, list[int]]:
        """Each function's billed milliseconds, oldest first."""
        return {
            self._folders[name]: [math.ceil(duration) for duration in container.durations_ms()]
            for name, container in self._containers.items()
        }

    def log_bytes(self) -> int:
        """Of all functions, so far."""
        return sum(len(container.log()) for container in self._containers.values())


def measure(topology: Topology, memory_mb: int, verdicts: int, base_image: str, data: Path) -> Usage:
    """Brings the topology up, makes the verdicts, takes it down."""
    places = Places(data)
    host = host_address()
    with ExitStack() as undo:
        aws, meter = undo.enter_context(_metered_moto(host))
        router_port = free_port()
        template = _template(topology, aws, f"http://{HOST}:{router_port}")
        resources = Resources(template, aws)
        resources.create()
        variables = resources.variables()
        publish_all(variables, places, "http://127.0.0.1", aws)

        queues = queue_mappings(template, resources.lookup)
        consumers = {queue.function for queue in queues}
        folders = {name: template.resources[name]["Metadata"]["DockerBuildArgs"]["FUNCTION"] for name in variables}
        used = {name for name, folder in folders.items() if folder in topology.separate} | {ORCHESTRATOR, *consumers}
        containers: dict[str, Container] = {}
        for name in sorted(used):
            built = image(folders[name], base_image, topology.inline if name == ORCHESTRATOR else ())
            containers[name] = undo.enter_context(running(built, memory_mb, {**CREDENTIALS, **variables[name]}))
        undo.enter_context(invoke_api(containers, host, router_port))
        first_s = _first(containers, folders, consumers)
        deployment = Deployment(containers, folders, queues, meter, aws, places)

        bodies = list(transaction_bodies(2 * verdicts, accounts=40))
        for body in bodies[:verdicts]:  # profiles fill, connections open, caches warm
            deployment.score(body)
        deployment.consume()
        before, counted = {name: len(found) for name, found in deployment.billed().items()}, Counter(meter.counts)
        logged = deployment.log_bytes()
        for body in bodies[verdicts:]:
            deployment.score(body)
        moto_ms = {folders[ORCHESTRATOR]: (meter.counts["moto_us"] - counted["moto_us"]) / 1000 / verdicts}
        consumed = deployment.consume()
        billed = {name: found[before[name] :] for name, found in deployment.billed().items()}
        moto_ms |= {
            name: counts["moto_us"] / 1000 / len(billed[name]) for name, counts in consumed.items() if billed[name]
        }
        rounds = {name: counts["calls"] / len(billed[name]) for name, counts in consumed.items() if billed[name]}
        logged = deployment.log_bytes() - logged
        return Usage(verdicts, billed, frozenset(consumed), moto_ms, rounds, first_s, meter.counts - counted, logged)


def _template(topology: Topology, aws: str, invoke: str) -> Template:
    in_container = aws.replace(aws.split("://")[1].split(":")[0], HOST)
    return Template.load(
        ROOT / "template.yaml",
        {
            **topology.parameters,
            "AwsEndpoint": in_container,
            "LambdaEndpoint": invoke,
            "TokenIssuer": tokens.ISSUER,
            "TokenAudience": tokens.AUDIENCE,
            "DeadlineMs": DEADLINE_MS,
        },
    )


def _first(
    containers: Mapping[str, Container], folders: Mapping[str, str], consumers: Collection[str]
) -> dict[str, float]:
    """Wakes every function with an event that costs it nothing."""
    health = (ROOT / "events" / "orchestrator" / "health.json").read_bytes()
    nothing = b'{"Records": []}'
    return {
        folders[name]: container.invoke(nothing if name in consumers else health)[1]
        for name, container in containers.items()
    }
