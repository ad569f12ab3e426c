"""Provisioning creates what is missing, completes what was made by hand, and removes nothing."""

from dataclasses import replace

import pytest
from helpers import NOW, post, settings_for, stand_in
from people_helpers import user

from cityverse.data import provision
from cityverse.data.client import Dynamo, dynamodb_client, s3_client
from cityverse.data.cursors import Cursors
from cityverse.data.registry import BUCKETS, TABLES, table
from cityverse.data.store import over
from cityverse.domain.reactions import ReactionKind
from cityverse.engine.launch import start
from cityverse.errors import StoreMisconfigured

# The seed's tables as the documentation of the earlier program has them: key, then indexes.
SEED = {
    "User": ("id", {"email-index": "email"}),
    "Blacklist": ("token", {}),
    "Association": ("id", {}),
    "Mission": ("id", {}),
    "Event": ("id", {}),
    "Badge": ("id", {}),
    "Donation": ("id", {}),
    "Application": ("id", {"mission_id_index": "mission_id", "user_id-index": "user_id"}),
    "Donations": ("id", {"donation_id-index": "donation_id", "user_id-index": "user_id"}),
    "Posts": ("id", {"product_id": "product_id"}),
    "Product": ("id", {"nom-index": "nom"}),
}


@pytest.fixture(scope="module")
def bare_engine(tmp_path_factory):
    """An engine without any table."""
    folder = tmp_path_factory.mktemp("bare")
    engine = start(folder)
    yield folder
    assert engine.stop() == 0


@pytest.fixture
def bare(bare_engine):
    """Settings of a store that holds nothing at all, and a client of it."""
    settings = settings_for(bare_engine)
    client, s3 = dynamodb_client(settings), s3_client(settings)
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_bucket(Bucket=bucket["Name"])
    yield settings, client
    client.close()
    s3.close()


def make_by_hand(client, name, key, indexes, **capacity):
    names = {key, *indexes.values()}
    billing = capacity or {"BillingMode": "PAY_PER_REQUEST"}
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in sorted(names)],
        **billing,
        **(
            {
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": index,
                        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                        **capacity,
                    }
                    for index, attribute in indexes.items()
                ]
            }
            if indexes
            else {}
        ),
    )


def described(client, name):
    live = client.describe_table(TableName=name)["Table"]
    keys = {
        i["IndexName"]: [k["AttributeName"] for k in i["KeySchema"]]
        for i in live.get("GlobalSecondaryIndexes", [])
    }
    return [k["AttributeName"] for k in live["KeySchema"]], keys


def test_the_registry_holds_the_names_and_keys_of_the_seed():
    for name, (key, indexes) in SEED.items():
        ours = table(name)
        assert (ours.partition, ours.sort) == (key, None)
        own = {i.name: (i.partition, i.sort) for i in ours.indexes}
        assert {n: (a, None) for n, a in indexes.items()}.items() <= own.items()
    assert {b.setting for b in BUCKETS} == {"bucket_profilepics", "bucket_videos"}


def test_an_empty_store_is_planned_made_and_then_complete(bare):
    settings, client = bare
    steps = provision.plan(settings)
    assert client.list_tables()["TableNames"] == []  # planning only looks
    told = []
    assert provision.apply(settings, told.append) == len(steps)
    assert told == [step.description for step in steps]
    assert provision.plan(settings) == []
    assert provision.apply(settings) == 0
    for ours in TABLES:
        key, indexes = described(client, ours.name)
        assert key == [k for k in (ours.partition, ours.sort) if k]
        assert indexes == {i.name: [k for k in (i.partition, i.sort) if k] for i in ours.indexes}


@pytest.mark.parametrize(
    "capacity",
    [{}, {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}],
    ids=["on demand", "provisioned"],
)
def test_tables_made_by_hand_from_the_seed_are_completed_and_lose_nothing(bare, capacity):
    settings, client = bare
    for name, (key, indexes) in SEED.items():
        make_by_hand(client, name, key, indexes, **capacity)
    old = {"id": {"S": "OLD"}, "product_id": {"S": "P1"}, "description": {"S": "d'avant"}}
    client.put_item(TableName="Posts", Item=old)
    client.put_item(TableName="User", Item={"id": {"S": "U"}, "email": {"S": "u@example.org"}})
    provision.apply(settings)
    assert provision.plan(settings) == []
    assert client.get_item(TableName="Posts", Key={"id": {"S": "OLD"}})["Item"] == old
    by_product = client.query(
        TableName="Posts",
        IndexName="product_id",
        KeyConditionExpression="product_id = :p",
        ExpressionAttributeValues={":p": {"S": "P1"}},
    )
    assert by_product["Items"] == [old]
    assert client.describe_table(TableName="User")["Table"]["ItemCount"] == 1
    store = over(Dynamo(client), Cursors(b"k" * 32))
    stand_in(store.dynamo, "Association", "a1")
    created = store.posts.create(post())
    assert store.posts.page(limit=5).items == (created,)
    assert store.posts.page(limit=5, association_id="a1").items == (created,)


# The indexes that came after the first tables were made.
LATER = {
    "Association": {"owner-index"},
    "Posts": {"product-index", "user-index"},
    "Comment": {"user-index"},
    "Reaction": {"user-index"},
    "Notification": {"actor-index"},
    "Report": {"reporter-index"},
    "Media": {"owner-index"},
}


def test_a_store_of_an_older_version_gets_the_later_indexes_and_finds_its_items(bare, monkeypatch):
    settings, client = bare
    older = tuple(
        replace(one, indexes=tuple(i for i in one.indexes if i.name not in LATER.get(one.name, ())))
        for one in TABLES
    )
    assert sum(len(one.indexes) for one in TABLES) - sum(len(one.indexes) for one in older) == 8
    with monkeypatch.context() as patched:
        patched.setattr(provision, "TABLES", older)
        provision.apply(settings)
        assert provision.plan(settings) == []
    store = over(Dynamo(client), Cursors(b"k" * 32))
    stand_in(store.dynamo, "Association", "a1")
    store.users.create(user())
    created = store.posts.create(post(user_id="u1"))
    store.reactions.react("p1", "u1", ReactionKind.LIKE, NOW)
    steps = provision.plan(settings)
    assert len(steps) == 8
    assert {word for step in steps for word in step.description.split()} >= set(LATER)
    assert provision.apply(settings) == 8
    assert provision.plan(settings) == []
    assert store.posts.of_user("u1", limit=5).items == (store.posts.get(created.id),)
    assert [one.post_id for one in store.reactions.given("u1", limit=5).items] == ["p1"]
    store.deletion.delete("User", "u1")
    assert store.posts.get("p1").user_id is None
    assert store.posts.get("p1").reactions[ReactionKind.LIKE] == 0


def test_an_interrupted_provisioning_is_completed(bare):
    settings, client = bare
    for step in provision.plan(settings)[:7]:
        step.take()
    client.delete_table(TableName="User")
    provision.apply(settings)
    assert provision.plan(settings) == []


def test_two_processes_may_provision_at_once(bare):
    settings, _ = bare
    mine, theirs = provision.plan(settings), provision.plan(settings)
    for step in theirs:
        step.take()
    for step in mine:
        step.take()
    assert provision.plan(settings) == []


@pytest.mark.parametrize(
    ("name", "key", "indexes"),
    [
        ("Posts", "post_id", {}),
        ("Blacklist", "id", {}),
        ("User", "id", {"email-index": "mail"}),
    ],
)
def test_a_wrong_key_is_an_error_that_names_it(bare, name, key, indexes):
    settings, client = bare
    make_by_hand(client, name, key, indexes)
    with pytest.raises(StoreMisconfigured, match=name):
        provision.plan(settings)
    with pytest.raises(StoreMisconfigured):
        provision.apply(settings)
    assert client.list_tables()["TableNames"] == [name]


def test_every_wrong_thing_is_named_at_once(bare):
    settings, client = bare
    make_by_hand(client, "Posts", "post_id", {})
    make_by_hand(client, "News", "key", {})
    with pytest.raises(StoreMisconfigured, match=r"(?s)Posts.*News"):
        provision.plan(settings)


def test_expiry_by_another_attribute_is_an_error(bare):
    settings, client = bare
    make_by_hand(client, "Blacklist", "token", {})
    client.update_time_to_live(
        TableName="Blacklist",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"},
    )
    with pytest.raises(StoreMisconfigured, match="Blacklist"):
        provision.plan(settings)


def test_versions_are_kept_in_buckets_that_were_there(bare):
    settings, _ = bare
    s3 = s3_client(settings)
    s3.create_bucket(
        Bucket=settings.bucket_videos,
        CreateBucketConfiguration={"LocationConstraint": settings.aws_region},
    )
    provision.apply(settings)
    status = s3.get_bucket_versioning(Bucket=settings.bucket_videos)["Status"]
    s3.close()
    assert status == "Enabled"


def test_buckets_bear_the_names_of_the_settings(bare):
    settings, _ = bare
    own = replace(settings, bucket_profilepics="our-pictures", bucket_videos="our-videos")
    provision.apply(own)
    assert any("cityverse-videos" in step.description for step in provision.plan(settings))
    assert provision.plan(own) == []
