"""Local AWS without containers: the template's resources in a moto process, and the pollers against a fake Invoke."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pytest

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.alerts.config import load_config
from assay.identity.signing import KeyRing
from assay.release.keys import load_trusted_keys
from functions.trainer.opening import trusted_key
from local import tokens
from local.aws.errors import InvokeError, LocalAwsError, TemplateError
from local.aws.lambda_api import LambdaApi
from local.aws.mappings import QueueMapping, Schedule
from local.aws.moto_server import one_at_a_time
from local.aws.poller import Pollers, QueuePoller
from local.aws.processes import Child, free_port, wait_until_open
from local.aws.publish import publish, publish_alerts, publish_release_key, publish_signing_keys, verify_senders
from local.aws.resources import Resources, client
from local.aws.template import ACCOUNT, REGION, Template
from local.places import Places
from tests.harness.waiting import WAIT_S, eventually

HOST = "127.0.0.1"
TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"

Answer = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port(HOST)
    command = [sys.executable, "-m", "local.aws.moto_server", "--host", HOST, "--port", str(port)]
    with Child("moto", command, tmp_path_factory.mktemp("moto") / "moto.log", os.environ) as child:
        wait_until_open(child, (HOST, port), WAIT_S)
        yield f"http://{HOST}:{port}"


@dataclass
class FakeLambda:
    """Invoke, with what each function answers given by the test."""

    url: str = ""
    answer: Answer = lambda _: {}
    events: list[dict[str, Any]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    lock: Lock = field(default_factory=Lock)

    def invoke(self, event: dict[str, Any]) -> Any:
        with self.lock:
            self.events.append(event)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return self.answer(event)
        finally:
            with self.lock:
                self.under_way -= 1

    def received(self) -> list[str]:
        """Bodies of the messages that came, in order."""
        return [record["body"] for event in self.events for record in event["Records"]]


@pytest.fixture
def function() -> Iterator[FakeLambda]:
    fake = FakeLambda()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/2015-03-31/functions/Consumer/invocations"
            answer = fake.invoke(event)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    fake.url = f"http://{HOST}:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Queue:
    """A queue with dead letters, and its poller."""

    sqs: Any
    url: str
    dead_url: str
    mapping: QueueMapping

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def count(self, url: str) -> int:
        """Messages in the queue, those that are out for handling too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def empty(self) -> bool:
        return self.count(self.url) == 0


NAMES = iter(range(1000))


@pytest.fixture
def queue(moto: str) -> Queue:
    n = next(NAMES)
    document = {
        "Resources": {
            "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"dead-{n}"}},
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": f"queue-{n}",
                    "VisibilityTimeout": 1,
                    "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 2},
                },
            },
        }
    }
    made = Resources(Template(document), moto).create()
    mapping = QueueMapping("Consumer", made["Queue"].attributes["Arn"], 10.0, 10, 0.0, 2, partial_failures=True)
    return Queue(client("sqs", moto), made["Queue"].ref, made["Dead"].ref, mapping)


def polling(queue: Queue, function: FakeLambda, **changes: Any) -> Pollers:
    mapping = QueueMapping(**{**{f: getattr(queue.mapping, f) for f in QueueMapping.__slots__}, **changes})
    api = LambdaApi(function.url)
    return Pollers([QueuePoller(mapping, queue.sqs, api.invoke)], [], api.invoke)


def failing(*bodies: str) -> Answer:
    """Answers that the messages with these bodies failed."""
    return lambda event: {
        "batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] in bodies]
    }


# ------------------------------------------------------------------------------------------------------- the resources


def test_the_templates_own_resources_are_made_as_it_says(moto: str, tmp_path: Path) -> None:
    template = Template.load(TEMPLATE)
    resources = Resources(template, moto)
    made = resources.create()
    assert resources.create() == made
    kinds = ("DynamoDB::Table", "SQS::Queue", "SNS::Topic", "SNS::Subscription", "S3::Bucket", "SecretsManager::Secret")
    wanted = template.of_type(*(f"AWS::{kind}" for kind in kinds))
    assert set(wanted) <= set(made)

    ttl = client("dynamodb", moto).describe_time_to_live(TableName=made["ProfileTable"].ref)
    assert ttl["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    declared = template.resources["PostAuthIntelligenceQueue"]["Properties"]
    sqs = client("sqs", moto)
    queue = sqs.get_queue_attributes(QueueUrl=made["PostAuthIntelligenceQueue"].ref, AttributeNames=["All"])
    assert int(queue["Attributes"]["VisibilityTimeout"]) == declared["VisibilityTimeout"]
    assert json.loads(queue["Attributes"]["RedrivePolicy"]) == {
        "deadLetterTargetArn": made["PostAuthIntelligenceDeadLetters"].attributes["Arn"],
        "maxReceiveCount": declared["RedrivePolicy"]["maxReceiveCount"],
    }
    for name, function in template.functions().items():
        for variable, value in template.resolve(function["Environment"]["Variables"], resources.lookup).items():
            assert isinstance(value, (str, int)), (name, variable, value)
    lock = client("s3", moto).get_object_lock_configuration(Bucket=made["AuditBucket"].ref)
    assert lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"] == "GOVERNANCE"

    sns, topic = client("sns", moto), made["EventsTopic"].ref
    for kind in ("transaction.scored", "user.logged_in"):
        attributes = {"event": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)
    assert bodies(sqs, made["PostAuthIntelligenceQueue"].ref) == {"transaction.scored"}
    assert bodies(sqs, made["AuditLogQueue"].ref) == {"transaction.scored", "user.logged_in"}

    places = Places(tmp_path)
    variables = {"F": {"ASSAY_RELEASES": "s3://releasesbucket-local/r", "ASSAY_JWKS": "s3://releasesbucket-local/k"}}
    s3 = client("s3", moto)
    publish(variables, places, s3)
    assert s3.get_object(Bucket="releasesbucket-local", Key="k")["Body"].read().decode() == tokens.jwks(places.keys)
    version = s3.get_object(Bucket="releasesbucket-local", Key="r/CHAMPION")["Body"].read().decode().strip()
    for file in (places.releases / version).iterdir():
        stored = s3.get_object(Bucket="releasesbucket-local", Key=f"r/{version}/{file.name}")
        assert stored["Body"].read() == file.read_bytes()


def test_functions_find_keys_and_alerts_when_they_start(moto: str, tmp_path: Path) -> None:
    secrets, s3, ses = client("secretsmanager", moto), client("s3", moto), client("sesv2", moto)
    secret = secrets.create_secret(Name="keys")["ARN"]
    s3.create_bucket(Bucket="found-at-start")
    variables = {
        "Users": {"ASSAY_SIGNING_KEYS": f"secretsmanager:{secret}"},
        "Alerts": {"ASSAY_ALERTS": "s3://found-at-start/alerts/alerts.yaml", "ASSAY_MAIL_FROM": "assay@example.org"},
    }
    release_key = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:release-key"
    variables["Trainer"] = {"ASSAY_RELEASE_KEY": f"secretsmanager:{release_key}"}
    places = Places(tmp_path)
    publish_release_key(variables, places, secrets)
    pem = secrets.get_secret_value(SecretId=release_key)["SecretString"]
    assert trusted_key(pem, load_trusted_keys(places.keys))
    publish_signing_keys(variables, places, secrets)
    kept = KeyRing.from_json(secrets.get_secret_value(SecretId=secret)["SecretString"], "secret")
    assert kept.jwks(0) == FolderSigningKeys(places.keys).read().jwks(0)

    publish_alerts(variables, "http://127.0.0.1:3000", s3)
    verify_senders(variables, ses)
    text = s3.get_object(Bucket="found-at-start", Key="alerts/alerts.yaml")["Body"].read()
    config = load_config(text)
    assert (config.link, config.routes[0].to) == ("http://127.0.0.1:3000", ["duty@example.org"])
    assert config.routes[0].digest.mails_per_window == 100  # who tries it out sees each mail at once
    assert ses.get_email_identity(EmailIdentity="assay@example.org")["IdentityType"] == "EMAIL_ADDRESS"


def bodies(sqs: Any, url: str) -> set[str]:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return {message["Body"] for message in messages}


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True}}}, "FifoQueue"),
        ({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nothing"}}}}, "Nothing"),
        ({"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::GetAtt": ["Q", "Arn"]}}}}, "Q -> Q"),
    ],
)
def test_what_cannot_be_made_is_said(moto: str, resources: dict[str, Any], reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        Resources(Template({"Resources": resources}), moto).create()


# --------------------------------------------------------------------------------------------------------- the pollers


def test_what_is_handled_is_deleted(queue: Queue, function: FakeLambda) -> None:
    queue.send("one", "two", "three")
    with polling(queue, function):
        eventually(queue.empty)
    assert sorted(function.received()) == ["one", "three", "two"]
    record = function.events[0]["Records"][0]
    assert record["eventSourceARN"] == queue.mapping.queue_arn
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert queue.count(queue.dead_url) == 0


def test_a_poison_message_ends_in_the_dead_letters_and_its_neighbours_do_not(
    queue: Queue, function: FakeLambda
) -> None:
    function.answer = failing("poison")
    queue.send("one", "poison", "two")
    with polling(queue, function):
        eventually(lambda: queue.count(queue.dead_url) == 1)
        eventually(queue.empty)
    received = function.received()
    assert (received.count("one"), received.count("two"), received.count("poison")) == (1, 1, 2)
    counts = [
        record["attributes"]["ApproximateReceiveCount"]
        for event in function.events
        for record in event["Records"]
        if record["body"] == "poison"
    ]
    assert counts == ["1", "2"]
    (dead,) = queue.sqs.receive_message(QueueUrl=queue.dead_url)["Messages"]
    assert dead["Body"] == "poison"


@pytest.mark.parametrize(
    "answer",
    [
        b'{"errorMessage": "no", "errorType": "StorageError", "requestId": "", "stackTrace": []}',
        b'{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}',
    ],
)
def test_a_failed_batch_comes_again_whole(queue: Queue, function: FakeLambda, answer: bytes) -> None:
    answers = [answer]
    function.answer = lambda _: answers.pop() if answers else {}
    queue.send("one", "two")
    with polling(queue, function):
        eventually(queue.empty)
    received = function.received()
    assert (received.count("one"), received.count("two")) == (2, 2)
    assert queue.count(queue.dead_url) == 0


def test_without_partial_failures_an_answer_is_a_success(queue: Queue, function: FakeLambda) -> None:
    function.answer = failing("one")
    queue.send("one")
    with polling(queue, function, partial_failures=False):
        eventually(queue.empty)
    assert function.received() == ["one"]


def test_an_unreachable_function_loses_nothing(queue: Queue, function: FakeLambda) -> None:
    queue.send("one")
    nowhere = FakeLambda(f"http://{HOST}:{free_port(HOST)}")
    with polling(queue, nowhere):
        eventually(lambda: queue.count(queue.dead_url) == 1)
    assert function.events == []


def test_a_window_fills_a_batch_beyond_what_one_receive_gives(queue: Queue, function: FakeLambda) -> None:
    queue.send(*(str(n) for n in range(12)))
    with polling(queue, function, batch_size=12, window_s=WAIT_S):
        eventually(queue.empty)
    assert [len(event["Records"]) for event in function.events] == [12]


def test_no_more_batches_are_under_way_than_allowed(queue: Queue, function: FakeLambda) -> None:
    release = Event()

    def hold(_: dict[str, Any]) -> dict[str, Any]:
        release.wait(WAIT_S)
        return {}

    function.answer = hold
    queue.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "600"})
    queue.send(*(str(n) for n in range(6)))
    with polling(queue, function, batch_size=1, concurrency=2):
        eventually(lambda: function.under_way == 2)
        release.set()
        eventually(queue.empty)
    assert function.most_under_way == 2
    assert sorted(function.received()) == [str(n) for n in range(6)]


def test_a_schedule_calls_its_function(function: FakeLambda) -> None:
    api = LambdaApi(function.url)
    with Pollers([], [Schedule("Consumer", 10.0, 0, b"")], api.invoke):
        eventually(lambda: len(function.events) > 1)
    assert function.events[0]["detail-type"] == "Scheduled Event"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_poller_that_ended_is_noticed(function: FakeLambda) -> None:
    def broken(_: str, __: bytes, ___: float) -> bytes:
        raise SystemExit

    pollers = Pollers([], [Schedule("Consumer", 10.0, 0, b"")], broken)

    def stopped() -> bool:
        try:
            pollers.check()
        except LocalAwsError:
            return True
        return False

    with pollers:
        eventually(stopped)


def test_an_error_is_known_with_and_without_its_header(function: FakeLambda) -> None:
    api = LambdaApi(function.url)
    function.answer = lambda _: b'{"errorMessage": "no", "errorType": "ValueError", "requestId": "1", "stackTrace": []}'
    with pytest.raises(InvokeError, match="ValueError"):
        api.invoke("Consumer", b"{}", 10)
    function.answer = lambda _: b'["errorMessage", "errorType"]'
    assert api.invoke("Consumer", b"{}", 10) == b'["errorMessage", "errorType"]'


# ------------------------------------------------------------------------------------------------------- the processes


def test_one_call_at_a_time() -> None:
    under_way, most, lock = [0], [0], Lock()

    def app(_: dict[str, Any], __: Any) -> list[bytes]:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        Event().wait(0.001)
        with lock:
            under_way[0] -= 1
        return [b"a", b"b"]

    serialised = one_at_a_time(app)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: list(serialised({}, None)), range(50)))
    assert most == [1]
    assert answers == [[b"ab"]] * 50


def test_a_child_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('last words'); sys.exit(3)"]
    with Child("child", command, tmp_path / "log", os.environ) as child:
        with pytest.raises(LocalAwsError, match=r"(?s)child failed with exit code 3.*last words"):
            child.finish(WAIT_S)
        with pytest.raises(LocalAwsError, match=r"(?s)child stopped with exit code 3.*last words"):
            wait_until_open(child, (HOST, free_port(HOST)), WAIT_S)


def test_a_child_is_stopped_with_its_context(tmp_path: Path) -> None:
    port = free_port(HOST)
    command = [sys.executable, "-m", "http.server", "--bind", HOST, str(port)]
    with Child("child", command, tmp_path / "log", os.environ) as child:
        wait_until_open(child, (HOST, port), WAIT_S)
        with pytest.raises(LocalAwsError, match=str(port)):
            free_port(HOST, port)
    assert free_port(HOST, port) == port


def test_a_missing_program_is_said(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="sam cannot be started"):
        Child("sam", [str(tmp_path / "sam")], tmp_path / "log", os.environ)
