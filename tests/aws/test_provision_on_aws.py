"""Provisioning against a stand-in of AWS, and against answers that say what is wrong."""

import json
import threading
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from cityverse import doctor
from cityverse.aws.cloudformation import as_text
from cityverse.aws.templates import template_of
from cityverse.data import client as clients
from cityverse.data import provision
from cityverse.data.registry import TABLES
from cityverse.errors import StoreError, StoreMisconfigured, StoreUnavailable
from cityverse.settings import read

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTS", "AWS_SECRET_ACCESS_KEY": "secret"}
SEED = {
    "User": {"email-index": "email"},
    "Posts": {"product_id": "product_id"},
    "Application": {"mission_id_index": "mission_id", "user_id-index": "user_id"},
}


@pytest.fixture
def aws():
    """Settings and a DynamoDB client of an empty account."""
    settings = read({"CITYVERSE_STORE": "aws", **KEYS})
    with mock_aws():
        client = clients.dynamodb_client(settings)
        yield settings, client
        client.close()


def make_by_hand(client, capacity):
    for name, indexes in SEED.items():
        billed = {"ProvisionedThroughput": capacity} if capacity else {}
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": one, "AttributeType": "S"} for one in ("id", *indexes.values())
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": index,
                    "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    **billed,
                }
                for index, attribute in indexes.items()
            ],
            **(billed or {"BillingMode": "PAY_PER_REQUEST"}),
        )


def assert_safe(client, name):
    live = client.describe_table(TableName=name)["Table"]
    assert live["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert live["DeletionProtectionEnabled"] is True
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == "ENABLED"


def scaled(settings):
    client = clients.scaling_client(settings)
    pages = client.get_paginator("describe_scaling_policies").paginate(ServiceNamespace="dynamodb")
    found = {
        (one["ResourceId"], one["ScalableDimension"])
        for page in pages
        for one in page["ScalingPolicies"]
    }
    client.close()
    return found


def test_an_empty_account_gets_tables_with_streams_protection_and_backups(aws):
    settings, client = aws
    steps = provision.plan(settings)
    assert client.list_tables()["TableNames"] == []  # planning only looks
    assert provision.apply(settings) == len(steps)
    assert provision.plan(settings) == []
    for table in TABLES:
        assert_safe(client, table.name)
    assert scaled(settings) == set()  # on demand there is nothing to scale


def test_tables_made_by_hand_are_completed_and_scaled_with_their_indexes(aws):
    settings, client = aws
    make_by_hand(client, {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5})
    client.put_item(TableName="Posts", Item={"id": {"S": "OLD"}, "product_id": {"S": "P1"}})
    provision.apply(settings)
    assert provision.plan(settings) == []
    found = scaled(settings)
    for name in SEED:
        assert_safe(client, name)
        for units in ("ReadCapacityUnits", "WriteCapacityUnits"):
            assert (f"table/{name}", f"dynamodb:table:{units}") in found
            for index in next(one for one in TABLES if one.name == name).indexes:
                part = f"table/{name}/index/{index.name}", f"dynamodb:index:{units}"
                assert part in found
    assert {resource.split("/")[1] for resource, _ in found} == set(SEED)
    assert "Item" in client.get_item(TableName="Posts", Key={"id": {"S": "OLD"}})


def test_whatever_moment_it_is_interrupted_at_it_is_completed(aws):
    settings, client = aws
    make_by_hand(client, {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5})
    rounds = 0
    while steps := provision.plan(settings):
        rounds += 1
        for step in steps[:41]:
            step.take()
            step.take()  # as two processes would
    assert rounds > 2
    for name in SEED:
        assert_safe(client, name)


def test_a_step_that_fails_is_named_with_what_was_done(aws, monkeypatch):
    settings, client = aws
    make_by_hand(client, None)
    steps = provision.plan(settings)
    broken = next(n for n, step in enumerate(steps) if "keep backups" in step.description)

    def refuse(**_):
        raise clients.ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Update"
        )

    def with_broken(one):
        made = plan(one)
        made[broken] = provision.Step(made[broken].description, refuse)
        return made

    plan = provision.plan
    monkeypatch.setattr(provision, "plan", with_broken)
    with pytest.raises(StoreMisconfigured) as caught:
        provision.apply(settings)
    said = str(caught.value)
    assert steps[broken].description in said
    assert f"{broken} of {len(steps)} steps are done" in said
    monkeypatch.undo()
    assert len(provision.plan(settings)) == len(steps) - broken


@pytest.mark.slow
def test_what_the_template_makes_is_all_that_provision_wants(aws):
    pytest.importorskip("openapi_spec_validator", reason="comes with `make lint`")
    settings, _ = aws
    whole = template_of("data")
    # What the stand-in cannot make; it takes tags of a key in another form, too.
    kinds = ("DynamoDB::Table", "S3::Bucket", "KMS::Key", "IAM::Role", "IAM::ManagedPolicy")
    made = {
        name: one
        for name, one in whole["Resources"].items()
        if any(kind in one["Type"] for kind in kinds) and one["Type"] != "AWS::S3::BucketPolicy"
    }
    for one in made.values():
        if isinstance(one.get("DependsOn"), list):
            del one["DependsOn"]
    del made["Key"]["Properties"]["Tags"], whole["Outputs"]
    whole["Resources"] = made
    stacks = boto3.client("cloudformation", region_name=settings.aws_region)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stacks.create_stack(
            StackName="cityverse-data",
            TemplateBody=as_text(whole),
            Parameters=[
                {"ParameterKey": "PublicUrl", "ParameterValue": "https://city.example.org"}
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
    stacks.close()
    wanted = [step.description for step in provision.plan(settings)]
    # The stand-in leaves out what its CloudFormation does not know of tables and buckets.
    unknown = ("keep backups", "keep versions", "let items", "let leftovers", "protect table")
    assert [one for one in wanted if not one.startswith(unknown)] == []


# What can be wrong. The bodies are those that the services document.


class Service(ThreadingHTTPServer):
    """Answers by operation; every request is noted."""

    daemon_threads = False

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = answers, []


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = self.path.partition("?")[2].partition("&")[0]
        asked = " ".join(part for part in (self.command, query) if part)
        operation = self.headers.get("X-Amz-Target", "").partition(".")[2] or asked
        self.server.asked.append(operation)
        known = self.server.answers.get(operation, (404, {}))
        status, body = known.pop(0) if isinstance(known, list) else known
        told = body if isinstance(body, str) else json.dumps(body)
        data = b"" if self.command == "HEAD" else told.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *_):
        pass


@contextmanager
def service(answers):
    # Without its table a transaction is not refused for being one.
    missing = refused("ResourceNotFoundException", "Requested resource not found")
    with Service({"TransactWriteItems": missing, **answers}) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield read({"CITYVERSE_STORE": "aws", "AWS_ENDPOINT_URL": address, **KEYS}), server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    """No repetitions: they would only take time."""
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    monkeypatch.setattr(clients, "_CONFIG", clients._CONFIG.merge(once))


def refused(code, message):
    return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}


PROBLEMS = {
    "expired token": (
        refused("ExpiredTokenException", "The security token included in the request is expired"),
        "get new ones",
    ),
    "unknown key": (
        refused(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        "AWS_ACCESS_KEY_ID",
    ),
    "wrong secret": (
        refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        ),
        "AWS_SECRET_ACCESS_KEY",
    ),
    "clock behind": (
        refused(
            "InvalidSignatureException",
            "Signature expired: 20261101T120000Z is now earlier than 20261101T121000Z",
        ),
        "clock",
    ),
    "clock ahead": (
        refused(
            "InvalidSignatureException",
            "Signature not yet current: 20261101T130000Z is still later than 20261101T120500Z",
        ),
        "clock",
    ),
    "missing permission": (
        refused(
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/x is not authorized to perform: "
            "dynamodb:ListTables",
        ),
        "docs/aws.md",
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_refusal_says_what_to_do_and_nothing_is_changed(problem):
    answer, advice = PROBLEMS[problem]
    with service({"ListTables": answer}) as (settings, server):
        with pytest.raises(StoreMisconfigured, match=advice):
            provision.apply(settings)
        assert advice in doctor._tables(settings).text
        assert set(server.asked) == {"ListTables"}


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("AccessDeniedException", "not authorized to perform: dynamodb:CreateTable", "docs/aws.md"),
        ("LimitExceededException", "Subscriber limit exceeded: 2500 tables", "quota"),
    ],
)
def test_a_first_step_that_is_refused_is_named_and_the_last_taken(code, message, advice):
    answers = {"ListTables": (200, {"TableNames": []}), "CreateTable": refused(code, message)}
    with service(answers) as (settings, server):
        with pytest.raises(StoreMisconfigured) as caught:
            provision.apply(settings)
        assert server.asked.count("CreateTable") == 1
    assert "cannot create table User" in str(caught.value)
    assert "(0 of" in str(caught.value)
    assert advice in str(caught.value)


def test_an_endpoint_that_is_down_is_told_with_where_to_look():
    with service({}) as (settings, _):
        pass
    with pytest.raises(StoreUnavailable, match="AWS_ENDPOINT_URL"):
        provision.apply(settings)
    assert not doctor._tables(settings).good


def described(status):
    table = TABLES[0]
    return 200, {
        "Table": {
            "TableName": table.name,
            "TableStatus": status,
            "KeySchema": provision.key_schema(table),
            "AttributeDefinitions": provision.definitions(table.key_attributes()),
            "GlobalSecondaryIndexes": [
                {**provision.index_definition(index), "IndexStatus": "ACTIVE"}
                for index in table.indexes
            ],
        }
    }


def test_a_table_that_is_being_changed_is_named_and_waited_for(monkeypatch):
    monkeypatch.setattr(provision.time, "sleep", lambda _: None)
    answers = {
        "ListTables": (200, {"TableNames": [TABLES[0].name]}),
        "DescribeTable": [described("UPDATING"), described("UPDATING"), described("ACTIVE")],
    }
    with service(answers) as (settings, server):
        step = provision.plan(settings)[0]
        assert "which is UPDATING" in step.description
        step.take()
        assert server.asked.count("DescribeTable") == 3
        assert not {"CreateTable", "UpdateTable"} & set(server.asked)


def test_a_table_that_is_on_its_way_out_is_an_error_before_anything_is_changed():
    answers = {
        "ListTables": (200, {"TableNames": [TABLES[0].name]}),
        "DescribeTable": described("DELETING"),
    }
    with service(answers) as (settings, server):
        with pytest.raises(StoreMisconfigured, match="User is DELETING"):
            provision.apply(settings)
        looked = {"ListTables", "DescribeTable", "DescribeTimeToLive", "TransactWriteItems", "HEAD"}
        assert set(server.asked) <= looked


def test_a_service_without_transactions_is_refused_before_anything_is_made():
    # As ScyllaDB Alternator answers.
    unknown = refused("UnknownOperationException", "Unsupported operation TransactWriteItems")
    answers = {"ListTables": (200, {"TableNames": []}), "TransactWriteItems": unknown}
    with service(answers) as (settings, server):
        with pytest.raises(StoreMisconfigured, match=r"TransactWriteItems.*engines\.md"):
            provision.apply(settings)
        found = doctor._tables(settings)
        assert not found.good
        assert "does not offer TransactWriteItems" in found.text
        assert set(server.asked) == {"ListTables", "TransactWriteItems"}


def test_files_without_versions_are_refused_before_anything_is_made():
    # As Garage answers; the bucket is there.
    unknown = "<Error><Code>NotImplemented</Code><Message>ListObjectVersions</Message></Error>"
    answers = {
        "ListTables": (200, {"TableNames": []}),
        "HEAD": (200, {}),
        "GET versions": (501, unknown),
    }
    with service(answers) as (settings, server):
        with pytest.raises(StoreMisconfigured, match=r"ListObjectVersions.*engines\.md"):
            provision.apply(settings)
        assert "does not offer ListObjectVersions" in doctor._tables(settings).text
        assert "CreateTable" not in server.asked
        assert not [asked for asked in server.asked if asked.startswith("PUT")]


def test_tables_and_files_may_lie_at_different_services():
    answers = {"ListTables": (200, {"TableNames": []})}
    with service(answers) as (settings, tables), service({"HEAD": (404, {})}) as (_, files):
        apart = {
            "AWS_ENDPOINT_URL_DYNAMODB": settings.aws_endpoint_url,
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{files.server_port}",
        }
        both = read({"CITYVERSE_STORE": "aws", **apart, **KEYS})
        assert both.dynamodb_endpoint != both.s3_endpoint
        assert len(provision.plan(both)) > len(TABLES)
        assert set(tables.asked) == {"ListTables", "TransactWriteItems"}
        assert set(files.asked) == {"HEAD"}


def test_a_region_that_is_none_is_told():
    settings = read({"CITYVERSE_STORE": "aws", "AWS_DEFAULT_REGION": "paris !", **KEYS})
    with pytest.raises(StoreError, match=r"(?i)region|endpoint"):
        provision.plan(settings)


def test_a_bucket_in_another_region_is_named(aws):
    settings, _ = aws
    elsewhere = boto3.client("s3", region_name="us-west-2")
    elsewhere.create_bucket(
        Bucket=settings.bucket_videos,
        CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
    )
    elsewhere.close()
    with pytest.raises(StoreMisconfigured, match=r"cityverse-videos lies in us-west-2"):
        provision.plan(settings)
