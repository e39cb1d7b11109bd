"""Creates the template's tables, queues, topics, subscriptions, buckets and secrets in moto, as they are described."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]

from local.aws.errors import TemplateError
from local.aws.template import ACCOUNT, REGION, Template, Value

Client = Any
"""Of boto3, which makes its clients' methods at run time."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}
"""Of nobody: moto takes any. They keep a developer's own credentials out of what runs here."""

# Without effect where there is no IAM, no encryption at rest, no backup and no bill.
WITHOUT_EFFECT = {
    "BucketEncryption",
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "KmsMasterKeyId",
    "LifecycleConfiguration",
    "OwnershipControls",
    "PointInTimeRecoverySpecification",
    "PublicAccessBlockConfiguration",
    "SSESpecification",
    "SqsManagedSseEnabled",
    "Tags",
    "TracingConfig",
}


@dataclass(frozen=True, slots=True)
class Physical:
    """What a created resource is called: the value of `Ref`, and its attributes."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def client(service: str, endpoint: str) -> Client:
    """A boto3 client of the service at moto's endpoint."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


class Resources:
    """The template's resources in moto. Each is made when it is first referred to, so order needs no thought."""

    def __init__(self, template: Template, endpoint: str) -> None:
        self._template = template
        self._makers: dict[str, tuple[Client, Callable[[Client, str, dict[str, Any]], Physical]]] = {
            "AWS::DynamoDB::Table": (client("dynamodb", endpoint), _table),
            "AWS::S3::Bucket": (client("s3", endpoint), _bucket),
            "AWS::SecretsManager::Secret": (client("secretsmanager", endpoint), _secret),
            "AWS::SNS::Subscription": (sns := client("sns", endpoint), _subscription),
            "AWS::SNS::Topic": (sns, _topic),
            "AWS::SQS::Queue": (client("sqs", endpoint), _queue),
        }
        self._made: dict[str, Physical] = {}
        self._under_way: list[str] = []

    def create(self) -> dict[str, Physical]:
        """Makes what is not there yet; logical id -> physical values. Raises `TemplateError`."""
        for name in self._template.of_type(*self._makers):
            self._make(name)
        return dict(self._made)

    def lookup(self, name: str, attribute: str | None) -> str:
        """What `Ref` (attribute None) or `Fn::GetAtt` gives for a resource."""
        function, _, part = name.partition(".")
        if function in self._template.functions() and (part or attribute) in {"", None, "Alias"}:
            return function  # sam local knows a function by its logical id, and no aliases
        if part or name not in self._template.of_type(*self._makers):
            kind = self._template.resources.get(name, {}).get("Type", "nothing in the template")
            raise TemplateError(f"{name} ({kind}) has no counterpart on this machine to refer to")
        physical = self._make(name)
        if attribute is None:
            return physical.ref
        try:
            return physical.attributes[attribute]
        except KeyError:
            raise TemplateError(f"{name} has no attribute {attribute} on this machine") from None

    def variables(self) -> dict[str, dict[str, str]]:
        """Function -> environment variable -> value, as the template has it."""
        variables = {}
        for name, properties in self._template.functions().items():
            declared = properties.get("Environment", {}).get("Variables", {})
            resolved = self._template.resolve(declared, self.lookup)
            variables[name] = {variable: str(value) for variable, value in resolved.items()}
        return variables

    def _make(self, name: str) -> Physical:
        if name in self._made:
            return self._made[name]
        if name in self._under_way:
            raise TemplateError(f"{' -> '.join([*self._under_way, name])}: resources that refer to each other")
        self._under_way.append(name)
        resource = self._template.resources[name]
        properties = self._template.resolve(resource.get("Properties", {}), self.lookup)
        api, maker = self._makers[resource["Type"]]
        relevant = {key: value for key, value in properties.items() if key not in WITHOUT_EFFECT}
        self._made[name] = maker(api, name, relevant)
        if relevant:
            raise TemplateError(f"{name}: the property {min(relevant)} of {resource['Type']} is not understood here")
        self._under_way.remove(name)
        return self._made[name]


# Each takes the properties it knows out of the mapping; what is left is an error.


def _table(api: Client, name: str, properties: dict[str, Any]) -> Physical:
    time_to_live = properties.pop("TimeToLiveSpecification", None)
    known = (
        "AttributeDefinitions",
        "BillingMode",
        "GlobalSecondaryIndexes",
        "KeySchema",
        "LocalSecondaryIndexes",
        "StreamSpecification",
    )
    request = {key: properties.pop(key) for key in known if key in properties}
    table = api.create_table(TableName=properties.pop("TableName", name), **request)["TableDescription"]
    if time_to_live:
        api.update_time_to_live(TableName=table["TableName"], TimeToLiveSpecification=time_to_live)
    return Physical(table["TableName"], {"Arn": table["TableArn"]})


def _queue(api: Client, name: str, properties: dict[str, Any]) -> Physical:
    queue_name = properties.pop("QueueName", name)
    known = (
        "DelaySeconds",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "VisibilityTimeout",
    )
    attributes = {key: _text(properties.pop(key)) for key in known if key in properties}
    url = api.create_queue(QueueName=queue_name, Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_name}"
    return Physical(url, {"Arn": arn, "QueueName": queue_name, "QueueUrl": url})


def _topic(api: Client, name: str, properties: dict[str, Any]) -> Physical:
    topic_name = properties.pop("TopicName", name)
    known = ("DisplayName",)
    attributes = {key: properties.pop(key) for key in known if key in properties}
    arn = api.create_topic(Name=topic_name, Attributes=attributes)["TopicArn"]
    return Physical(arn, {"TopicArn": arn, "TopicName": topic_name})


def _subscription(api: Client, _: str, properties: dict[str, Any]) -> Physical:
    required = {key: properties.pop(key) for key in ("TopicArn", "Protocol", "Endpoint")}
    known = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")
    attributes = {key: _text(properties.pop(key)) for key in known if key in properties}
    return Physical(api.subscribe(**required, Attributes=attributes, ReturnSubscriptionArn=True)["SubscriptionArn"])


def _bucket(api: Client, name: str, properties: dict[str, Any]) -> Physical:
    bucket = properties.pop("BucketName", f"{name.lower()}-local")
    api.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=properties.pop("ObjectLockEnabled", False))
    versioning = properties.pop("VersioningConfiguration", None)
    if versioning:
        api.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    lock = properties.pop("ObjectLockConfiguration", None)
    if lock:
        api.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    return Physical(bucket, {"Arn": f"arn:aws:s3:::{bucket}"})


def _secret(api: Client, name: str, properties: dict[str, Any]) -> Physical:
    value = {}
    if generate := properties.pop("GenerateSecretString", None):
        value = {"SecretString": api.get_random_password(**generate)["RandomPassword"]}
    about = {"Name": properties.pop("Name", name), "Description": properties.pop("Description", "")}
    arn = api.create_secret(**about, **value)["ARN"]
    return Physical(arn, {"Id": arn})


def _text(value: Value) -> str:
    """SNS and SQS take every attribute as text."""
    return value if isinstance(value, str) else json.dumps(value)
