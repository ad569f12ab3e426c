"""Who may ask the engine, and for what."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from engine_fixture import client
from engine_helpers import create_table, get, item

from cityverse.engine.guard import MAX_BODY
from cityverse.engine.launch import Endpoint


@pytest.fixture(scope="module")
def table(engine_endpoint: Endpoint) -> str:
    with client(engine_endpoint, "dynamodb") as dynamodb:
        create_table(dynamodb, "Guarded")
        dynamodb.put_item(TableName="Guarded", Item=item("there"))
    return "Guarded"


@pytest.fixture(scope="module")
def bucket(engine_endpoint: Endpoint) -> str:
    with client(engine_endpoint, "s3") as s3:
        s3.create_bucket(
            Bucket="cv-guarded", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"}
        )
        s3.put_object(Bucket="cv-guarded", Key="a", Body=b"bytes")
    return "cv-guarded"


@pytest.fixture
def plain(engine_endpoint: Endpoint) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=engine_endpoint.endpoint, timeout=10) as plain:
        yield plain


@pytest.mark.parametrize("path", ["/_ministack/health", "/_ministack/ready"])
def test_health_is_open(plain: httpx.Client, path: str) -> None:
    assert plain.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("POST", "/%5Fministack/reset"),
        ("GET", "/_ministack/sns/sms-messages"),
        ("GET", "/_localstack/anything"),
        ("POST", "/_ministack"),
        ("GET", "/_aws/sqs/messages"),
    ],
)
def test_administration_is_closed(
    plain: httpx.Client, engine_endpoint: Endpoint, table: str, method: str, path: str
) -> None:
    forged = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-3/s3/x"}
    assert plain.request(method, path).status_code == 403
    assert plain.request(method, path, headers=forged).status_code == 403
    with client(engine_endpoint, "dynamodb") as dynamodb:
        assert get(dynamodb, table, "there") is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("PUT", "/cv-anonymous"), ("GET", "/cv-guarded/a"), ("POST", "/")],
)
def test_unsigned_requests_are_refused(
    plain: httpx.Client, bucket: str, method: str, path: str
) -> None:
    target = {"x-amz-target": "DynamoDB_20120810.ListTables"} if method == "POST" else {}
    assert plain.request(method, path, headers=target, content=b"{}").status_code == 403


def test_a_name_that_is_not_loopback_is_refused(plain: httpx.Client) -> None:
    answer = plain.get("/_ministack/health", headers={"Host": "evil.example:80"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("access_key", "secret_key"),
    [("", "wrong"), ("test", "test"), ("000000000000", "test"), ("AKIAUNKNOWN", "")],
)
def test_wrong_keys_are_refused(
    engine_endpoint: Endpoint, table: str, bucket: str, access_key: str, secret_key: str
) -> None:
    keys = {"access_key": access_key, "secret_key": secret_key}
    with client(engine_endpoint, "dynamodb", **keys) as dynamodb, pytest.raises(ClientError) as no:
        dynamodb.delete_table(TableName=table)
    assert no.value.response["Error"]["Code"] in (
        "InvalidSignatureException",
        "UnrecognizedClientException",
    )
    with client(engine_endpoint, "s3", **keys) as s3, pytest.raises(ClientError) as no:
        s3.put_object(Bucket=bucket, Key="a", Body=b"changed")
    assert no.value.response["Error"]["Code"] in ("SignatureDoesNotMatch", "InvalidAccessKeyId")


def test_presigned_urls_work_and_cannot_be_altered(
    engine_endpoint: Endpoint, plain: httpx.Client, bucket: str
) -> None:
    with boto3_v4(engine_endpoint) as s3:
        url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a"})
    assert plain.get(url).content == b"bytes"
    assert plain.get(url.replace("Expires=3600", "Expires=3601")).status_code == 403
    assert plain.get(url.replace("HMAC-SHA256", "NONE")).status_code == 403
    with boto3_v4(engine_endpoint, secret_key="wrong") as s3:
        url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a"})
    assert plain.get(url).status_code == 403


def boto3_v4(endpoint: Endpoint, secret_key: str = "") -> Any:
    """A client that presigns by Signature Version 4."""
    return closing(
        boto3.client(
            "s3",
            endpoint_url=endpoint.endpoint,
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=secret_key or endpoint.secret_key,
            region_name=endpoint.region,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
    )


def test_forms_need_a_signature(
    engine_endpoint: Endpoint, plain: httpx.Client, bucket: str
) -> None:
    with boto3_v4(engine_endpoint) as s3:
        form = s3.generate_presigned_post(bucket, "form")
    file = {"file": ("a", b"sent")}
    assert plain.post(form["url"], data=form["fields"], files=file).status_code == 204
    altered = {**form["fields"], "x-amz-signature": "0" * 64}
    assert plain.post(form["url"], data=altered, files=file).status_code == 403
    assert plain.post(form["url"], data={"key": "form"}, files=file).status_code == 403


def test_a_request_too_large_is_refused_unread(engine_endpoint: Endpoint) -> None:
    port = int(engine_endpoint.endpoint.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("PUT", "/cv-guarded/huge")
    connection.putheader("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/s3/x")
    connection.putheader("Content-Length", str(MAX_BODY + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    connection.close()


def test_operations_that_could_not_be_kept_are_refused(
    engine_endpoint: Endpoint, table: str
) -> None:
    with client(engine_endpoint, "dynamodb") as dynamodb, pytest.raises(ClientError) as refused:
        dynamodb.create_backup(TableName=table, BackupName="copy")
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "not offered" in refused.value.response["Error"]["Message"]


def test_services_that_run_code_are_not_offered(engine_endpoint: Endpoint) -> None:
    with client(engine_endpoint, "lambda") as functions, pytest.raises(ClientError) as refused:
        functions.list_functions()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
