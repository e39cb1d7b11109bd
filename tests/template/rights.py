"""Checks: who may do what. Each gives what is wrong, in words; nothing when all is well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.template.limits import STAGES
from tests.template.stack import TRAINER_KEY, Resources, as_list, functions, logical_id, of_type, variables

ACTION = re.compile(r"[a-z0-9]+:[A-Z][A-Za-z]+")
ON_ANYTHING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Actions for which IAM knows no resource to name."""
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
REVOKED_ONLY = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["REVOKED"]}}
TEXT_MESSAGES = {"Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:aws:sns:*:*:*"}
"""A telephone has no ARN: what is no topic."""
SES = "arn:aws:ses:us-east-1:123456789012:identity"
PHONES = "telephones"
WEBHOOK_SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:assay-local"
CALLERS = {"apigateway.amazonaws.com", "events.amazonaws.com"}


def rights_too_wide(resources: Resources) -> list[str]:
    """Every allowed action is spelled out, on resources that are; `*` stands only at the end of an object's path."""
    faults = []
    for name, statement in _allowed(resources):
        actions, targets = set(as_list(statement["Action"])), as_list(statement.get("Resource", []))
        faults += [f"{name}: {action}" for action in actions if not ACTION.fullmatch(action)]
        wide = [target for target in targets if not _is_narrow(target)]
        if wide and not (wide == ["*"] and actions <= ON_ANYTHING):
            faults.append(f"{name}: {sorted(actions)} on {wide}")
        faults += [
            f"{name}: {key}" for key in ("NotAction", "NotResource") if key in statement and statement != TEXT_MESSAGES
        ]
    return faults


def _is_narrow(target: str) -> bool:
    before, star, after = target.partition("*")
    return not star or (not after and bool(before.partition("/")[2]))


def roles_not_written_here(resources: Resources) -> list[str]:
    """Every function has a role of its own, for Lambda only, without AWS's or SAM's ready-made policies."""
    faults, used = [], []
    roles, own = of_type(resources, "AWS::IAM::Role"), of_type(resources, "AWS::IAM::ManagedPolicy")
    for folder, function in functions(resources).items():
        role = str(function["Role"]).removesuffix(".Arn")
        used.append(role)
        if role not in roles:
            faults.append(f"{folder}: a role from elsewhere")
    faults += [f"{role}: not one function's own" for role in roles if used.count(role) != 1]
    for name, role in roles.items():
        principals = [statement["Principal"] for statement in role["AssumeRolePolicyDocument"]["Statement"]]
        if principals != [{"Service": "lambda.amazonaws.com"}]:
            faults.append(f"{name}: may be taken by {principals}")
        faults += [f"{name}: has {policy}" for policy in role.get("ManagedPolicyArns", []) if policy not in own]
    return faults


def stages_that_may_do_more_than_read(resources: Resources) -> list[str]:
    """A stage reads releases and writes its log."""
    faults = []
    for folder, function in functions(resources).items():
        if folder not in STAGES:
            continue
        for statement in statements_of(resources, function):
            actions, targets = set(as_list(statement["Action"])), as_list(statement["Resource"])
            reads = actions == {"s3:GetObject"} and targets == ["ReleasesBucket.Arn/releases/*"]
            if not reads and not actions <= LOGS:
                faults.append(f"{folder}: may {sorted(actions)} on {targets}")
    return faults


def rights_that_do_not_fit_the_settings(resources: Resources) -> list[str]:
    """A function may touch what its environment names, its queue and its log, and nothing else."""
    faults = []
    for folder, function in functions(resources).items():
        needed = _named(resources, function) | _sources(resources, folder)
        given = {
            _owner(target)
            for statement in statements_of(resources, function)
            if not set(as_list(statement["Action"])) <= LOGS
            for target in as_list(statement.get("Resource", PHONES))
        }
        faults += [f"{folder}: has no right to {name}, which its settings name" for name in sorted(needed - given)]
        faults += [
            f"{folder}: has a right to {name}, which its settings do not name" for name in sorted(given - needed)
        ]
        faults += [f"{folder}: writes another log than {own}" for own in _other_log(resources, function)]
    return faults


def identities_read_by_others(resources: Resources) -> list[str]:
    """Password hashes are for `users`: any other function sees the list of revoked sessions, and nothing else."""
    return [
        f"{folder}: may {statement['Action']} on all of IdentityTable"
        for folder, function in functions(resources).items()
        for statement in statements_of(resources, function)
        if "IdentityTable.Arn" in as_list(statement.get("Resource", []))
        and folder != "users"
        and (statement["Action"] != "dynamodb:Query" or statement.get("Condition") != REVOKED_ONLY)
    ]


def _named(resources: Resources, function: dict[str, Any]) -> set[str]:
    """The resources that appear in the function's environment; who it sends mails as, what it signs webhooks with."""
    given = variables(function)
    words = {word for value in given.values() for word in re.split(r"[:/]+", str(value))}
    senders = f"{given.get('ASSAY_MAIL')},{given.get('ASSAY_CODES')}"
    elsewhere = {
        SES: "ses:" in senders,
        PHONES: "sns:" in senders,
        WEBHOOK_SECRETS: "ASSAY_ALERTS" in given,
        TRAINER_KEY: TRAINER_KEY in str(given.get("ASSAY_RELEASE_KEY")),
    }
    return (words & resources.keys()) | {place for place, is_used in elsewhere.items() if is_used}


def _sources(resources: Resources, folder: str) -> set[str]:
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    return {_owner(m["EventSourceArn"]) for m in mappings if m["FunctionName"] == f"{logical_id(folder)}Aliaslive"}


def _owner(target: str) -> str:
    return re.split(r"[./]", target)[0]


def _other_log(resources: Resources, function: dict[str, Any]) -> Iterator[str]:
    own = function["LoggingConfig"]["LogGroup"]
    for statement in statements_of(resources, function):
        if set(as_list(statement["Action"])) <= LOGS and statement["Resource"] != f"{own}.Arn":
            yield own


def callers_not_named(resources: Resources) -> list[str]:
    """Whoever invokes a function from outside is one named API or rule, and does so by the alias."""
    faults = []
    aliases = of_type(resources, "AWS::Lambda::Alias")
    for name, permission in of_type(resources, "AWS::Lambda::Permission").items():
        if permission["Principal"] not in CALLERS or not permission.get("SourceArn"):
            faults.append(f"{name}: for anyone of {permission['Principal']}")
        if permission["FunctionName"] not in aliases:
            faults.append(f"{name}: passes the alias by")
    return faults


def _allowed(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """(resource, statement) of every Allow with a resource: of roles, managed policies, queues and buckets."""
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        if "PolicyDocument" in properties:
            documents.append(properties["PolicyDocument"])
        for document in documents:
            yield from ((name, s) for s in document["Statement"] if s["Effect"] == "Allow")


def statements_of(resources: Resources, function: dict[str, Any]) -> list[dict[str, Any]]:
    """What the role's own policies allow; tracing is the same for all."""
    role = str(function["Role"]).removesuffix(".Arn")
    return [statement for name, statement in _allowed(resources) if name == role]
