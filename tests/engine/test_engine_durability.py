"""What was acknowledged before a kill -9 is there after it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from engine_fixture import client
from engine_helpers import Item, create_table, get, item, key, kill, scan

from cityverse.engine.launch import Endpoint, EngineProcess, start

Starter = Callable[..., EngineProcess]


def write_things(dynamodb: Any) -> None:
    create_table(dynamodb, "Things")
    create_table(dynamodb, "Dropped")
    dynamodb.update_time_to_live(
        TableName="Things", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
    )
    dynamodb.update_continuous_backups(
        TableName="Things", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    dynamodb.put_item(TableName="Things", Item=item("kept", owner="ana", é={"S": "« ça » \u2028"}))
    dynamodb.put_item(TableName="Things", Item=item("kept", 2, blob={"B": b"\x00\xff"}))
    dynamodb.put_item(TableName="Things", Item=item("gone"))
    dynamodb.delete_item(TableName="Things", Key=key("gone"))
    dynamodb.batch_write_item(
        RequestItems={"Things": [{"PutRequest": {"Item": item("many", n)}} for n in range(25)]}
    )
    dynamodb.update_item(
        TableName="Things",
        Key=key("many", 3),
        UpdateExpression="SET #o = :o ADD hits :n",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "ben"}, ":n": {"N": "5"}},
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "Things", "Item": item("booked", owner="cid")}},
            {"Delete": {"TableName": "Things", "Key": key("many", 4)}},
        ]
    )
    dynamodb.put_item(TableName="Dropped", Item=item("lost"))
    dynamodb.delete_table(TableName="Dropped")
    dynamodb.update_table(
        TableName="Things",
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "kind-index",
                    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )


def write_other_tables(dynamodb: Any) -> None:
    create_table(dynamodb, "Again")
    dynamodb.put_item(TableName="Again", Item=item("old"))
    dynamodb.delete_table(TableName="Again")
    create_table(dynamodb, "Again")
    dynamodb.put_item(TableName="Again", Item=item("new"))
    dynamodb.restore_table_to_point_in_time(
        SourceTableName="Again", TargetTableName="Copy", UseLatestRestorableTime=True
    )
    create_table(dynamodb, "Purse")
    dynamodb.transact_write_items(**GIFT)


GIFT = {
    "ClientRequestToken": "gift-0001",
    "TransactItems": [
        {
            "Update": {
                "TableName": "Purse",
                "Key": key("total"),
                "UpdateExpression": "ADD cents :n",
                "ExpressionAttributeValues": {":n": {"N": "500"}},
            }
        }
    ],
}
CORS_RULE = {
    "AllowedOrigins": ["http://localhost:8501"],
    "AllowedMethods": ["GET"],
    "MaxAgeSeconds": 60,
}
FILM = bytes(range(256)) * 4096 * 6  # 6 MiB: two parts


def write_objects(s3: Any) -> str:
    """Returns the version of the picture that another one displaced."""
    for bucket in ("cv-media", "cv-empty"):
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"}
        )
    s3.put_bucket_versioning(Bucket="cv-media", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_cors(Bucket="cv-empty", CORSConfiguration={"CORSRules": [CORS_RULE]})
    first = s3.put_object(
        Bucket="cv-media",
        Key="a/é.png",
        Body=b"one",
        ContentType="image/png",
        Metadata={"by": "ana"},
    )
    s3.put_object(Bucket="cv-media", Key="a/é.png", Body=b"two", ContentType="image/webp")
    s3.put_object(Bucket="cv-media", Key="hidden", Body=b"x")
    s3.delete_object(Bucket="cv-media", Key="hidden")
    s3.put_object(Bucket="cv-empty", Key="gone", Body=b"x")
    s3.delete_object(Bucket="cv-empty", Key="gone")
    film = {"Bucket": "cv-media", "Key": "film"}
    film["UploadId"] = s3.create_multipart_upload(**film)["UploadId"]
    bodies = {1: FILM[: 5 * 2**20], 2: FILM[5 * 2**20 :]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**film, PartNumber=number, Body=body)["ETag"]}
        for number, body in bodies.items()
    ]
    s3.complete_multipart_upload(**film, MultipartUpload={"Parts": parts})
    version: str = first["VersionId"]
    return version


@dataclass
class Survivor:
    """An engine that was killed right after its last answer, and what it held before."""

    endpoint: Endpoint
    things: dict[tuple[str, int], Item]
    described: Item
    first_version: str


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    folder = tmp_path_factory.mktemp("survivor")
    engine = start(folder)
    with client(engine.endpoint, "dynamodb") as dynamodb, client(engine.endpoint, "s3") as s3:
        write_things(dynamodb)
        things = scan(dynamodb, "Things")
        described = dynamodb.describe_table(TableName="Things")["Table"]
        first_version = write_objects(s3)
        write_other_tables(dynamodb)
    kill(engine)
    engine = start(folder)
    yield Survivor(engine.endpoint, things, described, first_version)
    assert engine.stop() == 0


def test_tables_and_items_survive_a_kill(survivor: Survivor) -> None:
    with client(survivor.endpoint, "dynamodb") as dynamodb:
        assert dynamodb.list_tables()["TableNames"] == ["Again", "Copy", "Purse", "Things"]
        assert scan(dynamodb, "Things") == survivor.things
        assert len(survivor.things) == 2 + 24 + 1
        assert dynamodb.describe_table(TableName="Things")["Table"] == survivor.described
        found = dynamodb.query(
            TableName="Things",
            IndexName="owner-index",
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": {"S": "ben"}},
        )
        assert [found["hits"] for found in found["Items"]] == [{"N": "5"}]


def test_settings_of_tables_survive_a_kill(survivor: Survivor) -> None:
    with client(survivor.endpoint, "dynamodb") as dynamodb:
        lifetime = dynamodb.describe_time_to_live(TableName="Things")["TimeToLiveDescription"]
        assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
        backups = dynamodb.describe_continuous_backups(TableName="Things")
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_table_made_again_has_none_of_the_old_items(survivor: Survivor) -> None:
    with client(survivor.endpoint, "dynamodb") as dynamodb:
        assert set(scan(dynamodb, "Again")) == {("new", 0)}


def test_a_restored_table_is_written_whole(survivor: Survivor) -> None:
    with client(survivor.endpoint, "dynamodb") as dynamodb:
        assert set(scan(dynamodb, "Copy")) == {("new", 0)}


def test_a_transaction_repeated_after_a_kill_is_not_applied_again(survivor: Survivor) -> None:
    with client(survivor.endpoint, "dynamodb") as dynamodb:
        dynamodb.transact_write_items(**GIFT)
        total = get(dynamodb, "Purse", "total")
        assert total is not None
        assert total["cents"] == {"N": "500"}


def test_buckets_survive_a_kill(survivor: Survivor) -> None:
    with client(survivor.endpoint, "s3") as s3:
        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["cv-empty", "cv-media"]
        assert s3.get_bucket_versioning(Bucket="cv-media")["Status"] == "Enabled"
        assert s3.get_bucket_cors(Bucket="cv-empty")["CORSRules"] == [CORS_RULE]
        assert s3.list_objects_v2(Bucket="cv-empty")["KeyCount"] == 0


def test_objects_and_their_versions_survive_a_kill(survivor: Survivor) -> None:
    picture = {"Bucket": "cv-media", "Key": "a/é.png"}
    with client(survivor.endpoint, "s3") as s3:
        listed = s3.list_objects_v2(Bucket="cv-media")["Contents"]
        assert [found["Key"] for found in listed] == ["a/é.png", "film"]
        now = s3.get_object(**picture)
        assert (now["Body"].read(), now["ContentType"]) == (b"two", "image/webp")
        then = s3.get_object(**picture, VersionId=survivor.first_version)
        assert (then["Body"].read(), then["ContentType"]) == (b"one", "image/png")
        assert then["Metadata"] == {"by": "ana"}
        assert s3.get_object(Bucket="cv-media", Key="film")["Body"].read() == FILM


class Writers:
    """Threads that write until the engine dies, and what they were told is stored."""

    def __init__(self, engine: EngineProcess, enough: int) -> None:
        self.engine = engine
        self.acknowledged: dict[str, str] = {}
        self._enough = enough
        self._there_is_enough = threading.Event()

    def run(self, work: Callable[[Any, Any, str], str], threads: int, prefix: str) -> None:
        workers = [
            threading.Thread(target=self._write, args=(work, f"{prefix}{number}"))
            for number in range(threads)
        ]
        for worker in workers:
            worker.start()
        assert self._there_is_enough.wait(30)
        kill(self.engine)
        for worker in workers:
            worker.join(30)
            assert not worker.is_alive()

    def _write(self, work: Callable[[Any, Any, str], str], prefix: str) -> None:
        endpoint = self.engine.endpoint
        with client(endpoint, "dynamodb") as dynamodb, client(endpoint, "s3") as s3:
            for number in range(100_000):
                name = f"{prefix}-{number}"
                try:
                    self.acknowledged[name] = work(dynamodb, s3, name)
                except (BotoCoreError, ClientError):
                    return
                if len(self.acknowledged) >= self._enough:
                    self._there_is_enough.set()


def book(dynamodb: Any, _s3: Any, name: str) -> str:
    """Four items at once; half of a booking would be fewer."""
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "Bookings", "Item": item(name, at, x={"S": "x" * 500})}}
            for at in range(4)
        ]
    )
    return name


def upload(_dynamodb: Any, s3: Any, name: str) -> str:
    """Each thread writes a few keys over and over, so that a kill meets overwrites too."""
    thread, number = name.split("-")
    body = name.encode() * (1 + int(number) % 7 * 5000)
    path = f"{thread}/{int(number) % 3}"
    s3.put_object(Bucket="cv-uploads", Key=path, Body=body, Metadata={"name": name})
    return json.dumps([path, len(body)])


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_kill_amid_transactions_loses_and_halves_nothing(
    start_engine: Starter, rounds: int
) -> None:
    engine = start_engine()
    with client(engine.endpoint, "dynamodb") as dynamodb:
        create_table(dynamodb, "Bookings")
    for number in range(rounds):
        writers = Writers(engine, enough=60)
        writers.run(book, threads=4, prefix=f"r{number}t")
        engine = start_engine()
        with client(engine.endpoint, "dynamodb") as dynamodb:
            there = scan(dynamodb, "Bookings")
        names = {name for name, _ in there}
        assert set(writers.acknowledged) <= names
        assert len(there) == 4 * len(names)


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_kill_amid_uploads_loses_and_mixes_nothing(start_engine: Starter, rounds: int) -> None:
    engine = start_engine()
    with client(engine.endpoint, "s3") as s3:
        s3.create_bucket(
            Bucket="cv-uploads", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"}
        )
    for _ in range(rounds):
        writers = Writers(engine, enough=40)
        writers.run(upload, threads=3, prefix="t")
        engine = start_engine()
        with client(engine.endpoint, "s3") as s3:
            latest = {json.loads(told)[0]: name for name, told in writers.acknowledged.items()}
            for path, name in latest.items():
                found = s3.get_object(Bucket="cv-uploads", Key=path)
                body = found["Body"].read()
                stored = found["Metadata"]["name"]
                # The one being written at the kill may have come through, or not.
                assert int(stored.split("-")[1]) in (
                    number := int(name.split("-")[1]),
                    number + 3,
                )
                assert body == stored.encode() * (1 + int(stored.split("-")[1]) % 7 * 5000)
                assert found["ContentLength"] == len(body)
                assert found["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'


def test_a_graceful_stop_and_restart_keep_everything(start_engine: Starter, tmp_path: Path) -> None:
    engine = start_engine()
    with client(engine.endpoint, "dynamodb") as dynamodb:
        create_table(dynamodb, "Things")
        dynamodb.put_item(TableName="Things", Item=item("kept"))
    assert engine.stop() == 0
    assert not (tmp_path / "engine.json").exists()

    again = start_engine(port=int(engine.endpoint.endpoint.rpartition(":")[2]))
    assert again.endpoint == engine.endpoint
    with client(engine.endpoint, "dynamodb") as dynamodb:
        assert get(dynamodb, "Things", "kept") is not None
