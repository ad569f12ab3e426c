"""Who may do what: roles of the app, the worker, the deployer and the auditor; a group."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cityverse.aws.buckets import bucket_id
from cityverse.aws.cloudformation import (
    ACCOUNT,
    Json,
    assumed_by,
    att,
    policy,
    ref,
    resource,
    statement,
    sub,
    tags,
)
from cityverse.aws.tables import table_id
from cityverse.data.registry import BUCKETS, TABLES

# TransactWriteItems is allowed by what its parts are.
ITEM_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
OBJECT_ACTIONS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
)
BUCKET_ACTIONS = ("s3:ListBucketVersions",)
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")

_PROVISIONING = (
    "dynamodb:CreateTable",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:Scan",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
)
_BUCKET_PROVISIONING = (
    "s3:CreateBucket",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
)
_SCALING = (
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:RegisterScalableTarget",
)
_LOOKING = (
    "application-autoscaling:Describe*",
    "backup:Describe*",
    "backup:List*",
    "budgets:ViewBudget",
    "cloudtrail:LookupEvents",
    "cloudwatch:Describe*",
    "cloudwatch:Get*",
    "cloudwatch:List*",
    "dynamodb:Describe*",
    "dynamodb:List*",
    "iam:Get*",
    "iam:List*",
    "kms:Describe*",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:List*",
    "logs:Describe*",
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListAllMyBuckets",
)


def roles() -> Json:
    """All roles, the policy of the app, and the group of those who run it with access keys."""
    return {
        "DataPolicy": resource(
            "AWS::IAM::ManagedPolicy",
            {
                "Description": "CityVerse: items and files; nothing else",
                "PolicyDocument": policy(*_use()),
            },
        ),
        "AppRole": _task_role("app"),
        "WorkerRole": _task_role("worker"),
        "DeployerRole": _role(_trusted("DeployerArn"), "deploy", policy(*_deploy())),
        "AuditorRole": _role(_trusted("AuditorArn"), "audit", policy(*_audit())),
        "MailPolicy": resource(
            "AWS::IAM::Policy",
            {
                "PolicyName": "mail",
                "Roles": [ref("AppRole"), ref("WorkerRole")],
                "Groups": [ref("AppGroup")],
                "PolicyDocument": policy(_mail()),
            },
            Condition="WithMail",
        ),
        "AppGroup": resource("AWS::IAM::Group", {"ManagedPolicyArns": [ref("DataPolicy")]}),
    }


def _tables() -> list[Any]:
    arns = [att(table_id(table), "Arn") for table in TABLES]
    return [
        *arns,
        *(sub(f"${{{table_id(table)}.Arn}}/index/*") for table in TABLES if table.indexes),
    ]


def _use() -> Iterable[Json]:
    names = [bucket_id(bucket) for bucket in BUCKETS]
    yield statement(ITEM_ACTIONS, _tables())
    yield statement(OBJECT_ACTIONS, [sub(f"${{{name}.Arn}}/*") for name in names])
    yield statement(BUCKET_ACTIONS, [att(name, "Arn") for name in names])
    yield statement(
        KEY_ACTIONS,
        att("Key", "Arn"),
        Condition={"StringLike": {"kms:ViaService": [_via("s3"), _via("dynamodb")]}},
    )


def _mail() -> Json:
    return statement(
        ["ses:SendEmail", "ses:SendRawEmail"],
        "*",
        Condition={"StringEquals": {"ses:FromAddress": ref("MailFrom")}},
    )


def _via(service: str) -> Json:
    return sub(f"{service}.${{AWS::Region}}.amazonaws.com")


def _task_role(part: str) -> Json:
    trusted = assumed_by(
        "ecs-tasks.amazonaws.com",
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    )
    return resource(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": trusted,
            "ManagedPolicyArns": [ref("DataPolicy")],
            "Tags": tags(part),
        },
    )


def _trusted(parameter: str) -> Json:
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": ref(parameter)},
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        }
    )


def _role(trusted: Json, name: str, allowed: Json) -> Json:
    condition = f"With{name.capitalize()}"
    return resource(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": trusted,
            "Policies": [{"PolicyName": name, "PolicyDocument": allowed}],
            "Tags": tags(name),
        },
        Condition=condition,
    )


def _deploy() -> Iterable[Json]:
    """What `provision`, `export`, `import` and a new image need; no rights to make rights."""
    names = [bucket_id(bucket) for bucket in BUCKETS]
    buckets = [att(name, "Arn") for name in names]
    yield from _use()
    yield statement(_PROVISIONING, _tables())
    yield statement(["dynamodb:ListTables"], "*")
    yield statement(_BUCKET_PROVISIONING, buckets)
    yield statement(_SCALING, "*")
    yield statement(["s3:PutObject", "s3:GetObject"], sub("${Tiles.Arn}/*"))
    yield statement(["s3:ListBucket"], att("Tiles", "Arn"))
    yield statement(
        [
            "ecr:BatchCheckLayerAvailability",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ],
        sub("arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/cityverse"),
    )
    yield statement(["ecr:GetAuthorizationToken"], "*")
    yield statement(
        ["ecs:DescribeServices", "ecs:UpdateService"],
        sub("arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:service/cityverse*/*"),
    )


def _audit() -> Iterable[Json]:
    """How everything is set and what it does; no item and no file can be read."""
    yield statement(_LOOKING, "*")
    yield statement(["s3:GetObject", "s3:ListBucket"], [att("Logs", "Arn"), sub("${Logs.Arn}/*")])
