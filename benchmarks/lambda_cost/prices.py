"""AWS's public on-demand prices, US East (N. Virginia), in US dollars, without any free tier or discount."""

from __future__ import annotations

DATE = "2026-11"
SOURCE = "the public pricing pages of AWS Lambda, API Gateway, DynamoDB, SNS, SQS, S3 and CloudWatch"

LAMBDA_GB_SECOND = 0.0000166667  # x86, first tier
LAMBDA_REQUESTS = 0.20  # per million
HTTP_API_REQUESTS = 1.00  # per million, first tier, up to 512 kB each
DYNAMODB_WRITES = 0.625  # per million write request units: 1 kB each, twice in a transaction
DYNAMODB_READS = 0.125  # per million read request units: 4 kB each, strongly consistent
SNS_PUBLISHES = 0.50  # per million of 64 kB; deliveries to SQS are free
SQS_REQUESTS = 0.40  # per million of 64 kB
S3_PUTS = 5.00  # per million
LOGS_GB = 0.50  # ingested

SQS_BATCH = 10
"""Events a consumer gets at once in the cost table: fewer batches when it is busier."""
