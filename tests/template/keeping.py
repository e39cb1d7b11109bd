"""Checks: what is kept, how safely and how long. Each gives what is wrong, in words; nothing when all is well."""

from __future__ import annotations

from assay.intelligence import day_tables
from tests.template.stack import Resources, functions, of_type

OPEN_TOPICS = {"AlarmTopic"}
"""CloudWatch may not use the key alias/aws/sns; an alarm tells nothing but a metric."""
TABLES = day_tables.PREFIX.partition("/")[0] + "/"
MONTH = 30
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def logs_without_end(resources: Resources) -> list[str]:
    """Every log group forgets, and every function and API writes to one of them, as JSON."""
    groups = of_type(resources, "AWS::Logs::LogGroup")
    faults = [f"{name}: kept for ever" for name, group in groups.items() if not group.get("RetentionInDays")]
    for folder, function in functions(resources).items():
        logging = function.get("LoggingConfig", {})
        if logging.get("LogGroup") not in groups or logging.get("LogFormat") != "JSON":
            faults.append(f"{folder}: no JSON log in a group of the template")
    for name, stage in of_type(resources, "AWS::ApiGatewayV2::Stage").items():
        if stage.get("AccessLogSettings", {}).get("DestinationArn") not in {f"{group}.Arn" for group in groups}:
            faults.append(f"{name}: no access log")
    return faults


def state_in_clear(resources: Resources) -> list[str]:
    """Tables, buckets, queues and topics are encrypted at rest."""
    faults = []
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        if table.get("SSESpecification") != {"SSEEnabled": True}:
            faults.append(f"{name}: not encrypted with a key of KMS")
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        if not any(rule.get("ServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules):
            faults.append(f"{name}: not encrypted")
    for name, queue in of_type(resources, "AWS::SQS::Queue").items():
        if not (queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId")):
            faults.append(f"{name}: not encrypted")
    for name, topic in of_type(resources, "AWS::SNS::Topic").items():
        if name not in OPEN_TOPICS and not topic.get("KmsMasterKeyId"):
            faults.append(f"{name}: not encrypted")
    return faults


def buckets_open_to_others(resources: Resources) -> list[str]:
    """No public access, no plain HTTP, versions kept, unfinished uploads ended."""
    faults = []
    guarded = {
        policy["Bucket"]
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and set(statement["Resource"]) == {f"{policy['Bucket']}.Arn", f"{policy['Bucket']}.Arn/*"}
    }
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        if not all(bucket.get("PublicAccessBlockConfiguration", {}).get(block) for block in BLOCKS):
            faults.append(f"{name}: can be made public")
        if name not in guarded:
            faults.append(f"{name}: can be read over plain HTTP")
        if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
            faults.append(f"{name}: what is overwritten is gone")
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
            faults.append(f"{name}: unfinished uploads stay")
    return faults


def state_that_can_be_lost(resources: Resources) -> list[str]:
    """Tables can be restored and are not deleted by mistake; nothing that keeps state goes with the stack."""
    faults = []
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            faults.append(f"{name}: no point-in-time recovery")
        if table.get("DeletionProtectionEnabled") != "true":
            faults.append(f"{name}: not protected from deletion")
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            faults.append(f"{name}: throttles above a fixed capacity")
    for kind in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"):
        for name in of_type(resources, kind):
            if {resources[name].get("DeletionPolicy"), resources[name].get("UpdateReplacePolicy")} != {"Retain"}:
                faults.append(f"{name}: goes with the stack")
    return faults


def tables_of_another_shape(resources: Resources) -> list[str]:
    """Keys and expiry are what the adapters of assay.adapters.aws read and write."""
    expected = {
        "DecisionsTable": (["pk"], None),
        "ProfileTable": (["pk", "sk"], "expires_at"),
        "OutboxTable": (["pk", "sk"], None),
        "IdentityTable": (["pk", "sk"], "expires_at"),
        "AlertsTable": (["pk", "sk"], "expires_at"),
        "AccountsTable": (["pk", "sk"], "expires_at"),
        "LabelsTable": (["pk", "sk"], "expires_at"),
        "ChallengesTable": (["pk", "sk"], "expires_at"),
        "ClientEventsTable": (["pk", "sk"], "expires_at"),
        "AuditAnchorTable": (["pk"], None),
    }
    found = {
        name: (
            [key["AttributeName"] for key in table["KeySchema"]],
            table.get("TimeToLiveSpecification", {}).get("AttributeName"),
        )
        for name, table in of_type(resources, "AWS::DynamoDB::Table").items()
    }
    return [
        f"{name}: {found.get(name)}, should be {expected.get(name)}"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name) != expected.get(name)
    ]


def copies_that_outlive_their_events(resources: Resources) -> list[str]:
    """The days' tables are made of events that expire: so they expire soon, and at once for good."""
    bucket = of_type(resources, "AWS::S3::Bucket").get("ArchiveBucket", {})
    rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
    ended = [rule for rule in rules if rule.get("Prefix") == TABLES and rule["Status"] == "Enabled"]
    if not any(rule.get("ExpirationInDays", MONTH + 1) <= MONTH for rule in ended):
        return [f"ArchiveBucket: {TABLES} stays"]
    if not any(rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays") == 1 for rule in ended):
        return [f"ArchiveBucket: {TABLES} stays as versions"]
    return []


def secrets_made_here(resources: Resources) -> list[str]:
    """What is secret is put in later, or made by AWS: a value in a template would be read by many."""
    return [
        f"{name}: SecretString"
        for name, secret in of_type(resources, "AWS::SecretsManager::Secret").items()
        if "SecretString" in secret
    ]


def audit_that_can_be_changed(resources: Resources) -> list[str]:
    """The audit bucket locks every object for at least a year, and no lifecycle rule ends one earlier."""
    bucket = of_type(resources, "AWS::S3::Bucket").get("AuditBucket", {})
    lock = bucket.get("ObjectLockConfiguration", {})
    retention = lock.get("Rule", {}).get("DefaultRetention", {})
    faults = []
    if not bucket.get("ObjectLockEnabled") or lock.get("ObjectLockEnabled") != "Enabled":
        faults.append("AuditBucket: no Object Lock")
    if retention.get("Mode") not in {"GOVERNANCE", "COMPLIANCE"} or retention.get("Years", 0) < 1:
        faults.append("AuditBucket: objects are not locked for 12 months")
    rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
    faults += ["AuditBucket: objects expire" for rule in rules if "ExpirationInDays" in rule]
    return faults
