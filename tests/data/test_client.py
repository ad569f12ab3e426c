"""Whatever the store answers becomes one of our errors, or is repeated until it succeeds."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from helpers import post, settings_for

from cityverse.data import client as client_module
from cityverse.data.client import ConditionFailed, dynamodb_client, mapped, put_write
from cityverse.data.store import connect
from cityverse.engine.launch import start
from cityverse.errors import (
    AlreadyExists,
    CityVerseError,
    InputError,
    StoreError,
    StoreMisconfigured,
    StoreThrottled,
    StoreUnavailable,
)


def answer(code, status=400, **more):
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        | more,
        "Anything",
    )


def cancelled(*codes):
    return answer("TransactionCanceledException", CancellationReasons=[{"Code": c} for c in codes])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("ResourceNotFoundException"), StoreMisconfigured),
        (answer("AccessDeniedException"), StoreMisconfigured),
        (answer("NoSuchBucket", 404), StoreMisconfigured),
        (answer("ProvisionedThroughputExceededException"), StoreThrottled),
        (answer("SlowDown", 503), StoreThrottled),
        (answer("InternalServerError", 500), StoreUnavailable),
        (answer("Whatever", 502), StoreUnavailable),
        (answer("ValidationException"), StoreError),
        (cancelled("None", "ConditionalCheckFailed"), ConditionFailed),
        (cancelled("TransactionConflict", "ConditionalCheckFailed"), ConditionFailed),
        (cancelled("TransactionConflict", "None"), StoreThrottled),
        (cancelled("ValidationError"), InputError),
    ],
)
def test_answers_become_our_errors(error, kind):
    @mapped
    def call():
        raise error

    with pytest.raises(kind) as raised:
        call()
    assert raised.value.__cause__ is error


def test_the_positions_of_failed_conditions_are_told():
    @mapped
    def call():
        raise cancelled("None", "ConditionalCheckFailed", "ConditionalCheckFailed")

    with pytest.raises(ConditionFailed) as raised:
        call()
    assert raised.value.failed == (1, 2)


def test_an_unknown_table_is_a_wrong_configuration(dynamo):
    for call in (
        lambda: dynamo.get("Nowhere", {"id": "a"}),
        lambda: dynamo.get_many("Nowhere", [{"id": "a"}]),
        lambda: dynamo.put("Nowhere", {"id": "a"}),
        lambda: dynamo.delete("Nowhere", {"id": "a"}),
        lambda: dynamo.count("Nowhere"),
        lambda: dynamo.transact([put_write("Nowhere", {"id": "a"})]),
    ):
        with pytest.raises(StoreMisconfigured):
            call()


def test_no_engine_is_said_in_words(tmp_path):
    with pytest.raises(StoreUnavailable, match="make run"):
        connect(settings_for(tmp_path))


def test_an_engine_that_went_away_is_unavailable_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(
        client_module, "_LOCAL_CONFIG", client_module._LOCAL_CONFIG.merge(
            client_module.Config(retries={"mode": "standard", "max_attempts": 1})
        ),
    )  # fmt: skip
    engine = start(tmp_path)
    client = dynamodb_client(settings_for(tmp_path))
    dynamo = client_module.Dynamo(client)
    with pytest.raises(StoreMisconfigured):
        dynamo.get("Posts", {"id": "a"})
    engine.process.kill()
    engine.process.wait()
    with pytest.raises(StoreUnavailable):
        dynamo.get("Posts", {"id": "a"})
    port = int(engine.endpoint.endpoint.rpartition(":")[2])
    again = start(tmp_path, port)
    with pytest.raises(StoreMisconfigured):
        dynamo.get("Posts", {"id": "a"})
    client.close()
    assert again.stop() == 0


@pytest.mark.parametrize("endpoint", ["not an address", "http://"])
def test_a_senseless_endpoint_is_a_wrong_configuration(tmp_path, endpoint):
    settings = settings_for(
        tmp_path,
        CITYVERSE_STORE="aws",
        AWS_ENDPOINT_URL=endpoint,
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
    )
    with pytest.raises(StoreMisconfigured):
        dynamodb_client(settings)


def test_missing_credentials_are_a_wrong_configuration(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    settings = settings_for(tmp_path, CITYVERSE_STORE="aws", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    client = dynamodb_client(settings)
    with pytest.raises(StoreMisconfigured, match="credentials"):
        client_module.Dynamo(client).get("Posts", {"id": "a"})
    client.close()


def test_the_engine_is_not_asked_for_through_a_proxy(store, settings, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    other = connect(settings)
    assert other.posts.find("p1") is None
    other.dynamo.client.close()


class Scripted:
    """A client that raises or answers what the script says, one after the other."""

    def __init__(self, *script):
        self.script = list(script)
        self.requests = []

    def _next(self, **request):
        self.requests.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    transact_write_items = batch_get_item = _next


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setattr(client_module, "_pause", lambda attempt: None)


@pytest.mark.usefixtures("no_pause")
def test_a_transaction_that_met_another_is_repeated():
    scripted = Scripted(cancelled("TransactionConflict"), cancelled("TransactionConflict"), {})
    client_module.Dynamo(scripted).transact([put_write("Posts", {"id": "a"})], token="t")
    assert len(scripted.requests) == 3
    assert scripted.requests[0] == scripted.requests[2]
    assert scripted.requests[0]["ClientRequestToken"] == "t"


@pytest.mark.usefixtures("no_pause")
def test_a_transaction_is_not_repeated_for_ever_nor_after_a_failed_condition():
    endless = Scripted(*[cancelled("TransactionConflict")] * 50)
    with pytest.raises(StoreThrottled):
        client_module.Dynamo(endless).transact([])
    assert len(endless.requests) < 20
    refused = Scripted(cancelled("ConditionalCheckFailed"))
    with pytest.raises(ConditionFailed):
        client_module.Dynamo(refused).transact([])
    assert len(refused.requests) == 1


@pytest.mark.usefixtures("no_pause")
def test_a_batch_that_came_back_incomplete_is_asked_for_again():
    def item(name):
        return {"id": {"S": name}}

    rest = {"Posts": {"Keys": [item("b")], "ConsistentRead": True}}
    scripted = Scripted(
        {"Responses": {"Posts": [item("a")]}, "UnprocessedKeys": rest},
        {"Responses": {"Posts": [item("b")]}, "UnprocessedKeys": {}},
    )
    found = client_module.Dynamo(scripted).get_many("Posts", [{"id": "a"}, {"id": "b"}])
    assert [one["id"] for one in found] == ["a", "b"]
    assert scripted.requests[1] == {"RequestItems": rest}
    endless = Scripted(*[{"Responses": {}, "UnprocessedKeys": rest}] * 50)
    with pytest.raises(StoreThrottled):
        client_module.Dynamo(endless).get_many("Posts", [{"id": "b"}])


def test_one_connection_serves_many_threads(store):
    barrier = threading.Barrier(16)
    outcomes = []

    def create(number):
        barrier.wait(10)
        try:
            return store.posts.create(post("p1", text=f"number {number}"))
        except AlreadyExists:
            return None

    with ThreadPoolExecutor(16) as pool:
        outcomes = [created for created in pool.map(create, range(16)) if created]
    assert outcomes == [store.posts.get("p1")]
    with ThreadPoolExecutor(16) as pool:
        changed = list(pool.map(lambda n: _change(store, outcomes[0], n), range(16)))
    assert changed.count(True) == 1


def _change(store, old, number):
    try:
        store.posts.replace(old, replace(old, text=f"edit {number}"))
    except CityVerseError:
        return False
    return True


def test_the_cursor_secret_is_made_once_and_guarded(tmp_path, settings):
    first = connect(settings)
    key = settings.data_dir / "cursor.key"
    assert key.stat().st_mode & 0o777 == 0o600
    kept = key.read_bytes()
    second = connect(settings)
    assert key.read_bytes() == kept
    key.write_bytes(b"")
    with pytest.raises(StoreMisconfigured, match="cursor"):
        connect(settings)
    for store in (first, second):
        store.dynamo.client.close()
