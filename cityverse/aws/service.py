"""The containers: image, tasks of the app and the worker, their secrets, logs and scaling."""

from __future__ import annotations

from typing import Any

from cityverse.aws.cloudformation import (
    ACCOUNT,
    REGION,
    Json,
    assumed_by,
    att,
    imported,
    kept,
    policy,
    ref,
    resource,
    statement,
    sub,
    tags,
)
from cityverse.aws.network import APP_PORT, private_subnets

USER = "10001:10001"
"""Who the processes of the image run as; `Dockerfile` makes this user."""
DATA_FOLDER = "/data"
_SECRETS = {
    "SessionSecret": "CITYVERSE_SESSION_SECRET",
    "CursorSecret": "CITYVERSE_CURSOR_SECRET",
}
_LOGS_KEPT = 90
_CPU_AIM = 50.0


def service() -> Json:
    """Everything that runs the image."""
    return {
        **_registry(),
        **_secrets(),
        **_logs(),
        "Cluster": resource(
            "AWS::ECS::Cluster",
            {
                "ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}],
                "CapacityProviders": ["FARGATE"],
                "Tags": tags("app"),
            },
        ),
        "ExecutionRole": _execution_role(),
        "AppTask": _task(
            "app", ref("AppCpu"), ref("AppMemory"), _health("http://127.0.0.1:8501/healthz")
        ),
        "WorkerTask": _task("worker", "512", "2048", None),
        "AppService": _app_service(),
        "WorkerService": _worker_service(),
        **_scaling(),
    }


def _registry() -> Json:
    keep = (
        '{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any",'
        '"countType":"imageCountMoreThan","countNumber":20},"action":{"type":"expire"}}]}'
    )
    return {
        "Images": kept(
            "AWS::ECR::Repository",
            {
                "RepositoryName": "cityverse",
                "ImageTagMutability": "IMMUTABLE",
                "ImageScanningConfiguration": {"ScanOnPush": True},
                "LifecyclePolicy": {"LifecyclePolicyText": keep},
                "Tags": tags("app"),
            },
            Condition="WithRegistry",
        )
    }


def _secrets() -> Json:
    """Made once by AWS, known to nobody, the same for all instances."""
    return {
        name: kept(
            "AWS::SecretsManager::Secret",
            {
                "Description": f"CityVerse: {variable}",
                "GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True},
                "KmsKeyId": imported("KeyArn"),
                "Tags": tags("app"),
            },
        )
        for name, variable in _SECRETS.items()
    }


def _logs() -> Json:
    return {
        f"{part}Logs": kept(
            "AWS::Logs::LogGroup",
            {
                "LogGroupName": sub(f"/cityverse/${{AWS::StackName}}/{part.lower()}"),
                "RetentionInDays": _LOGS_KEPT,
                "Tags": tags("logs"),
            },
        )
        for part in ("App", "Worker")
    }


def _execution_role() -> Json:
    repository = sub("arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/*")
    allowed = policy(
        statement(["ecr:GetAuthorizationToken"], "*"),
        statement(
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ],
            repository,
        ),
        statement(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [att("AppLogs", "Arn"), att("WorkerLogs", "Arn")],
        ),
        statement(["secretsmanager:GetSecretValue"], [ref(name) for name in _SECRETS]),
        statement(["kms:Decrypt"], imported("KeyArn")),
    )
    trusted = assumed_by(
        "ecs-tasks.amazonaws.com",
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    )
    return resource(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": trusted,
            "Policies": [{"PolicyName": "start", "PolicyDocument": allowed}],
            "Tags": tags("app"),
        },
    )


def _environment() -> Json:
    return {
        "CITYVERSE_STORE": "aws",
        "CITYVERSE_DATA_DIR": DATA_FOLDER,
        "CITYVERSE_DEMO": "false",
        "CITYVERSE_OPEN_BROWSER": "false",
        "CITYVERSE_HOST": "0.0.0.0",  # noqa: S104 - reached by the load balancer alone
        "CITYVERSE_PUBLIC_URL": ref("PublicUrl"),
        "CITYVERSE_TRUSTED_PROXIES": ref("VpcCidr"),
        "CITYVERSE_BUCKET_PROFILEPICS": imported("ProfilepicsBucket"),
        "CITYVERSE_BUCKET_VIDEOS": imported("VideosBucket"),
        "CITYVERSE_TILES_URL": ref("TilesUrl"),
        "CITYVERSE_TILE_ORIGINS": sub("https://${Cdn}", Cdn=imported("CdnDomain")),
        "CITYVERSE_MAIL": "ses",
        "CITYVERSE_MAIL_FROM": ref("MailFrom"),
        "CITYVERSE_LOG_FORMAT": "json",
        "CITYVERSE_METRICS": "emf",
        "AWS_DEFAULT_REGION": REGION,
    }


def _health(address: str) -> Json:
    """Asked from inside, by the interpreter of the image: it has no other client."""
    code = f"import urllib.request; urllib.request.urlopen('{address}', timeout=4)"
    return {
        "Command": ["CMD", "python", "-c", code],
        "Interval": 30,
        "Timeout": 5,
        "Retries": 3,
        "StartPeriod": 60,
    }


def _task(part: str, cpu: Any, memory: Any, health: Json | None) -> Json:
    name = part.capitalize()
    container: Json = {
        "Name": part,
        "Image": ref("Image"),
        "Command": [part],
        "Essential": True,
        "User": USER,
        "ReadonlyRootFilesystem": True,
        "LinuxParameters": {
            "InitProcessEnabled": True,
            "Capabilities": {"Drop": ["ALL"]},
        },
        "MountPoints": [
            {"SourceVolume": "data", "ContainerPath": DATA_FOLDER, "ReadOnly": False},
            {"SourceVolume": "scratch", "ContainerPath": "/tmp", "ReadOnly": False},  # noqa: S108
        ],
        "Environment": [{"Name": n, "Value": value} for n, value in _environment().items()],
        "Secrets": [
            {"Name": variable, "ValueFrom": ref(secret)} for secret, variable in _SECRETS.items()
        ],
        "StopTimeout": 60,
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": ref(f"{name}Logs"),
                "awslogs-region": REGION,
                "awslogs-stream-prefix": part,
            },
        },
    }
    if health is not None:
        container["HealthCheck"] = health
        container["PortMappings"] = [{"ContainerPort": APP_PORT, "Protocol": "tcp"}]
    return resource(
        "AWS::ECS::TaskDefinition",
        {
            "Family": sub(f"${{AWS::StackName}}-{part}"),
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": cpu,
            "Memory": memory,
            "RuntimePlatform": {
                "OperatingSystemFamily": "LINUX",
                "CpuArchitecture": ref("CpuArchitecture"),
            },
            "ExecutionRoleArn": att("ExecutionRole", "Arn"),
            "TaskRoleArn": imported(f"{name}RoleArn"),
            "Volumes": [{"Name": "data"}, {"Name": "scratch"}],
            "ContainerDefinitions": [container],
            "Tags": tags(part),
        },
    )


def _service(part: str, count: Any, least_healthy: int, **more: Any) -> Json:
    name = part.capitalize()
    depends = {"DependsOn": more.pop("depends")} if "depends" in more else {}
    security = ref("TaskSecurity" if part == "app" else "WorkerSecurity")
    return resource(
        "AWS::ECS::Service",
        {
            "ServiceName": f"cityverse-{part}",
            "Cluster": ref("Cluster"),
            "TaskDefinition": ref(f"{name}Task"),
            "DesiredCount": count,
            "LaunchType": "FARGATE",
            "DeploymentConfiguration": {
                "MinimumHealthyPercent": least_healthy,
                "MaximumPercent": 200,
                "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
            },
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "Subnets": private_subnets(),
                    "SecurityGroups": [security],
                    "AssignPublicIp": "DISABLED",
                }
            },
            "PropagateTags": "SERVICE",
            "Tags": tags(part),
            **more,
        },
        **depends,
    )


def _app_service() -> Json:
    return _service(
        "app",
        ref("AppLeast"),
        100,
        HealthCheckGracePeriodSeconds=60,
        LoadBalancers=[
            {
                "ContainerName": "app",
                "ContainerPort": APP_PORT,
                "TargetGroupArn": ref("AppTargets"),
            }
        ],
        depends=["Listener"],
    )


def _worker_service() -> Json:
    # Leases keep two workers from one source, so a new one may start before the old ends.
    return _service("worker", ref("Workers"), 100)


def _scaling() -> Json:
    return {
        "AppScaling": resource(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            {
                "ServiceNamespace": "ecs",
                "ScalableDimension": "ecs:service:DesiredCount",
                "ResourceId": sub("service/${Cluster}/${AppService.Name}"),
                "MinCapacity": ref("AppLeast"),
                "MaxCapacity": ref("AppMost"),
                "RoleARN": sub(
                    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-service-role/"
                    "ecs.application-autoscaling.amazonaws.com/"
                    "AWSServiceRoleForApplicationAutoScaling_ECSService"
                ),
            },
        ),
        "AppScalingPolicy": resource(
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {
                "PolicyName": "cityverse-cpu",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": ref("AppScaling"),
                "TargetTrackingScalingPolicyConfiguration": {
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
                    },
                    "TargetValue": _CPU_AIM,
                    "ScaleOutCooldown": 60,
                    # Who moves to another task loses the page's state: shrink slowly.
                    "ScaleInCooldown": 900,
                },
            },
        ),
    }
