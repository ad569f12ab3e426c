"""What wakes somebody up, the dashboard one then looks at, and the budget."""

from __future__ import annotations

import json
from typing import Any

from cityverse.aws.cloudformation import (
    ALARM_PERIOD,
    Json,
    att,
    imported,
    logical,
    ref,
    resource,
    sub,
    tags,
    when,
)
from cityverse.data.registry import TABLES
from cityverse.telemetry import NAMESPACE, WORKER_ROUNDS

_ABOVE, _BELOW = "GreaterThanThreshold", "LessThanThreshold"
# Figures over all indexes and all operations: an alarm over a query costs what it finds.
_INDEXES = 'SCHEMA("AWS/DynamoDB", TableName, GlobalSecondaryIndexName)'
_OPERATIONS = 'SCHEMA("AWS/DynamoDB", TableName, Operation)'
_QUERIES = {
    "IndexReadThrottles": ("SUM(ReadThrottleEvents)", _INDEXES, 0),
    "IndexWriteThrottles": ("SUM(WriteThrottleEvents)", _INDEXES, 0),
    "StoreErrors": ("SUM(SystemErrors)", _OPERATIONS, 5),
    "StoreLatency": ("AVG(SuccessfulRequestLatency)", _OPERATIONS, 50),
}


def alarms() -> Json:
    """All alarms, and the topic that tells of them."""
    made: Json = {
        "Alarms": resource("AWS::SNS::Topic", {"Tags": tags("alarms")}),
        "AlarmsByMail": resource(
            "AWS::SNS::Subscription",
            {"TopicArn": ref("Alarms"), "Protocol": "email", "Endpoint": ref("AlarmMail")},
        ),
        "AlarmsPolicy": resource(
            "AWS::SNS::TopicPolicy",
            {
                "Topics": [ref("Alarms")],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {
                                "Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
                            },
                            "Action": "sns:Publish",
                            "Resource": ref("Alarms"),
                            "Condition": {
                                "StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}
                            },
                        }
                    ],
                },
            },
        ),
    }
    for table in TABLES:
        made[logical("throttles", table.name)] = _table_throttles(table.name)
    for name, (figure, over, most) in _QUERIES.items():
        made[name] = _queried(figure, over, most)
    return made | _store_alarms() | _balancer_alarms() | _worker_alarms()


def _alarm(description: str, comparison: str, threshold: float, **what: Any) -> Json:
    return resource(
        "AWS::CloudWatch::Alarm",
        {
            "AlarmDescription": f"CityVerse: {description}",
            "ComparisonOperator": comparison,
            "Threshold": threshold,
            "EvaluationPeriods": what.pop("periods", 2),
            "TreatMissingData": what.pop("missing", "notBreaching"),
            "AlarmActions": [ref("Alarms")],
            "OKActions": [ref("Alarms")],
            **what,
        },
    )


def _on(namespace: str, metric: str, dimensions: Json, statistic: str = "Sum") -> Json:
    kind = "Statistic" if statistic.isalpha() else "ExtendedStatistic"
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        kind: statistic,
        "Period": ALARM_PERIOD,
    }


def _table_throttles(name: str) -> Json:
    metrics: list[Json] = [
        {
            "Id": kind[0].lower(),
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/DynamoDB",
                    "MetricName": f"{kind}ThrottleEvents",
                    "Dimensions": [{"Name": "TableName", "Value": name}],
                },
                "Period": ALARM_PERIOD,
                "Stat": "Sum",
            },
        }
        for kind in ("Read", "Write")
    ]
    both = {"Id": "both", "Expression": "FILL(r, 0) + FILL(w, 0)", "ReturnData": True}
    return _alarm(f"table {name} is throttled", _ABOVE, 0, Metrics=[*metrics, both])


def _queried(figure: str, over: str, most: float) -> Json:
    query = " ".join(("SELECT", figure, "FROM", over))
    metric = {"Id": "q", "Expression": query, "Period": ALARM_PERIOD, "ReturnData": True}
    return _alarm(f"{figure} of DynamoDB", _ABOVE, most, Metrics=[metric])


def _store_alarms() -> Json:
    return {
        "RefusedRequests": _alarm(
            "DynamoDB refuses requests as wrong",
            _ABOVE,
            20,
            **_on("AWS/DynamoDB", "UserErrors", {}),
        ),
        **{
            f"{name}Errors": _alarm(
                f"S3 fails in the bucket of {name.lower()}",
                _ABOVE,
                5,
                **_on(
                    "AWS/S3",
                    "5xxErrors",
                    {"BucketName": imported(f"{name}Bucket"), "FilterId": "all"},
                ),
            )
            for name in ("Profilepics", "Videos")
        },
    }


def _balancer_alarms() -> Json:
    balancer = {"LoadBalancer": att("Balancer", "LoadBalancerFullName")}
    targets = {**balancer, "TargetGroup": att("AppTargets", "TargetGroupFullName")}
    space = "AWS/ApplicationELB"
    return {
        "AppErrors": _alarm(
            "the app answers with 5xx",
            _ABOVE,
            5,
            **_on(space, "HTTPCode_Target_5XX_Count", targets),
        ),
        "BalancerErrors": _alarm(
            "the load balancer answers with 5xx",
            _ABOVE,
            5,
            **_on(space, "HTTPCode_ELB_5XX_Count", balancer),
        ),
        "AppLatency": _alarm(
            "one request in twenty takes more than a second",
            _ABOVE,
            1,
            periods=3,
            **_on(space, "TargetResponseTime", targets, "p95"),
        ),
        "UnhealthyApps": _alarm(
            "a task of the app does not answer",
            _ABOVE,
            0,
            **_on(space, "UnHealthyHostCount", targets, "Maximum"),
        ),
    }


def _worker_alarms() -> Json:
    service = {"ClusterName": ref("Cluster"), "ServiceName": att("WorkerService", "Name")}
    return {
        "WorkerSilent": _alarm(
            "no worker has ended a round",
            _BELOW,
            1,
            missing="breaching",
            **_on(NAMESPACE, WORKER_ROUNDS, {"process": "worker"}),
        ),
        "WorkerGone": _alarm(
            "no worker runs",
            _BELOW,
            1,
            missing="breaching",
            **_on("ECS/ContainerInsights", "RunningTaskCount", service, "Maximum"),
        ),
    }


def budget() -> Json:
    """The budget of a month: told at 80 % spent, and when the whole is foreseen to be."""
    told = [{"SubscriptionType": "SNS", "Address": ref("Alarms")}]
    return {
        "MonthlyBudget": resource(
            "AWS::Budgets::Budget",
            {
                "Budget": {
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {"Amount": ref("BudgetDollars"), "Unit": "USD"},
                    "CostFilters": when(
                        "BudgetByTag", {"TagKeyValue": ["user:application$cityverse"]}
                    ),
                },
                "NotificationsWithSubscribers": [
                    {"Notification": _spent(kind, share), "Subscribers": told}
                    for kind, share in (("ACTUAL", 80), ("FORECASTED", 100))
                ],
            },
            DependsOn=["AlarmsPolicy"],
        )
    }


def _spent(kind: str, share: int) -> Json:
    return {
        "NotificationType": kind,
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": share,
        "ThresholdType": "PERCENTAGE",
    }


def dashboard() -> Json:
    """One page of figures: people, app, worker, tables, buckets."""
    balancer = '"LoadBalancer","${Balancer.LoadBalancerFullName}"'
    rows = [
        ("requests and errors", _metrics("AWS/ApplicationELB", _BALANCER, balancer)),
        ("seconds to an answer", _metrics("AWS/ApplicationELB", ("TargetResponseTime",), balancer)),
        ("processor and memory of the app", _metrics("AWS/ECS", _LOAD, _SERVICE)),
        ("rounds of the worker", f'["{NAMESPACE}","{WORKER_ROUNDS}","process","worker"]'),
        ("units read", _searched("ConsumedReadCapacityUnits")),
        ("units written", _searched("ConsumedWriteCapacityUnits")),
        ("throttled", _searched("ReadThrottleEvents") + "," + _searched("WriteThrottleEvents")),
        ("milliseconds of DynamoDB", _searched("SuccessfulRequestLatency")),
    ]
    widgets = ",".join(_widget(n, title, metrics) for n, (title, metrics) in enumerate(rows))
    return {
        "Dashboard": resource(
            "AWS::CloudWatch::Dashboard",
            {
                "DashboardName": sub("${AWS::StackName}"),
                "DashboardBody": sub(f'{{"widgets":[{widgets}]}}'),
            },
        )
    }


_BALANCER = ("RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count")
_LOAD = ("CPUUtilization", "MemoryUtilization")
_SERVICE = '"ClusterName","${Cluster}","ServiceName","${AppService.Name}"'


def _metrics(namespace: str, names: tuple[str, ...], dimensions: str) -> str:
    return ",".join(f'["{namespace}","{name}",{dimensions}]' for name in names)


def _searched(metric: str) -> str:
    search = f"SEARCH('{{AWS/DynamoDB,TableName}} MetricName=\"{metric}\"','Sum',300)"
    return json.dumps([{"expression": search}])


def _widget(number: int, title: str, metrics: str) -> str:
    column, row = 12 * (number % 2), 6 * (number // 2)
    place = f'"type":"metric","x":{column},"y":{row},"width":12,"height":6'
    shown = f'"title":"{title}","region":"${{AWS::Region}}","period":300'
    return f'{{{place},"properties":{{{shown},"metrics":[{metrics}]}}}}'
