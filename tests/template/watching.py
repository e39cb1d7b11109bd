"""Checks: whether somebody learns of it. Each gives what is wrong, in words; nothing when all is well."""

from __future__ import annotations

from typing import Any

from tests.template.stack import Resources, functions, logical_id, of_type


def functions_that_fail_unseen(resources: Resources) -> list[str]:
    """An alarm for the errors of every function, and one for a slow orchestrator."""
    faults = [
        f"{folder}: no alarm for its errors"
        for folder in functions(resources)
        if not _alarms(resources, "Errors", FunctionName=logical_id(folder))
    ]
    slow = _alarms(resources, "Duration", FunctionName="OrchestratorFunction")
    if not any(alarm.get("ExtendedStatistic") == "p99" for alarm in slow):
        faults.append("orchestrator: no alarm for its p99 duration")
    return faults


def queues_that_fill_unseen(resources: Resources) -> list[str]:
    """An alarm for every dead letter, and for messages that wait in any other queue."""
    dead = {
        redrive["deadLetterTargetArn"].removesuffix(".Arn")
        for kind in ("AWS::SQS::Queue", "AWS::SNS::Subscription")
        for properties in of_type(resources, kind).values()
        if (redrive := properties.get("RedrivePolicy"))
    }
    faults = []
    for name in of_type(resources, "AWS::SQS::Queue"):
        metric = "ApproximateNumberOfMessagesVisible" if name in dead else "ApproximateAgeOfOldestMessage"
        if not _alarms(resources, metric, QueueName=f"{name}.QueueName"):
            faults.append(f"{name}: no alarm on {metric}")
    return faults


def verdicts_that_degrade_unseen(resources: Resources) -> list[str]:
    """An alarm for the share of degraded verdicts, and one for events that nobody publishes."""
    watched = {metric for _, metric in own_metrics(resources)}
    return [f"no alarm on {metric}" for metric in ("Degraded", "Verdicts", "OldestAge") if metric not in watched]


def schedules_that_stop_unseen(resources: Resources) -> list[str]:
    """A function that runs each minute is missed when it does not."""
    scheduled = {
        target["Arn"].removesuffix("FunctionAliaslive")
        for rule in of_type(resources, "AWS::Events::Rule").values()
        for target in rule["Targets"]
    }
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    return [
        f"{name}: no alarm when it stands still"
        for name in sorted(scheduled)
        if alarms.get(f"{name}Still", {}).get("TreatMissingData") != "breaching"
        or alarms[f"{name}Still"]["ComparisonOperator"] != "LessThanThreshold"
    ]


def alarms_that_nobody_hears(resources: Resources) -> list[str]:
    """Every alarm goes to the one topic."""
    return [
        f"{name}: tells {alarm.get('AlarmActions')}"
        for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items()
        if alarm.get("AlarmActions") != ["AlarmTopic"] or alarm.get("ActionsEnabled") is False
    ]


def own_metrics(resources: Resources) -> set[tuple[frozenset[tuple[str, str]], str]]:
    """(dimensions, name) of the metrics of Assay's own that alarms look at."""
    return {
        (frozenset((dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"]), metric["MetricName"])
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        for metric in (
            alarm,
            *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part),
        )
        if metric.get("Namespace") == "Assay"
    }


def _alarms(resources: Resources, metric: str, **dimension: str) -> list[dict[str, Any]]:
    """The alarms on a metric with just this dimension."""
    wanted = [{"Name": name, "Value": value} for name, value in dimension.items()]
    return [
        alarm
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == metric and alarm.get("Dimensions") == wanted
    ]
