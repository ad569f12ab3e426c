"""What the program tells of itself says enough, and nothing of people."""

import json
import logging
import sys
from dataclasses import replace

import pytest
from asgi import Client
from starlette.applications import Starlette

from cityverse import telemetry
from cityverse.aws.templates import template_of
from cityverse.data import objects
from cityverse.data.client import dynamodb_client
from cityverse.errors import NotFound, StoreUnavailable
from cityverse.settings import read
from cityverse.telemetry import Figures, JsonLines, hashed, tell_round
from cityverse.ui import server


def line_of(message, *arguments, **extra):
    record = logging.getLogger("city").makeRecord(
        "city", logging.INFO, "file", 1, message, arguments, None, extra=extra
    )
    return JsonLines().format(record)


def test_a_line_is_json_and_names_nobody():
    text = line_of("a letter\nto %s failed", "Ada <ada.l@example.org>", user="u-1", request="r-1")
    assert "\n" not in text
    assert "example.org" not in text
    assert '"u-1"' not in text
    line = json.loads(text)
    assert line["level"] == "INFO"
    assert line["user"] == hashed("u-1") != hashed("u-2")
    assert line["request"] == hashed("r-1")
    assert line["message"].endswith("failed")


def test_an_exception_is_part_of_its_line():
    try:
        raise ValueError("ada@example.org is wrong")
    except ValueError:
        record = logging.getLogger("city").makeRecord(
            "city", logging.ERROR, "file", 1, "x", (), sys.exc_info()
        )
    line = json.loads(JsonLines().format(record))
    assert "ValueError" in line["exception"]
    assert "ada@" not in line["exception"]


@pytest.fixture
def figures(monkeypatch):
    fresh = Figures()
    monkeypatch.setattr(telemetry, "FIGURES", fresh)
    return fresh


def test_every_call_to_the_store_is_counted_and_timed(figures, settings, store, caplog):
    caplog.set_level(logging.DEBUG, logger=telemetry.__name__)
    client = dynamodb_client(settings)
    client.get_item(TableName="User", Key={"id": {"S": "u1"}})
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="Nowhere", Key={"id": {"S": "u1"}})
    client.close()
    files = objects.connect(settings)
    with pytest.raises(NotFound):
        files.read("media-posts/nothing")
    files.client.close()
    shown = figures.as_prometheus()
    counted = 'cityverse_store_calls_total{service="dynamodb",operation="GetItem",outcome='
    assert f'{counted}"ok"}} 1\n' in shown
    assert f'{counted}"ResourceNotFoundException"}} 1\n' in shown
    assert 'service="s3",operation="GetObject",outcome="NoSuchKey"} 1\n' in shown
    assert 'cityverse_store_seconds_total{service="dynamodb",operation="GetItem"} 0.' in shown
    told = [record for record in caplog.records if record.name == telemetry.__name__]
    assert len(told) == 3
    line = json.loads(JsonLines().format(told[0]))
    assert (line["service"], line["operation"], line["outcome"]) == ("dynamodb", "GetItem", "ok")
    assert line["milliseconds"] > 0
    assert "u1" not in json.dumps(line["message"])


def test_a_call_without_an_answer_is_counted_too(figures, monkeypatch):
    from botocore.config import Config

    from cityverse.data import client as clients

    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    monkeypatch.setattr(clients, "_CONFIG", clients._CONFIG.merge(once))
    settings = read(
        {
            "CITYVERSE_STORE": "aws",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "y",
        }
    )
    client = clients.dynamodb_client(settings)
    with pytest.raises(StoreUnavailable):
        clients.Dynamo(client).get("User", {"id": "u1"})
    client.close()
    assert 'operation="GetItem",outcome="EndpointConnectionError"} 1\n' in figures.as_prometheus()


def test_figures_are_shown_to_whom_the_settings_name(settings, figures):
    named = replace(
        settings,
        metrics="prometheus",
        metrics_from=read({"CITYVERSE_METRICS_FROM": "127.0.0.1"}).metrics_from,
    )
    nobody = replace(named, metrics_from=())
    off = replace(named, metrics="off")
    for one, status in ((named, 200), (nobody, 404), (off, 404)):
        app = Starlette(routes=server.routes(one), middleware=server.middleware(one))
        answer = Client(app).get("/metrics")
        assert answer.status_code == status, one.metrics
        assert ("cityverse_store" in answer.text) is (status == 200)


def test_a_round_is_told_in_the_format_of_cloudwatch(settings, figures, capsys):
    tell_round(settings)
    assert capsys.readouterr().out == ""
    tell_round(replace(settings, metrics="emf"))
    line = json.loads(capsys.readouterr().out)
    measured = line["_aws"]["CloudWatchMetrics"][0]
    name = measured["Metrics"][0]["Name"]
    assert line[name] == 1
    assert "cityverse_worker_rounds_total 2\n" in figures.as_prometheus()
    alarm = template_of("app")["Resources"]["WorkerSilent"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (measured["Namespace"], name)
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    assert dimensions == {key: line[key] for key in measured["Dimensions"][0]}
