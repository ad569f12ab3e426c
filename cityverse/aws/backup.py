"""AWS Backup: daily and monthly copies of all tables and buckets, apart from what they copy."""

from __future__ import annotations

from typing import Any

from cityverse.aws.buckets import bucket_id
from cityverse.aws.cloudformation import (
    Json,
    assumed_by,
    att,
    kept,
    ref,
    resource,
    sub,
    tags,
    when,
)
from cityverse.aws.tables import table_id
from cityverse.data.registry import BUCKETS, EXPORTED

_DAILY_KEPT, _MONTHLY_KEPT = 35, 365
_POLICIES = (
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
)


def vault(**more: Any) -> Json:
    """A vault, encrypted with the key of its stack."""
    return kept(
        "AWS::Backup::BackupVault",
        {
            "BackupVaultName": sub("${AWS::StackName}-backups"),
            "EncryptionKeyArn": att("Key", "Arn"),
            "BackupVaultTags": {tag["Key"]: tag["Value"] for tag in tags("backup")},
        },
        **more,
    )


def backups() -> Json:
    """Vault, plan, and what it takes in; all stand under the condition ``WithBackups``."""
    here = {"Condition": "WithBackups"}
    everything = [att(table_id(table), "Arn") for table in EXPORTED]
    everything += [att(bucket_id(bucket), "Arn") for bucket in BUCKETS]
    return {
        "BackupVault": vault(**here),
        "BackupRole": resource(
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": assumed_by("backup.amazonaws.com"),
                "ManagedPolicyArns": [
                    sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{name}") for name in _POLICIES
                ],
                "Tags": tags("backup"),
            },
            **here,
        ),
        "BackupPlan": resource(
            "AWS::Backup::BackupPlan",
            {
                "BackupPlan": {
                    "BackupPlanName": sub("${AWS::StackName}-backups"),
                    "BackupPlanRule": [
                        _rule("daily", "cron(0 3 * * ? *)", _DAILY_KEPT),
                        _rule("monthly", "cron(0 4 1 * ? *)", _MONTHLY_KEPT),
                    ],
                }
            },
            **here,
        ),
        "BackupSelection": resource(
            "AWS::Backup::BackupSelection",
            {
                "BackupPlanId": ref("BackupPlan"),
                "BackupSelection": {
                    "SelectionName": "cityverse",
                    "IamRoleArn": att("BackupRole", "Arn"),
                    "Resources": everything,
                },
            },
            **here,
        ),
    }


def _rule(name: str, schedule: str, days: int) -> Json:
    lifecycle = {"DeleteAfterDays": days}
    copy = {"DestinationBackupVaultArn": ref("ReplicaVaultArn"), "Lifecycle": lifecycle}
    return {
        "RuleName": name,
        "TargetBackupVault": ref("BackupVault"),
        "ScheduleExpression": schedule,
        "StartWindowMinutes": 60,
        "CompletionWindowMinutes": 360,
        "Lifecycle": lifecycle,
        "CopyActions": when("WithBackupCopies", [copy]),
    }
