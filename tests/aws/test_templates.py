"""Every practice of the seed is in the templates, and CloudFormation would take them."""

import json
from dataclasses import replace
from functools import cache

import pytest

from cityverse.aws import alarms as aws_alarms
from cityverse.aws import backup as aws_backup
from cityverse.aws import roles as aws_roles
from cityverse.aws import tables as aws_tables
from cityverse.aws.cloudformation import BYTES_MOST, RESOURCES_MOST, as_text, template
from cityverse.aws.roles import BUCKET_ACTIONS, ITEM_ACTIONS, OBJECT_ACTIONS
from cityverse.aws.service import USER
from cityverse.aws.templates import STACKS, template_of
from cityverse.cli import main
from cityverse.data.objects import lifecycle_rules
from cityverse.data.registry import BUCKETS, EXPORTED, TABLES
from cityverse.errors import InputError

ALL = [(stack, "on-demand") for stack in STACKS] + [("data", "provisioned")]
MEDIA = {"Profilepics": BUCKETS[0], "Videos": BUCKETS[1]}


@cache
def made(stack, billing="on-demand"):
    return template_of(stack, billing)


def resources(stack, kind, billing="on-demand"):
    """Logical id to resource, of this kind."""
    found = made(stack, billing)["Resources"].items()
    return {name: one for name, one in found if one["Type"] == kind}


def properties(stack, name, billing="on-demand"):
    return made(stack, billing)["Resources"][name]["Properties"]


def tables(billing="on-demand"):
    found = resources("data", "AWS::DynamoDB::Table", billing).values()
    return {one["Properties"]["TableName"]: one for one in found}


def chosen(value, **conditions):
    """``value`` with every condition decided; what is left out is left out."""
    if isinstance(value, list):
        parts = [chosen(part, **conditions) for part in value]
        return [part for part in parts if part != {"Ref": "AWS::NoValue"}]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        name, then, otherwise = value["Fn::If"]
        return chosen(then if conditions.get(name, False) else otherwise, **conditions)
    parts = {key: chosen(part, **conditions) for key, part in value.items()}
    return {key: part for key, part in parts.items() if part != {"Ref": "AWS::NoValue"}}


def statements(document, **conditions):
    return chosen(document, **conditions)["Statement"]


def actions_of(document, **conditions):
    found = set()
    for one in statements(document, **conditions):
        named = one["Action"]
        found |= {named} if isinstance(named, str) else set(named)
    return found


@pytest.mark.parametrize(("stack", "billing"), ALL)
def test_a_template_is_within_the_limits_and_names_what_is_there(stack, billing):
    whole = made(stack, billing)
    assert 0 < len(whole["Resources"]) <= RESOURCES_MOST
    assert len(as_text(whole).encode()) <= BYTES_MOST
    assert json.loads(as_text(whole)) == whole
    conditions = set(whole.get("Conditions", {}))
    text = as_text(whole)
    assert all(f'"{name}"' in text for name in whole.get("Parameters", {}))
    assert {r["Condition"] for r in whole["Resources"].values() if "Condition" in r} <= conditions


@pytest.mark.slow
@pytest.mark.parametrize(("stack", "billing"), ALL)
def test_a_linter_of_cloudformation_finds_nothing(stack, billing):
    lint = pytest.importorskip("cfnlint.api", reason="cfn-lint comes with `make lint`")
    assert lint.lint(as_text(made(stack, billing)), regions=["eu-west-3"]) == []


@pytest.mark.parametrize(("stack", "billing"), ALL)
def test_a_stack_has_room_for_sixty_more_tables_with_an_index_each(stack, billing, monkeypatch):
    one = next(table for table in TABLES if table.indexes and table.ttl)
    more = [replace(one, name=f"{one.name}{number}") for number in range(60)]
    for module in (aws_tables, aws_alarms, aws_roles):
        monkeypatch.setattr(module, "TABLES", (*TABLES, *more))
    monkeypatch.setattr(aws_backup, "EXPORTED", (*EXPORTED, *more))
    grown = template_of(stack, billing)
    assert len(grown["Resources"]) <= RESOURCES_MOST
    assert len(as_text(grown).encode()) <= BYTES_MOST


def test_more_resources_than_a_stack_takes_are_refused():
    with pytest.raises(InputError, match="500"):
        template("x", parameters={}, resources={f"R{n}": {} for n in range(501)})
    with pytest.raises(InputError, match="1000000"):
        as_text({"Description": "x" * BYTES_MOST})


def test_the_command_prints_a_template(capsys):
    assert main(["template", "edge"]) == 0
    assert json.loads(capsys.readouterr().out) == made("edge")
    with pytest.raises(SystemExit):
        main(["template", "nowhere"])


# Tables


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.name)
def test_a_table_is_as_the_registry_says(one):
    made_table = tables()[one.name]
    said = made_table["Properties"]
    assert [part["AttributeName"] for part in said["KeySchema"]] == [
        key for key in (one.partition, one.sort) if key
    ]
    assert {a["AttributeName"]: a["AttributeType"] for a in said["AttributeDefinitions"]} == (
        dict.fromkeys(one.key_attributes(), "S")
    )
    indexes = {
        index["IndexName"]: [part["AttributeName"] for part in index["KeySchema"]]
        for index in said.get("GlobalSecondaryIndexes", [])
    }
    assert indexes == {i.name: [k for k in (i.partition, i.sort) if k] for i in one.indexes}
    assert said["BillingMode"] == "PAY_PER_REQUEST"
    assert said["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert said["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert said["SSESpecification"]["SSEType"] == "KMS"
    assert said["DeletionProtectionEnabled"] is True
    assert made_table["DeletionPolicy"] == made_table["UpdateReplacePolicy"] == "Retain"
    expiry = said.get("TimeToLiveSpecification")
    assert expiry == ({"AttributeName": one.ttl, "Enabled": True} if one.ttl else None)


def test_there_is_no_table_beside_those_of_the_registry():
    assert sorted(tables()) == sorted(table.name for table in TABLES)


@pytest.mark.parametrize("insights", [True, False])
def test_contributor_insights_are_a_parameter(insights):
    for one in tables().values():
        said = chosen(one["Properties"], WithContributorInsights=insights)
        for part in (said, *said.get("GlobalSecondaryIndexes", [])):
            assert part["ContributorInsightsSpecification"] == {"Enabled": insights}


def test_provisioned_tables_and_indexes_are_scaled_for_reading_and_writing():
    targets = {
        name: target
        for stack in ("scale-reads", "scale-writes")
        for name, target in resources(stack, "AWS::ApplicationAutoScaling::ScalableTarget").items()
    }
    scaled = {
        (t["Properties"]["ResourceId"], t["Properties"]["ScalableDimension"])
        for t in targets.values()
    }
    wanted = set()
    for one in TABLES:
        for units in ("ReadCapacityUnits", "WriteCapacityUnits"):
            wanted.add((f"table/{one.name}", f"dynamodb:table:{units}"))
            wanted |= {
                (f"table/{one.name}/index/{index.name}", f"dynamodb:index:{units}")
                for index in one.indexes
            }
    assert scaled == wanted
    for stack, units in (("scale-reads", "Read"), ("scale-writes", "Write")):
        own = resources(stack, "AWS::ApplicationAutoScaling::ScalableTarget")
        assert {
            target["Properties"]["ScalableDimension"].partition("CapacityUnits")[0].split(":")[-1]
            for target in own.values()
        } == {units}
        policies = resources(stack, "AWS::ApplicationAutoScaling::ScalingPolicy")
        followed = {one["Properties"]["ScalingTargetId"]["Ref"] for one in policies.values()}
        assert followed == set(own)
    for one in tables("provisioned").values():
        said = one["Properties"]
        assert said["BillingMode"] == "PROVISIONED"
        for part in (said, *said.get("GlobalSecondaryIndexes", [])):
            assert part["ProvisionedThroughput"]["WriteCapacityUnits"] > 0
    for billing in ("on-demand", "provisioned"):
        assert not resources("data", "AWS::ApplicationAutoScaling::ScalableTarget", billing)


def test_the_key_turns_by_itself_and_stays():
    key = made("data")["Resources"]["Key"]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "Retain"


# Buckets


@pytest.mark.parametrize("name", MEDIA)
def test_a_bucket_keeps_versions_logs_and_answers_to_the_dashboard(name):
    said = properties("data", name)
    assert said["BucketName"] == {"Ref": f"{name}Bucket"}
    default = made("data")["Parameters"][f"{name}Bucket"]["Default"]
    assert default == f"cityverse-{name.lower()}"
    assert said["VersioningConfiguration"] == {"Status": "Enabled"}
    assert said["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": "Logs"}
    assert said["CorsConfiguration"]["CorsRules"][0]["AllowedOrigins"] == [{"Ref": "PublicUrl"}]
    assert made("data")["Resources"][name]["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("name", MEDIA)
def test_what_is_shown_stays_readable_and_what_is_old_goes_away(name):
    rules = properties("data", name)["LifecycleConfiguration"]["Rules"]
    ours = {rule["ID"] for rule in lifecycle_rules(MEDIA[name].prefixes)}
    assert ours <= {rule["Id"] for rule in rules}
    current = {t["StorageClass"] for rule in rules for t in rule.get("Transitions", [])}
    assert current == {"INTELLIGENT_TIERING"}
    old = {t["StorageClass"] for r in rules for t in r.get("NoncurrentVersionTransitions", [])}
    assert old == {"GLACIER_IR"}
    for prefix in MEDIA[name].prefixes:
        of_prefix = [rule for rule in rules if rule.get("Prefix") == prefix]
        assert any("NoncurrentVersionExpiration" in rule for rule in of_prefix)
        assert any("Transitions" in rule for rule in of_prefix)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


@pytest.mark.parametrize("name", MEDIA)
def test_a_bucket_is_private_behind_cloudfront_by_default(name):
    assert made("data")["Parameters"]["MediaAccess"]["Default"] == "private"
    said = chosen(properties("data", name))
    assert set(said["PublicAccessBlockConfiguration"].values()) == {True}
    rule = said["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    readers = [
        one
        for one in statements(properties("data", f"{name}Policy")["PolicyDocument"])
        if one["Effect"] == "Allow"
    ]
    assert [one["Principal"] for one in readers] == [{"Service": "cloudfront.amazonaws.com"}]
    assert "Delivery" in json.dumps(readers[0]["Condition"])


@pytest.mark.parametrize("name", MEDIA)
def test_public_read_is_of_this_bucket_alone_and_with_keys_anybody_can_use(name):
    said = chosen(properties("data", name), PublicMedia=True)
    assert "PublicAccessBlockConfiguration" not in said
    rule = said["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    readers = [
        one
        for one in statements(
            properties("data", f"{name}Policy")["PolicyDocument"], PublicMedia=True
        )
        if one["Effect"] == "Allow"
    ]
    assert [one["Principal"] for one in readers] == ["*"]
    assert readers[0]["Action"] == ["s3:GetObject"]
    assert readers[0]["Resource"] == [
        {"Fn::Sub": f"${{{name}.Arn}}/{prefix}*"} for prefix in MEDIA[name].prefixes
    ]


@pytest.mark.parametrize("name", [*MEDIA, "Tiles", "Logs"])
def test_no_bucket_answers_without_tls(name):
    denied = [
        one
        for one in statements(properties("data", f"{name}Policy")["PolicyDocument"])
        if one["Effect"] == "Deny"
    ]
    assert denied[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied[0]["Action"] == "s3:*"


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("name", MEDIA)
def test_acceleration_and_replication_are_parameters(name, on):
    said = chosen(properties("data", name), WithAcceleration=on, WithReplication=on)
    assert ("AccelerateConfiguration" in said) is on
    assert ("ReplicationConfiguration" in said) is on
    if on:
        assert said["AccelerateConfiguration"] == {"AccelerationStatus": "Enabled"}
        rule = said["ReplicationConfiguration"]["Rules"][0]
        assert rule["Destination"]["Bucket"] == {
            "Fn::Sub": f"arn:${{AWS::Partition}}:s3:::${{{name}Bucket}}-replica"
        }
        assert made("data")["Resources"]["ReplicationRole"]["Condition"] == "WithReplication"


def test_logs_have_keys_of_s3_go_to_glacier_and_end():
    said = properties("data", "Logs")
    rule = said["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    life = said["LifecycleConfiguration"]["Rules"][0]
    assert life["Transitions"][0]["StorageClass"] == "GLACIER"
    assert life["ExpirationInDays"] > life["Transitions"][0]["TransitionInDays"]


@pytest.mark.parametrize("name", MEDIA)
def test_the_replica_stack_has_what_replication_writes_to(name):
    said = properties("replica", f"{name}Replica")
    assert said["BucketName"] == {"Fn::Sub": f"${{{name}Bucket}}-replica"}
    assert said["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(said["PublicAccessBlockConfiguration"].values()) == {True}


def test_files_and_tiles_are_delivered_over_tls():
    said = properties("data", "Delivery")["DistributionConfig"]
    patterns = {one["PathPattern"] for one in said["CacheBehaviors"]}
    wanted = {f"/{prefix}*" for bucket in BUCKETS for prefix in bucket.prefixes} | {"/tiles/*"}
    assert patterns == wanted
    for one in (said["DefaultCacheBehavior"], *said["CacheBehaviors"]):
        assert one["ViewerProtocolPolicy"] == "redirect-to-https"
    assert all("OriginAccessControlId" in origin for origin in said["Origins"])
    assert "quarantine" not in json.dumps(made("data")["Resources"]["Delivery"])


def test_the_trail_of_items_and_objects_is_a_parameter():
    trail = made("data")["Resources"]["Trail"]
    assert trail["Condition"] == "WithDataEvents"
    assert {"AWS::DynamoDB::Table", "AWS::S3::Object"} <= {
        value
        for selector in trail["Properties"]["AdvancedEventSelectors"]
        for field in selector["FieldSelectors"]
        for value in field.get("Equals", [])
    }


def test_the_backup_plan_is_a_parameter_and_takes_in_all_that_lasts():
    made_here = made("data")["Resources"]
    for name in ("BackupVault", "BackupRole", "BackupPlan", "BackupSelection"):
        assert made_here[name]["Condition"] == "WithBackups"
    selected = made_here["BackupSelection"]["Properties"]["BackupSelection"]["Resources"]
    assert len(selected) == len(EXPORTED) + len(BUCKETS)
    rules = made_here["BackupPlan"]["Properties"]["BackupPlan"]["BackupPlanRule"]
    assert {rule["RuleName"] for rule in rules} == {"daily", "monthly"}
    assert all("CopyActions" in chosen(rule, WithBackupCopies=True) for rule in rules)
    assert not any("CopyActions" in chosen(rule) for rule in rules)


# Who may do what


def test_the_app_may_do_its_work_and_nothing_else():
    document = properties("data", "DataPolicy")["PolicyDocument"]
    allowed = actions_of(document)
    assert {*ITEM_ACTIONS, *OBJECT_ACTIONS, *BUCKET_ACTIONS} <= allowed
    assert not any("*" in action for action in allowed)
    forbidden = ("Scan", "CreateTable", "DeleteTable", "UpdateTable", "DeleteBucket", "iam:")
    assert not [action for action in allowed if any(word in action for word in forbidden)]
    for one in statements(document):
        assert one["Resource"] != "*"
    # The limit of a managed policy, with the longest names an account may have.
    text = json.dumps(chosen(document), separators=(",", ":"))
    assert len(text) < 6144 + 60 * text.count("Fn::GetAtt")


@pytest.mark.parametrize("part", ["App", "Worker"])
def test_app_and_worker_have_the_same_rights_each_in_a_role(part):
    role = properties("data", f"{part}Role")
    assert role["ManagedPolicyArns"] == [{"Ref": "DataPolicy"}]
    principal = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert principal == {"Service": "ecs-tasks.amazonaws.com"}
    task = properties("app", f"{part}Task")
    assert f"{part}RoleArn" in json.dumps(task["TaskRoleArn"])


def test_mail_is_sent_from_one_address_alone_and_only_where_one_is_given():
    mail = made("data")["Resources"]["MailPolicy"]
    assert mail["Condition"] == "WithMail"
    assert mail["Properties"]["Roles"] == [{"Ref": "AppRole"}, {"Ref": "WorkerRole"}]
    said = mail["Properties"]["PolicyDocument"]["Statement"][0]
    assert said["Condition"] == {"StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}}


def test_those_with_access_keys_are_a_group_with_the_policy_of_the_app():
    assert properties("data", "AppGroup")["ManagedPolicyArns"] == [{"Ref": "DataPolicy"}]


def test_the_deployer_can_complete_the_store_but_give_nobody_rights():
    role = properties("data", "DeployerRole")
    allowed = actions_of(role["Policies"][0]["PolicyDocument"])
    assert {"dynamodb:CreateTable", "dynamodb:UpdateTable", "s3:PutBucketVersioning"} <= allowed
    assert not any(action.startswith("iam:") for action in allowed)
    assert "dynamodb:DeleteTable" not in allowed
    assert "MultiFactor" in json.dumps(role["AssumeRolePolicyDocument"])


def test_the_auditor_reads_settings_and_logs_but_no_item_and_changes_nothing():
    document = properties("data", "AuditorRole")["Policies"][0]["PolicyDocument"]
    for action in actions_of(document):
        verb = action.partition(":")[2]
        assert verb.startswith(("Describe", "Get", "List", "Lookup", "View"))
    assert not {"dynamodb:GetItem", "dynamodb:Query"} & actions_of(document)
    objects = [one for one in statements(document) if "s3:GetObject" in one["Action"]]
    assert "Logs" in json.dumps(objects[0]["Resource"])
    assert "Videos" not in json.dumps(document)


# The app


def test_the_app_runs_twice_at_least_behind_a_balancer_that_knows_websockets():
    whole = made("app")
    assert whole["Parameters"]["AppLeast"]["MinValue"] == 2
    target = properties("app", "AppTargets")
    attributes = {one["Key"]: one["Value"] for one in target["TargetGroupAttributes"]}
    assert attributes["stickiness.enabled"] == "true"
    assert attributes["stickiness.type"] == "lb_cookie"
    assert target["HealthCheckPath"] == "/healthz"
    balancer = {
        one["Key"]: one["Value"] for one in properties("app", "Balancer")["LoadBalancerAttributes"]
    }
    assert int(balancer["idle_timeout.timeout_seconds"]) >= 600
    assert balancer["access_logs.s3.enabled"] == "true"
    plain = properties("app", "PlainListener")["DefaultActions"][0]
    assert plain["RedirectConfig"]["Protocol"] == "HTTPS"
    assert "TLS13" in properties("app", "Listener")["SslPolicy"]


@pytest.mark.parametrize("part", ["App", "Worker"])
def test_a_task_is_unprivileged_and_writes_only_to_its_volumes(part):
    task = properties("app", f"{part}Task")
    assert task["RequiresCompatibilities"] == ["FARGATE"]
    container = task["ContainerDefinitions"][0]
    assert container["User"] == USER
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert {m["ContainerPath"] for m in container["MountPoints"]} == {"/data", "/tmp"}
    names = {one["Name"] for one in container["Environment"]}
    secret = {one["Name"] for one in container["Secrets"]}
    assert "CITYVERSE_SESSION_SECRET" in secret
    assert not names & secret
    assert not any("KEY" in name or "SECRET" in name for name in names)
    assert container["LogConfiguration"]["Options"]["awslogs-group"] == {"Ref": f"{part}Logs"}


@pytest.mark.parametrize("part", ["App", "Worker"])
def test_a_task_has_settings_that_exist(part):
    from cityverse.settings import SETTINGS

    container = properties("app", f"{part}Task")["ContainerDefinitions"][0]
    known = {setting.name for setting in SETTINGS}
    given = {one["Name"] for one in container["Environment"] + container["Secrets"]}
    assert given <= known


@pytest.mark.parametrize("part", ["App", "Worker"])
def test_a_deployment_rolls_and_goes_back_when_it_fails(part):
    said = properties("app", f"{part}Service")
    deployment = said["DeploymentConfiguration"]
    assert deployment["MinimumHealthyPercent"] == 100
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    network = said["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"


def test_the_app_is_scaled_by_its_processor():
    target = properties("app", "AppScaling")
    assert target["MinCapacity"] == {"Ref": "AppLeast"}
    assert target["MaxCapacity"] == {"Ref": "AppMost"}
    followed = properties("app", "AppScalingPolicy")["TargetTrackingScalingPolicyConfiguration"]
    metric = followed["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "ECSServiceAverageCPUUtilization"


def test_the_store_is_reached_inside_aws():
    endpoints = resources("app", "AWS::EC2::VPCEndpoint").values()
    services = {one["Properties"]["ServiceName"]["Fn::Sub"] for one in endpoints}
    assert services == {f"com.amazonaws.${{AWS::Region}}.{name}" for name in ("dynamodb", "s3")}


def test_only_the_balancer_reaches_the_app():
    ingress = properties("app", "TaskSecurity")["SecurityGroupIngress"]
    assert [one["SourceSecurityGroupId"] for one in ingress] == [{"Ref": "BalancerSecurity"}]
    assert "SecurityGroupIngress" not in properties("app", "WorkerSecurity")


def test_secrets_are_made_by_aws_and_kept():
    secrets = resources("app", "AWS::SecretsManager::Secret")
    assert len(secrets) == 2
    for one in secrets.values():
        assert one["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32
        assert one["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("part", ["App", "Worker"])
def test_logs_end_some_day(part):
    assert properties("app", f"{part}Logs")["RetentionInDays"] == 90


# What one is told


@pytest.mark.parametrize("one", TABLES, ids=lambda one: one.name)
def test_throttling_of_a_table_is_told(one):
    alarms = resources("app", "AWS::CloudWatch::Alarm").values()
    about = [a for a in alarms if f'"Value": "{one.name}"' in json.dumps(a)]
    assert len(about) == 1
    metrics = json.dumps(about[0])
    assert "ReadThrottleEvents" in metrics
    assert "WriteThrottleEvents" in metrics


@pytest.mark.parametrize(
    "figure",
    [
        "SUM(ReadThrottleEvents)",
        "SUM(WriteThrottleEvents)",
        "SystemErrors",
        "UserErrors",
        "SuccessfulRequestLatency",
        "5xxErrors",
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "TargetResponseTime",
        "UnHealthyHostCount",
        "worker_rounds",
        "RunningTaskCount",
    ],
)
def test_a_figure_has_an_alarm_that_tells_somebody(figure):
    alarms = [
        one["Properties"]
        for one in resources("app", "AWS::CloudWatch::Alarm").values()
        if figure in json.dumps(one)
    ]
    assert alarms
    assert all(one["AlarmActions"] == [{"Ref": "Alarms"}] for one in alarms)


def test_a_worker_that_says_nothing_is_taken_for_dead():
    for name in ("WorkerSilent", "WorkerGone"):
        assert properties("app", name)["TreatMissingData"] == "breaching"


def test_the_budget_tells_before_it_is_spent():
    said = properties("app", "MonthlyBudget")
    assert said["Budget"]["BudgetLimit"]["Amount"] == {"Ref": "BudgetDollars"}
    kinds = {
        one["Notification"]["NotificationType"] for one in said["NotificationsWithSubscribers"]
    }
    assert kinds == {"ACTUAL", "FORECASTED"}


def test_the_dashboard_is_json():
    body = properties("app", "Dashboard")["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert len(widgets) >= 8
    assert all(widget["properties"]["metrics"] for widget in widgets)


UNTAGGED = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Backup::BackupPlan",
    "AWS::Backup::BackupSelection",
    "AWS::Backup::BackupVault",
    "AWS::Budgets::Budget",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EC2::Route",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::IAM::Group",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::KMS::Alias",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::WAFv2::WebACLAssociation",
}


@pytest.mark.parametrize(("stack", "billing"), ALL)
def test_whatever_costs_bears_tags(stack, billing):
    for name, one in made(stack, billing)["Resources"].items():
        if one["Type"] not in UNTAGGED:
            found = {tag["Key"]: tag["Value"] for tag in one["Properties"]["Tags"]}
            assert found["application"] == "cityverse", name
            assert found["part"], name


@pytest.mark.parametrize(("stack", "scope"), [("app", "REGIONAL"), ("edge", "CLOUDFRONT")])
def test_a_firewall_limits_requests(stack, scope):
    said = properties(stack, "Firewall")
    assert said["Scope"] == scope
    rate = said["Rules"][0]
    assert rate["Statement"]["RateBasedStatement"]["Limit"] == {"Ref": "RequestsMost"}
    assert "Block" in rate["Action"]


def test_firewalls_are_parameters():
    for name in ("Firewall", "FirewallAssociation"):
        assert made("app")["Resources"][name]["Condition"] == "WithFirewall"
    with_it = chosen(properties("data", "Delivery"), WithEdgeFirewall=True)
    assert with_it["DistributionConfig"]["WebACLId"] == {"Ref": "EdgeFirewallArn"}
    assert "WebACLId" not in chosen(properties("data", "Delivery"))["DistributionConfig"]
