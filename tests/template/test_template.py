"""The template as it really results, for every topology; and that each check can fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from assay.schemas.stages import Decision
from assay.schemas.verdict import FraudVerdict
from functions.orchestrator.metrics import count
from tests.template import keeping, limits, rights, watching, wiring
from tests.template.stack import CHOICES, ROOT, Resources, expanded, functions, logical_id, of_type, stack, variables

Check = Callable[[Resources], list[str]]
DELETE = object()

# A check, and a place in the template with something wrong there that the check must report.
MUTATIONS: list[tuple[Check, str, str, Any]] = [
    (limits.timeouts_that_do_not_decrease, "OrchestratorFunction", "Properties.Timeout", 30),
    (limits.timeouts_that_do_not_decrease, "AutoencoderFunction", "Properties.Timeout", 15),
    (limits.timeouts_that_do_not_decrease, "UsersFunction", "Properties.Timeout", 30),
    (
        limits.timeouts_that_do_not_decrease,
        "OrchestratorFunction",
        "Properties.Environment.Variables.ASSAY_DEADLINE_MS",
        6000,
    ),
    (
        limits.guesses_as_fast_as_requests,
        "ApiApiGatewayDefaultStage",
        "Properties.RouteSettings.POST /oauth/token",
        DELETE,
    ),
    (
        limits.guesses_as_fast_as_requests,
        "ApiApiGatewayDefaultStage",
        "Properties.RouteSettings.POST /auth/login.ThrottlingRateLimit",
        500,
    ),
    (limits.messages_seen_again_too_soon, "PostAuthIntelligenceQueue", "Properties.VisibilityTimeout", 61),
    (limits.messages_seen_again_too_soon, "AuditLogQueue", "Properties.VisibilityTimeout", 120),
    (limits.messages_seen_again_too_soon, "AlertsFunction", "Properties.Timeout", 60),
    (limits.messages_seen_again_too_soon, "PostAuthIntelligenceFunction", "Properties.Timeout", 29),
    (limits.queues_without_redrive, "PostAuthIntelligenceQueue", "Properties.RedrivePolicy.maxReceiveCount", 4),
    (limits.queues_without_redrive, "PostAuthIntelligenceQueue", "Properties.RedrivePolicy", DELETE),
    (
        limits.queues_without_redrive,
        "PostAuthIntelligenceDeadLetters",
        "Properties.MessageRetentionPeriod",
        345_600,
    ),
    (
        limits.consumers_that_fail_as_a_whole,
        "PostAuthIntelligenceFunctionScored",
        "Properties.FunctionResponseTypes",
        DELETE,
    ),
    (limits.consumers_that_fail_as_a_whole, "PostAuthIntelligenceFunctionScored", "Properties.ScalingConfig", DELETE),
    (
        limits.consumers_that_fail_as_a_whole,
        "PostAuthIntelligenceFunction",
        "Properties.ReservedConcurrentExecutions",
        5,
    ),
    (
        limits.subscriptions_that_lose_events,
        "PostAuthIntelligenceSubscription",
        "Properties.RawMessageDelivery",
        False,
    ),
    (limits.subscriptions_that_lose_events, "PostAuthIntelligenceSubscription", "Properties.RedrivePolicy", DELETE),
    (
        limits.subscriptions_that_lose_events,
        "EventsQueuePolicy",
        "Properties.PolicyDocument.Statement.0.Condition",
        DELETE,
    ),
    (
        rights.rights_too_wide,
        "OutboxSweeperRole",
        "Properties.Policies.0.PolicyDocument.Statement.1.Action",
        "dynamodb:*",
    ),
    (
        rights.rights_too_wide,
        "RulesEngineRole",
        "Properties.Policies.0.PolicyDocument.Statement.1.Resource",
        "ReleasesBucket.Arn/*",
    ),
    (rights.rights_too_wide, "RulesEngineRole", "Properties.Policies.0.PolicyDocument.Statement.1.Resource", "*"),
    (rights.rights_too_wide, "AlertsRole", "Properties.Policies.0.PolicyDocument.Statement.6.Resource", "*"),
    (
        rights.rights_too_wide,
        "ChallengesRole",
        "Properties.Policies.0.PolicyDocument.Statement.8.NotResource",
        "arn:aws:sns:us-east-1:*:*",
    ),
    (
        rights.rights_too_wide,
        "AuditLogRole",
        "Properties.Policies.0.PolicyDocument.Statement.4.Resource",
        "AuditBucket.Arn/*",
    ),
    (rights.roles_not_written_here, "RulesEngineFunction", "Properties.Role", "AutoencoderRole.Arn"),
    (
        rights.roles_not_written_here,
        "RulesEngineRole",
        "Properties.ManagedPolicyArns",
        ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
    ),
    (
        rights.roles_not_written_here,
        "RulesEngineRole",
        "Properties.AssumeRolePolicyDocument.Statement.0.Principal",
        {"AWS": "*"},
    ),
    (
        rights.stages_that_may_do_more_than_read,
        "AutoencoderRole",
        "Properties.Policies.0.PolicyDocument.Statement.1.Action",
        "s3:PutObject",
    ),
    (
        rights.rights_that_do_not_fit_the_settings,
        "OutboxSweeperRole",
        "Properties.Policies.0.PolicyDocument.Statement.1.Resource",
        "DecisionsTable.Arn",
    ),
    (
        rights.rights_that_do_not_fit_the_settings,
        "PostAuthIntelligenceRole",
        "Properties.Policies.0.PolicyDocument.Statement.0.Resource",
        "OrchestratorLogs.Arn",
    ),
    (
        rights.rights_that_do_not_fit_the_settings,
        "UsersRole",
        "Properties.Policies.0.PolicyDocument.Statement.2.Resource",
        "elsewhere",
    ),
    (
        rights.rights_that_do_not_fit_the_settings,
        "UsersRole",
        "Properties.Policies.0.PolicyDocument.Statement.1.Resource",
        "AuditBucket.Arn/dt=*",
    ),
    (
        rights.rights_that_do_not_fit_the_settings,
        "AlertsFunction",
        "Properties.Environment.Variables.ASSAY_MAIL",
        "smtp://localhost:25",
    ),
    (
        rights.identities_read_by_others,
        "AlertsRole",
        "Properties.Policies.0.PolicyDocument.Statement.4.Condition",
        DELETE,
    ),
    (
        rights.identities_read_by_others,
        "AuditLogRole",
        "Properties.Policies.0.PolicyDocument.Statement.3.Action",
        ["dynamodb:Query", "dynamodb:GetItem"],
    ),
    (rights.callers_not_named, "OrchestratorFunctionScorePermission", "Properties.SourceArn", DELETE),
    (
        rights.callers_not_named,
        "OrchestratorFunctionScorePermission",
        "Properties.FunctionName",
        "OrchestratorFunction",
    ),
    (keeping.logs_without_end, "AutoencoderLogs", "Properties.RetentionInDays", DELETE),
    (keeping.logs_without_end, "AutoencoderFunction", "Properties.LoggingConfig.LogGroup", "elsewhere"),
    (keeping.logs_without_end, "ApiApiGatewayDefaultStage", "Properties.AccessLogSettings", DELETE),
    (keeping.state_in_clear, "OutboxTable", "Properties.SSESpecification", DELETE),
    (keeping.state_in_clear, "ArchiveBucket", "Properties.BucketEncryption", DELETE),
    (keeping.state_in_clear, "EventsUndelivered", "Properties.SqsManagedSseEnabled", False),
    (keeping.state_in_clear, "EventsTopic", "Properties.KmsMasterKeyId", DELETE),
    (
        keeping.buckets_open_to_others,
        "ArchiveBucket",
        "Properties.PublicAccessBlockConfiguration.BlockPublicPolicy",
        False,
    ),
    (keeping.buckets_open_to_others, "AuditBucketPolicy", "Properties.PolicyDocument.Statement.0.Effect", "Allow"),
    (keeping.buckets_open_to_others, "ReleasesBucket", "Properties.VersioningConfiguration", DELETE),
    (keeping.buckets_open_to_others, "ReleasesBucket", "Properties.LifecycleConfiguration", DELETE),
    (keeping.state_that_can_be_lost, "DecisionsTable", "Properties.PointInTimeRecoverySpecification", DELETE),
    (keeping.state_that_can_be_lost, "DecisionsTable", "Properties.DeletionProtectionEnabled", "false"),
    (keeping.state_that_can_be_lost, "AuditBucket", "DeletionPolicy", "Delete"),
    (keeping.state_that_can_be_lost, "SigningKeysSecret", "DeletionPolicy", DELETE),
    (keeping.secrets_made_here, "SigningKeysSecret", "Properties.SecretString", "k"),
    (
        keeping.copies_that_outlive_their_events,
        "ArchiveBucket",
        "Properties.LifecycleConfiguration.Rules.2.ExpirationInDays",
        90,
    ),
    (
        keeping.copies_that_outlive_their_events,
        "ArchiveBucket",
        "Properties.LifecycleConfiguration.Rules.2.NoncurrentVersionExpiration",
        DELETE,
    ),
    (keeping.tables_of_another_shape, "IdentityTable", "Properties.TimeToLiveSpecification", DELETE),
    (keeping.tables_of_another_shape, "ProfileTable", "Properties.TimeToLiveSpecification", DELETE),
    (keeping.tables_of_another_shape, "OutboxTable", "Properties.KeySchema.1", DELETE),
    (keeping.audit_that_can_be_changed, "AuditBucket", "Properties.ObjectLockEnabled", DELETE),
    (
        keeping.audit_that_can_be_changed,
        "AuditBucket",
        "Properties.ObjectLockConfiguration.Rule.DefaultRetention.Years",
        0,
    ),
    (
        keeping.audit_that_can_be_changed,
        "AuditBucket",
        "Properties.LifecycleConfiguration.Rules.0.ExpirationInDays",
        30,
    ),
    (watching.functions_that_fail_unseen, "AutoencoderErrors", "Type", "AWS::CloudFormation::WaitConditionHandle"),
    (watching.functions_that_fail_unseen, "UsersErrors", "Properties.MetricName", "Throttles"),
    (watching.functions_that_fail_unseen, "OrchestratorSlow", "Properties.ExtendedStatistic", "p50"),
    (
        watching.queues_that_fill_unseen,
        "EventsUndeliveredDead",
        "Properties.Dimensions.0.Value",
        "PostAuthIntelligenceQueue.QueueName",
    ),
    (
        watching.queues_that_fill_unseen,
        "AuditLogDead",
        "Properties.Dimensions.0.Value",
        "AlertsDeadLetters.QueueName",
    ),
    (watching.queues_that_fill_unseen, "PostAuthIntelligenceLate", "Properties.MetricName", "NumberOfMessagesSent"),
    (watching.schedules_that_stop_unseen, "AlertsStill", "Properties.TreatMissingData", "notBreaching"),
    (watching.schedules_that_stop_unseen, "TrainerStill", "Properties.TreatMissingData", "ignore"),
    (
        rights.rights_that_do_not_fit_the_settings,
        "TrainerRole",
        "Properties.Policies.0.PolicyDocument.Statement.4.Resource",
        "CardManagementSecret",
    ),
    (watching.schedules_that_stop_unseen, "OutboxSweeperStill", "Type", "AWS::CloudFormation::WaitConditionHandle"),
    (watching.verdicts_that_degrade_unseen, "OutboxOld", "Properties.Namespace", "AWS/Lambda"),
    (watching.alarms_that_nobody_hears, "ApiFaults", "Properties.AlarmActions", DELETE),
    (
        wiring.settings_out_of_step,
        "OutboxSweeperFunction",
        "Properties.Environment.Variables.ASSAY_OUTBOX_TABLE",
        DELETE,
    ),
    (wiring.settings_out_of_step, "AutoencoderFunction", "Properties.Environment.Variables.ASSAY_UNREAD", "x"),
    (
        wiring.stages_out_of_place,
        "OrchestratorFunction",
        "Properties.Environment.Variables.ASSAY_STAGE_AUTOENCODER",
        "inline",
    ),
    (wiring.stages_out_of_place, "OrchestratorFunction", "Metadata.DockerBuildArgs.INLINE", "autoencoder"),
    (wiring.stages_out_of_place, "OrchestratorFunction", "Metadata.DockerBuildArgs.INLINE", "geoip"),
    (wiring.filters_out_of_step, "AuditLogSubscription", "Properties.FilterPolicy", {"event": ["user.created"]}),
    (wiring.filters_out_of_step, "AlertsSubscription", "Properties.FilterPolicy", {"decision": ["DECLINE"]}),
    (wiring.filters_out_of_step, "PostAuthIntelligenceSubscription", "Properties.FilterPolicy", DELETE),
    (wiring.images_of_nothing, "AutoencoderFunction", "Metadata.Dockerfile", "Dockerfile"),
    (wiring.images_of_nothing, "OrchestratorFunction", "Metadata.DockerBuildArgs.INLINE", "autoencoders"),
    (wiring.routes_out_of_step, "Api", "Properties.Body.paths./ready", DELETE),
    (wiring.routes_out_of_step, "Api", "Properties.Body.paths./admin", {"get": {}}),
    (
        wiring.routes_out_of_step,
        "Api",
        "Properties.Body.paths./alerts.get.x-amazon-apigateway-integration.uri",
        "functions/OrchestratorFunctionAliaslive/invocations",
    ),
]
CHECKS = list(dict.fromkeys(check for check, *_ in MUTATIONS))


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_nothing_is_wrong(check: Check, choice: str) -> None:
    assert check(stack(choice)) == []


@pytest.mark.parametrize(
    ("check", "resource", "place", "value"), MUTATIONS, ids=[f"{m[0].__name__}-{m[1]}-{m[2]}" for m in MUTATIONS]
)
def test_a_check_finds_what_is_wrong(check: Check, resource: str, place: str, value: Any) -> None:
    assert check(_changed(stack("all_separate"), resource, place, value))


def _changed(resources: Resources, resource: str, place: str, value: Any) -> Resources:
    """A copy with one value set or deleted. The path to it leads through mappings and, by number, lists."""
    changed = copy.deepcopy(resources)
    at: Any = changed[resource]
    *way, last = place.split(".")
    for step in way:
        at = at[int(step) if isinstance(at, list) else step]
    if value is not DELETE:
        at[last] = value
    else:
        del at[int(last) if isinstance(at, list) else last]
    return changed


def test_every_check_of_the_modules_is_used() -> None:
    modules = (limits, rights, keeping, watching, wiring)
    written = {
        function
        for module in modules
        for name, function in vars(module).items()
        if not name.startswith("_") and callable(function) and getattr(function, "__module__", "") == module.__name__
    }
    assert written - set(CHECKS) == {watching.own_metrics, wiring.routes, rights.statements_of}


def test_the_topologies_differ_in_their_functions() -> None:
    consumers = {"action_layer", "alerts", "audit_log", "challenges", "client_events", "post_auth_intelligence"}
    others = {"orchestrator", "users", "outbox_sweeper", "intelligence", "trainer", *consumers}
    cheap = {"geoip", "rules_engine", "decision_engine"}
    assert functions(stack("all_separate")).keys() == others | set(limits.STAGES)
    assert functions(stack("cheap_stages_inline")).keys() == (others | set(limits.STAGES)) - cheap
    assert functions(stack("one_function")).keys() == others
    assert functions(stack("without_trainer")).keys() == (others | set(limits.STAGES)) - {"trainer"}
    assert not any("Trainer" in name for name in stack("without_trainer"))
    assert "lambda:InvokeFunction" not in str(stack("one_function")["OrchestratorRole"])


def test_every_extra_can_be_had() -> None:
    plain, extra = stack("all_separate"), stack("with_every_extra")
    assert extra.keys() - plain.keys() == {"TracingPolicy", "AlarmMail"}
    for folder, function in functions(extra).items():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Environment"]["Variables"]["AWS_ENDPOINT_URL"] == "http://moto:5000"
        warm = extra[f"{logical_id(folder)}Aliaslive"]["Properties"].get("ProvisionedConcurrencyConfig")
        assert warm == ({"ProvisionedConcurrentExecutions": 2} if folder in {"orchestrator", *limits.STAGES} else None)
    assert not any("AWS_ENDPOINT_URL" in name for f in functions(plain).values() for name in variables(f))


def test_the_longest_deadline_is_less_than_a_stage_has() -> None:
    longest_s = expanded()["Parameters"]["DeadlineMs"]["MaxValue"] / 1000
    assert all(function["Timeout"] > longest_s for function in functions(stack("all_separate")).values())


def test_one_trainer_at_a_time() -> None:
    trainer = functions(stack("all_separate"))["trainer"]
    assert (trainer["ReservedConcurrentExecutions"], trainer["Timeout"]) == (1, 900)
    configs = of_type(stack("all_separate"), "AWS::Lambda::EventInvokeConfig").values()
    (retries,) = (c["MaximumRetryAttempts"] for c in configs if c["FunctionName"] == "TrainerFunction")
    assert retries == 0


def test_a_new_revision_publishes_every_function_anew() -> None:
    """Callers use aliases: without a new version, a parameter's new value would not serve."""
    plain = of_type(stack("all_separate"), "AWS::Lambda::Version").keys()
    revised = {
        name
        for name, resource in expanded('{"Revision": "1795251600"}')["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version"
    }
    assert len(plain) == len(revised) == len(functions(stack("all_separate")))
    assert not plain & revised


def test_alarms_look_at_metrics_that_the_orchestrator_counts(capsys: pytest.CaptureFixture[str]) -> None:
    count(FraudVerdict.model_construct(decision=Decision.APPROVE, degraded=[]))
    line = json.loads(capsys.readouterr().out)
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    counted = {
        (frozenset((name, line[name]) for name in names), metric["Name"])
        for names in metrics["Dimensions"]
        for metric in metrics["Metrics"]
    }
    watched = watching.own_metrics(stack("all_separate"))
    assert {metric for metric in watched if ("service", "orchestrator") in metric[0]} <= counted


@pytest.mark.parametrize(
    "folder",
    ["outbox_sweeper", "alerts", "action_layer", "challenges", "client_events", "intelligence", "trainer"],
)
def test_alarms_look_at_the_metric_that_a_schedule_writes(folder: str) -> None:
    source = (ROOT / "functions" / folder / "handler.py").read_text()
    (name,) = (
        name for dimensions, name in watching.own_metrics(stack("all_separate")) if ("service", folder) in dimensions
    )
    assert f'add_metric(name="{name}"' in source
    assert f'Metrics(namespace="Assay", service="{folder}")' in source
