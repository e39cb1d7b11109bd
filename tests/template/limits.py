"""Checks: timeouts, queues and their functions. Each gives what is wrong, in words; nothing when all is well."""

from __future__ import annotations

from tests.template.apps import DEPLOYED
from tests.template.stack import Resources, functions, of_type, variables

STAGES = ("geoip", "rules_engine", "isolation_forest", "autoencoder", "xgboost_classifier", "decision_engine")
API_DEFAULT_MS = 30_000
GUESSED = {
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /oauth/token",
    "POST /users",
    "POST /users/me/password",
}
"""Where a password, a token or an address can be tried."""
MIN_RECEIVES = 5


def timeouts_that_do_not_decrease(resources: Resources) -> list[str]:
    """API > every function behind it; orchestrator > every stage > the deadline of a decision."""
    found = functions(resources)
    orchestrator = found["orchestrator"]
    steps = [
        ("API", _api_timeout_s(resources)),
        *((name, found[name]["Timeout"]) for name in DEPLOYED),
        *sorted(((name, found[name]["Timeout"]) for name in STAGES if name in found), key=lambda step: -step[1]),
        ("deadline", int(variables(orchestrator)["ASSAY_DEADLINE_MS"]) / 1000),
    ]
    outer = {"API": 0, **dict.fromkeys(DEPLOYED, 1), "deadline": 3}
    return [
        f"{inner} has {inner_s} s, {name} no more than {name_s} s"
        for name, name_s in steps
        for inner, inner_s in steps
        if outer.get(name, 2) < outer.get(inner, 2) and name_s <= inner_s
    ]


def _api_timeout_s(resources: Resources) -> float:
    routes = [route for api in of_type(resources, "AWS::ApiGatewayV2::Api").values() for route in _integrations(api)]
    return min(route.get("timeoutInMillis", API_DEFAULT_MS) for route in routes) / 1000


def _integrations(api: dict) -> list[dict]:
    methods = [method for path in api["Body"]["paths"].values() for method in path.values()]
    return [method["x-amazon-apigateway-integration"] for method in methods]


def guesses_as_fast_as_requests(resources: Resources) -> list[str]:
    """Routes where something can be guessed take fewer requests than the rest, and no route takes more."""
    faults = []
    for stage in of_type(resources, "AWS::ApiGatewayV2::Stage").values():
        common, own = stage["DefaultRouteSettings"], stage.get("RouteSettings", {})
        faults += [f"{route}: not limited of its own" for route in sorted(GUESSED - own.keys())]
        faults += [
            f"{route}: {limit} is no less than that of all routes"
            for route, settings in own.items()
            for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit")
            if settings.get(limit, common[limit]) >= common[limit]
        ]
    return faults


def messages_seen_again_too_soon(resources: Resources) -> list[str]:
    """Visibility >= 6 x the function's timeout + the batching window, or a batch is worked on twice."""
    faults = []
    for name, mapping, queue, function in _consumers(resources):
        least = 6 * function["Timeout"] + mapping.get("MaximumBatchingWindowInSeconds", 0)
        if queue.get("VisibilityTimeout", 30) < least:
            faults.append(f"{name}: visible again after {queue.get('VisibilityTimeout')} s, should be >= {least} s")
    return faults


def queues_without_redrive(resources: Resources) -> list[str]:
    """A consumer's queue gives up after some tries, to dead letters of its own that live longer than itself."""
    faults, used = [], set()
    queues = of_type(resources, "AWS::SQS::Queue")
    for name, _, queue, _ in _consumers(resources):
        redrive = queue.get("RedrivePolicy", {})
        target = str(redrive.get("deadLetterTargetArn", "")).removesuffix(".Arn")
        if redrive.get("maxReceiveCount", 0) < MIN_RECEIVES:
            faults.append(f"{name}: maxReceiveCount should be >= {MIN_RECEIVES}")
        if target not in queues or target in used:
            faults.append(f"{name}: no dead letters of its own")
            continue
        used.add(target)
        if queues[target].get("MessageRetentionPeriod", 0) <= queue.get("MessageRetentionPeriod", 345_600):
            faults.append(f"{name}: its dead letters are kept no longer than its messages")
    return faults


def consumers_that_fail_as_a_whole(resources: Resources) -> list[str]:
    """Partial failures are reported, and it is the mapping that limits concurrency, not the function."""
    faults = []
    for name, mapping, _, function in _consumers(resources):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            faults.append(f"{name}: one bad message fails the whole batch")
        if mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0) < 2:
            faults.append(f"{name}: no MaximumConcurrency")
        if "ReservedConcurrentExecutions" in function:
            faults.append(f"{name}: reserved concurrency would throttle messages into the dead letters")
    return faults


def subscriptions_that_lose_events(resources: Resources) -> list[str]:
    """A queue subscribes raw, keeps what could not be delivered, and takes messages from its topic only."""
    faults = []
    allowed = _senders(resources)
    for name, subscription in of_type(resources, "AWS::SNS::Subscription").items():
        if subscription["Protocol"] != "sqs":
            continue
        undelivered = subscription.get("RedrivePolicy", {}).get("deadLetterTargetArn")
        if subscription.get("RawMessageDelivery") is not True:
            faults.append(f"{name}: the queue would get an envelope, not the event")
        faults += [
            f"{name}: the topic may not send to {queue}"
            for queue in (subscription["Endpoint"], undelivered)
            if (subscription["TopicArn"], queue) not in allowed
        ]
    return faults


def _senders(resources: Resources) -> set[tuple[str, str]]:
    """(topic, queue ARN) pairs that queue policies allow, by the topic's ARN."""
    statements = [
        statement
        for policy in of_type(resources, "AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    return {
        (statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn"), queue)
        for statement in statements
        if statement["Effect"] == "Allow" and statement["Principal"] == {"Service": "sns.amazonaws.com"}
        for queue in statement["Resource"]
    }


def _consumers(resources: Resources) -> list[tuple[str, dict, dict, dict]]:
    """(queue's name, mapping, queue, function) of every mapping of a queue to a function."""
    queues = of_type(resources, "AWS::SQS::Queue")
    mappings = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    found = [(str(m["EventSourceArn"]).removesuffix(".Arn"), m) for m in mappings]
    aliases = of_type(resources, "AWS::Lambda::Alias")
    return [(q, m, queues[q], _behind(resources, aliases[m["FunctionName"]])) for q, m in found]


def _behind(resources: Resources, alias: dict) -> dict:
    return of_type(resources, "AWS::Lambda::Function")[alias["FunctionName"]]
