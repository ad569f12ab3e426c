"""The stacks: ``data`` (tables, buckets, roles), ``scale-reads`` and ``scale-writes`` (the
capacity of provisioned tables), ``app`` (network, containers, alarms), ``replica`` (copies in
another region) and ``edge`` (the firewall of CloudFront, in us-east-1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from cityverse.aws import alarms as alarming
from cityverse.aws import backup, buckets, delivery, network, roles, service, tables
from cityverse.aws.cloudformation import (
    Json,
    att,
    exported,
    given,
    is_on,
    number_parameter,
    ref,
    resource,
    switch,
    template,
    text_parameter,
)
from cityverse.aws.tables import Billing, Kind

Stack = Literal["data", "scale-reads", "scale-writes", "app", "replica", "edge"]
STACKS: tuple[Stack, ...] = get_args(Stack)

_ARN = r"|arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+"
_ORIGIN = r"https://[A-Za-z0-9.-]+(:[0-9]+)?"
_REQUESTS = ("Requests of one address in five minutes that are let through", 3000, 100, 2_000_000)


def template_of(stack: Stack, billing: Billing = "on-demand") -> Json:
    """The template of a stack; ``billing`` matters to ``data`` alone.

    How tables are paid for is chosen here and not by a parameter: a resource under a
    condition that does not hold counts against CloudFormation's limit all the same.
    """
    if stack == "data":
        return data(billing)
    made: dict[str, Callable[[], Json]] = {
        "scale-reads": lambda: scale("read"),
        "scale-writes": lambda: scale("write"),
        "app": app,
        "replica": replica,
        "edge": edge,
    }
    return made[stack]()


def data(billing: Billing) -> Json:
    """Tables, buckets, their key, who may use them, their delivery and their backups."""
    return template(
        "CityVerse: tables, buckets and roles",
        parameters=_data_parameters(),
        conditions={
            "PublicMedia": {"Fn::Equals": [ref("MediaAccess"), "public"]},
            "WithAcceleration": is_on("TransferAcceleration"),
            "WithReplication": given("ReplicaKeyArn"),
            "WithContributorInsights": is_on("ContributorInsights"),
            "WithDataEvents": is_on("DataEvents"),
            "WithBackups": is_on("Backups"),
            "WithBackupCopies": given("ReplicaVaultArn"),
            "WithEdgeFirewall": given("EdgeFirewallArn"),
            "WithMail": given("MailFrom"),
            "WithDeploy": given("DeployerArn"),
            "WithAudit": given("AuditorArn"),
        },
        resources={
            **tables.key(),
            **tables.tables(billing),
            **buckets.buckets(),
            **buckets.trail(),
            **delivery.delivery(),
            **roles.roles(),
            **backup.backups(),
        },
        outputs={
            "KeyArn": exported("KeyArn", att("Key", "Arn"), "Key of tables and buckets"),
            "CdnDomain": exported("CdnDomain", att("Delivery", "DomainName"), "CloudFront"),
            **{
                f"{name}BucketName": exported(f"{name}Bucket", ref(name), f"Bucket {name}")
                for name in ("Profilepics", "Videos", "Tiles", "Logs")
            },
            **{
                f"{name}RoleArn": exported(f"{name}RoleArn", att(f"{name}Role", "Arn"), "Role")
                for name in ("App", "Worker")
            },
        },
    )


def _data_parameters() -> Json:
    return {
        **buckets.bucket_parameters(),
        "MediaAccess": text_parameter(
            "Whether the files of posts are read through CloudFront and signed addresses alone, "
            "or by everybody who knows their address",
            "private",
            AllowedValues=["private", "public"],
        ),
        "PublicUrl": text_parameter(
            "Address of the dashboard, which may load files from the buckets",
            AllowedPattern=_ORIGIN,
        ),
        "TransferAcceleration": switch("Transfer acceleration of the buckets"),
        "ContributorInsights": switch("Contributor insights of tables and indexes"),
        "DataEvents": switch("A trail of who read and wrote which item and object"),
        "Backups": switch("Daily and monthly backups by AWS Backup"),
        "ReplicaKeyArn": text_parameter(
            "Key of the stack `replica`; given, files are copied there", "", AllowedPattern=_ARN
        ),
        "ReplicaVaultArn": text_parameter(
            "Vault of the stack `replica`; given, backups are copied there",
            "",
            AllowedPattern=_ARN,
        ),
        "EdgeFirewallArn": text_parameter(
            "Firewall of the stack `edge`, before CloudFront", "", AllowedPattern=_ARN
        ),
        "MailFrom": text_parameter("Sender of e-mails, verified in SES", ""),
        "DeployerArn": text_parameter(
            "Who may take the role that deploys", "", AllowedPattern=_ARN
        ),
        "AuditorArn": text_parameter("Who may take the role that looks", "", AllowedPattern=_ARN),
    }


def scale(kind: Kind) -> Json:
    """What scales the capacity of provisioned tables and indexes, for reading or writing.

    It stands beside ``data`` and in two stacks since each table and index takes two resources
    for each of both: together they would soon be more than a stack holds.
    """
    return template(
        f"CityVerse: the {kind} capacity of tables and indexes",
        parameters={"CapacityMost": tables.capacity_parameter(kind)},
        resources=tables.scaling(kind),
    )


def app() -> Json:
    """Network, load balancer, containers, secrets, logs, alarms, dashboard, budget."""
    return template(
        "CityVerse: the app and the worker",
        parameters=_app_parameters(),
        conditions={
            "TwoGateways": is_on("GatewayInEachZone"),
            "WithFirewall": is_on("WebFirewall"),
            "WithRegistry": is_on("ImageRegistry"),
            "BudgetByTag": is_on("BudgetByTag"),
        },
        resources={
            **network.network(),
            **network.balancer(),
            **service.service(),
            **alarming.alarms(),
            **alarming.dashboard(),
            **alarming.budget(),
            "Firewall": delivery.firewall("REGIONAL", Condition="WithFirewall"),
            "FirewallAssociation": resource(
                "AWS::WAFv2::WebACLAssociation",
                {"ResourceArn": ref("Balancer"), "WebACLArn": att("Firewall", "Arn")},
                Condition="WithFirewall",
            ),
        },
        outputs={
            "BalancerName": {
                "Description": "Where the name of PublicUrl must lead (CNAME or alias)",
                "Value": att("Balancer", "DNSName"),
            },
            "Cluster": {"Description": "The cluster of app and worker", "Value": ref("Cluster")},
        },
    )


def _app_parameters() -> Json:
    return {
        "DataStack": text_parameter("Name of the stack `data` in this region", "cityverse-data"),
        "Image": text_parameter("The image of app and worker, by registry, name and tag"),
        "ImageRegistry": switch("A registry named cityverse for the image", on=True),
        "CpuArchitecture": text_parameter(
            "What the image was built for", "X86_64", AllowedValues=["X86_64", "ARM64"]
        ),
        "PublicUrl": text_parameter("Address of the dashboard", AllowedPattern=_ORIGIN),
        "CertificateArn": text_parameter(
            "Certificate of that address, in this region", AllowedPattern=_ARN.removeprefix("|")
        ),
        "TilesUrl": text_parameter("Where published tiles are served from", ""),
        "MailFrom": text_parameter("Sender of e-mails, verified in SES"),
        "AlarmMail": text_parameter("Who is told of alarms", AllowedPattern=r"[^@\s]+@[^@\s]+"),
        "VpcCidr": text_parameter("Addresses of the network", "10.80.0.0/20"),
        "GatewayInEachZone": switch("A way out of each zone, not one for both"),
        "AppCpu": text_parameter(
            "Processor of one app, in 1/1024", "1024", AllowedValues=["1024", "2048", "4096"]
        ),
        "AppMemory": text_parameter(
            "Memory of one app, in MiB", "4096", AllowedValues=["4096", "8192"]
        ),
        "AppLeast": number_parameter("Apps at least", 2, 2, 100),
        "AppMost": number_parameter("Apps at most", 10, 2, 200),
        "Workers": number_parameter("Workers", 1, 1, 10),
        "WebFirewall": switch("A web firewall before the load balancer", on=True),
        "RequestsMost": number_parameter(*_REQUESTS),
        "BudgetDollars": number_parameter("What a month may cost, in USD", 300, 1, 1_000_000),
        "BudgetByTag": switch("The budget counts what bears our tag alone, once it is activated"),
    }


def replica() -> Json:
    """What stands in another region: the copies of files, and a vault for those of backups."""
    return template(
        "CityVerse: copies in another region",
        parameters=buckets.bucket_parameters(),
        resources={**tables.key(), **buckets.replicas(), "BackupVault": backup.vault()},
        outputs={
            "KeyArn": {"Description": "For ReplicaKeyArn", "Value": att("Key", "Arn")},
            "VaultArn": {
                "Description": "For ReplicaVaultArn",
                "Value": att("BackupVault", "BackupVaultArn"),
            },
        },
    )


def edge() -> Json:
    """The firewall before CloudFront; a stack of us-east-1, as AWS demands."""
    return template(
        "CityVerse: the firewall before CloudFront, in us-east-1",
        parameters={"RequestsMost": number_parameter(*_REQUESTS)},
        resources={"Firewall": delivery.firewall("CLOUDFRONT")},
        outputs={
            "FirewallArn": {"Description": "For EdgeFirewallArn", "Value": att("Firewall", "Arn")}
        },
    )
