"""Buckets of the registry, of tiles and of logs; who may read them; their copies elsewhere."""

from __future__ import annotations

from typing import Any

from cityverse.aws.cloudformation import (
    ACCOUNT,
    NO_VALUE,
    Json,
    assumed_by,
    att,
    kept,
    policy,
    ref,
    resource,
    statement,
    sub,
    tags,
    text_parameter,
    when,
)
from cityverse.data.media import RESTORABLE
from cityverse.data.objects import lifecycle_rules
from cityverse.data.registry import BUCKETS, Bucket
from cityverse.settings import SETTINGS

_DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
# What is younger is seldom worth moving; Intelligent-Tiering watches for 30 days anyway.
_TIERED_AFTER = 30
_LOGS_ARCHIVED_AFTER, _LOGS_KEPT = 90, 400
_BLOCKED = (
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
)


def bucket_id(bucket: Bucket) -> str:
    """The logical id of a bucket, and the beginning of what belongs to it."""
    return bucket.setting.removeprefix("bucket_").capitalize()


def bucket_parameters() -> Json:
    """The names of the buckets, which are global, so that one's own may be needed."""
    return {
        f"{bucket_id(bucket)}Bucket": text_parameter(
            f"Bucket of {bucket.purpose}; names are global, choose your own",
            _DEFAULTS[f"CITYVERSE_{bucket.setting.upper()}"],
            AllowedPattern="[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        )
        for bucket in BUCKETS
    }


def buckets() -> Json:
    """The buckets of the registry with their policies, the tiles' and the logs'."""
    made: Json = {}
    for bucket in BUCKETS:
        name = bucket_id(bucket)
        made[name] = _media(bucket)
        made[f"{name}Policy"] = _media_policy(bucket)
    return {**made, **_tiles(), **_logs(), **_replication()}


def _media(bucket: Bucket) -> Json:
    name = bucket_id(bucket)
    return kept(
        "AWS::S3::Bucket",
        {
            "BucketName": ref(f"{name}Bucket"),
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": when("PublicMedia", _own_keys(), _kms_keys(att("Key", "Arn"))),
            "PublicAccessBlockConfiguration": when("PublicMedia", NO_VALUE, _blocked()),
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "LifecycleConfiguration": {"Rules": [*_rules(bucket), *_archiving(bucket)]},
            "LoggingConfiguration": {
                "DestinationBucketName": ref("Logs"),
                "LogFilePrefix": f"s3/{name.lower()}/",
            },
            "AccelerateConfiguration": when(
                "WithAcceleration", {"AccelerationStatus": "Enabled"}, NO_VALUE
            ),
            "ReplicationConfiguration": when("WithReplication", _copies(name), NO_VALUE),
            "CorsConfiguration": {"CorsRules": [_cors()]},
            "MetricsConfigurations": [{"Id": "all"}],
            "Tags": tags("media"),
        },
        DependsOn=["LogsPolicy"],
    )


def _rules(bucket: Bucket) -> list[Json]:
    """The rules that `provision` sets, in the words of CloudFormation."""
    return [_rule(rule) for rule in lifecycle_rules(bucket.prefixes)]


def _rule(rule: Json) -> Json:
    made: Json = {"Id": rule["ID"], "Status": rule["Status"]}
    if rule["Filter"]["Prefix"]:
        made["Prefix"] = rule["Filter"]["Prefix"]
    if "Expiration" in rule:
        made["ExpirationInDays"] = rule["Expiration"]["Days"]
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return made


def _archiving(bucket: Bucket) -> list[Json]:
    """Where files and their old versions move.

    What is shown stays in a class that answers at once. Old versions go to Glacier only when
    nobody can restore them by the application any more.
    """
    return [
        {
            "Id": f"cityverse-storage-{prefix.rstrip('/')}",
            "Status": "Enabled",
            "Prefix": prefix,
            "Transitions": [
                {"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": _TIERED_AFTER}
            ],
            "NoncurrentVersionTransitions": [
                {"StorageClass": "GLACIER_IR", "TransitionInDays": RESTORABLE.days + 1}
            ],
        }
        for prefix in bucket.prefixes
    ]


def _cors() -> Json:
    return {
        "AllowedOrigins": [ref("PublicUrl")],
        "AllowedMethods": ["GET", "HEAD", "PUT"],
        "AllowedHeaders": ["content-type", "range"],
        "ExposedHeaders": ["ETag", "Content-Range", "Content-Length"],
        "MaxAge": 3600,
    }


def _kms_keys(key: Any) -> Json:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    return {"ServerSideEncryptionConfiguration": [rule]}


def _own_keys() -> Json:
    """AES-256 with keys of S3: who reads without signing in cannot use a key of KMS."""
    rule = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    return {"ServerSideEncryptionConfiguration": [rule]}


def _blocked() -> Json:
    return dict.fromkeys(_BLOCKED, True)


def _media_policy(bucket: Bucket) -> Json:
    name = bucket_id(bucket)
    objects = [sub(f"${{{name}.Arn}}/{prefix}*") for prefix in bucket.prefixes]
    by_anybody = {
        "Sid": "PublicRead",
        "Principal": "*",
        **statement(["s3:GetObject"], objects),
    }
    return resource(
        "AWS::S3::BucketPolicy",
        {
            "Bucket": ref(name),
            "PolicyDocument": policy(
                _tls_alone(name), when("PublicMedia", by_anybody, _by_the_cdn(objects))
            ),
        },
    )


def _by_the_cdn(objects: list[Json]) -> Json:
    return {
        "Sid": "ContentDelivery",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        **statement(["s3:GetObject"], objects),
        "Condition": {"StringEquals": {"AWS:SourceArn": _distribution_arn()}},
    }


def _distribution_arn() -> Json:
    return sub("arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Delivery}")


def _tls_alone(name: str) -> Json:
    return {
        "Sid": "TlsAlone",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [att(name, "Arn"), sub(f"${{{name}.Arn}}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _tiles() -> Json:
    """What `map publish` fills; it can be built again, so it keeps no versions for long."""
    expiry = {"NoncurrentDays": 7}
    return {
        "Tiles": kept(
            "AWS::S3::Bucket",
            {
                "VersioningConfiguration": {"Status": "Enabled"},
                "BucketEncryption": _kms_keys(att("Key", "Arn")),
                "PublicAccessBlockConfiguration": _blocked(),
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "cityverse-old-tiles",
                            "Status": "Enabled",
                            "NoncurrentVersionExpiration": expiry,
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                        }
                    ]
                },
                "CorsConfiguration": {"CorsRules": [{**_cors(), "AllowedMethods": ["GET"]}]},
                "LoggingConfiguration": {
                    "DestinationBucketName": ref("Logs"),
                    "LogFilePrefix": "s3/tiles/",
                },
                "Tags": tags("map"),
            },
            DependsOn=["LogsPolicy"],
        ),
        "TilesPolicy": resource(
            "AWS::S3::BucketPolicy",
            {
                "Bucket": ref("Tiles"),
                "PolicyDocument": policy(
                    _tls_alone("Tiles"), _by_the_cdn([sub("${Tiles.Arn}/tiles/*")])
                ),
            },
        ),
    }


def _logs() -> Json:
    """Access logs. Their writers cannot use a key of KMS, so S3 has the keys."""
    archived = [{"StorageClass": "GLACIER", "TransitionInDays": _LOGS_ARCHIVED_AFTER}]
    return {
        "Logs": kept(
            "AWS::S3::Bucket",
            {
                "VersioningConfiguration": {"Status": "Enabled"},
                "BucketEncryption": _own_keys(),
                "PublicAccessBlockConfiguration": _blocked(),
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {
                    "Rules": [
                        {
                            "Id": "cityverse-logs",
                            "Status": "Enabled",
                            "Transitions": archived,
                            "ExpirationInDays": _LOGS_KEPT,
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                        }
                    ]
                },
                "Tags": tags("logs"),
            },
        ),
        "LogsPolicy": resource(
            "AWS::S3::BucketPolicy",
            {
                "Bucket": ref("Logs"),
                "PolicyDocument": policy(
                    _tls_alone("Logs"),
                    *(_written_by(*writer) for writer in _LOG_WRITERS),
                    _trail_looks(),
                ),
            },
        ),
    }


_LOG_WRITERS = (
    ("S3", "logging.s3.amazonaws.com", "s3/*", {"aws:SourceAccount": ACCOUNT}),
    (
        "LoadBalancer",
        "logdelivery.elasticloadbalancing.amazonaws.com",
        "alb/AWSLogs/${AWS::AccountId}/*",
        {"aws:SourceAccount": ACCOUNT},
    ),
    (
        "Trail",
        "cloudtrail.amazonaws.com",
        "trail/AWSLogs/${AWS::AccountId}/*",
        {"aws:SourceAccount": ACCOUNT},
    ),
)


def _written_by(name: str, service: str, objects: str, condition: Json) -> Json:
    return {
        "Sid": f"Written{name}",
        "Principal": {"Service": service},
        **statement(["s3:PutObject"], sub(f"${{Logs.Arn}}/{objects}")),
        "Condition": {"StringEquals": condition},
    }


def _trail_looks() -> Json:
    return {
        "Sid": "TrailLooks",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        **statement(["s3:GetBucketAcl"], att("Logs", "Arn")),
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }


def trail() -> Json:
    """Who read and wrote which item and object: CloudTrail's data events."""
    everything = {"Field": "eventCategory", "Equals": ["Data"]}
    tables = {"Field": "resources.type", "Equals": ["AWS::DynamoDB::Table"]}
    objects = [
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {
            "Field": "resources.ARN",
            "StartsWith": [sub(f"${{{bucket_id(bucket)}.Arn}}/") for bucket in BUCKETS],
        },
    ]
    return {
        "Trail": resource(
            "AWS::CloudTrail::Trail",
            {
                "IsLogging": True,
                "S3BucketName": ref("Logs"),
                "S3KeyPrefix": "trail",
                "EnableLogFileValidation": True,
                "AdvancedEventSelectors": [
                    {"Name": "tables", "FieldSelectors": [everything, tables]},
                    {"Name": "objects", "FieldSelectors": [everything, *objects]},
                ],
                "Tags": tags("logs"),
            },
            Condition="WithDataEvents",
            DependsOn=["LogsPolicy"],
        )
    }


def _copies(name: str) -> Json:
    return {
        "Role": att("ReplicationRole", "Arn"),
        "Rules": [
            {
                "Id": "cityverse-copy",
                "Status": "Enabled",
                "Priority": 1,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
                "Destination": {
                    "Bucket": _copy_arn(name),
                    "StorageClass": "STANDARD_IA",
                    "EncryptionConfiguration": {"ReplicaKmsKeyID": ref("ReplicaKeyArn")},
                },
            }
        ],
    }


def _copy_arn(name: str) -> Json:
    return sub(f"arn:${{AWS::Partition}}:s3:::${{{name}Bucket}}-replica")


def _replication() -> Json:
    names = [bucket_id(bucket) for bucket in BUCKETS]
    # Written from the names, not from the buckets, which need the role first.
    sources = [sub(f"arn:${{AWS::Partition}}:s3:::${{{name}Bucket}}") for name in names]
    objects = [sub(f"arn:${{AWS::Partition}}:s3:::${{{name}Bucket}}/*") for name in names]
    copies = [sub(f"arn:${{AWS::Partition}}:s3:::${{{name}Bucket}}-replica/*") for name in names]
    allowed = policy(
        statement(["s3:GetReplicationConfiguration", "s3:ListBucket"], sources),
        statement(
            [
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionTagging",
            ],
            objects,
        ),
        statement(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], copies),
        statement(["kms:Decrypt"], att("Key", "Arn")),
        statement(["kms:Encrypt", "kms:GenerateDataKey"], ref("ReplicaKeyArn")),
    )
    return {
        "ReplicationRole": resource(
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": assumed_by("s3.amazonaws.com"),
                "Policies": [{"PolicyName": "replicate", "PolicyDocument": allowed}],
                "Tags": tags("media"),
            },
            Condition="WithReplication",
        )
    }


def replicas() -> Json:
    """The buckets that copies are written to, in their own region."""
    made: Json = {}
    for bucket in BUCKETS:
        name = f"{bucket_id(bucket)}Replica"
        made[name] = kept(
            "AWS::S3::Bucket",
            {
                "BucketName": sub(f"${{{bucket_id(bucket)}Bucket}}-replica"),
                "VersioningConfiguration": {"Status": "Enabled"},
                "BucketEncryption": _kms_keys(att("Key", "Arn")),
                "PublicAccessBlockConfiguration": _blocked(),
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {"Rules": _rules(bucket)},
                "Tags": tags("replica"),
            },
        )
        made[f"{name}Policy"] = resource(
            "AWS::S3::BucketPolicy",
            {"Bucket": ref(name), "PolicyDocument": policy(_tls_alone(name))},
        )
    return made
