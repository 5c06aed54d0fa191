"""Which permissions the harness needs, as the least-privilege IAM policy for one table name in the named Regions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import UnknownRegionError

OWN_TABLES = "replication-latency-*"  # what runs without --table call their tables

MEASURING = (
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "DescribeTable",
    "GetItem",
    "PutItem",
    "Query",
    "UpdateItem",
)
MAKING = ("CreateTable", "DeleteTable", "UpdateTable")
# What DynamoDB asks of whoever adds or removes a replica, in the replica's Region, besides the above.
REPLICATING = ("CreateTableReplica", "DeleteTableReplica", "Scan")
WITNESSING = ("GetMetricStatistics",)  # of CloudWatch, for --witness cloudwatch only
# Of strongly consistent tables with a Region that holds no items.
QUORUM = ("CreateGlobalTableWitness", "DeleteGlobalTableWitness")

_SERVICE = "replication.dynamodb.amazonaws.com"
_ROLE = f"role/aws-service-role/{_SERVICE}/AWSServiceRoleForDynamoDBReplication"


def actions_of(operation: str) -> tuple[str, ...]:
    """The IAM actions one request needs; a transaction is permitted by what it holds, and ours hold puts."""
    name = {"TransactWriteItems": "PutItem"}.get(operation, operation)
    service = "cloudwatch" if operation in WITNESSING else "dynamodb"
    return (f"{service}:{name}",)


def make_policy(
    table: str,
    regions: Sequence[str],
    account: str = "*",
    *,
    witness: bool = False,
    quorum_witness: str | None = None,
) -> dict[str, Any]:
    """The policy for tables of this name (`*` stands for anything) in these Regions, as an IAM document.

    It can make, measure and remove them, with a `quorum_witness` Region where one is named; with `witness` also read
    CloudWatch's metrics in these Regions, which cannot be limited to a table. The role is DynamoDB's own, made with an
    account's first global table.
    """
    arns = [_arn(table, region, account) for region in regions]
    quorum = [*arns, _arn(table, quorum_witness, account)] if quorum_witness else []
    role = f"arn:{_partition(regions[0])}:iam::{account}:{_ROLE}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("Measure", MEASURING, arns),
            _allow("MakeAndRemoveTheTable", MAKING, arns),
            _allow("Replicate", REPLICATING, arns),
            *([_allow("QuorumWitness", QUORUM, quorum)] if quorum else []),
            {
                "Sid": "ReplicationRole",
                "Effect": "Allow",
                "Action": "iam:CreateServiceLinkedRole",
                "Resource": role,
                "Condition": {"StringEquals": {"iam:AWSServiceName": _SERVICE}},
            },
            *([_witness(regions)] if witness else []),
        ],
    }


def _witness(regions: Sequence[str]) -> dict[str, Any]:
    """CloudWatch knows no resource to limit the reading of metrics to, but the Region can be."""
    where = {"StringEquals": {"aws:RequestedRegion": list(regions)}}
    return {**_allow("Witness", WITNESSING, ["*"]), "Condition": where}


def _allow(sid: str, operations: Sequence[str], arns: list[str]) -> dict[str, Any]:
    actions = sorted({action for operation in operations for action in actions_of(operation)})
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arns}


def _arn(table: str, region: str, account: str) -> str:
    return f"arn:{_partition(region)}:dynamodb:{region}:{account}:table/{table}"


@functools.cache
def _partition(region: str) -> str:
    """The partition of a Region; one that botocore does not know is of the public cloud."""
    try:
        return str(boto3.Session().get_partition_for_region(region))
    except UnknownRegionError:
        return "aws"
