"""The commands: an export travels from one data folder to another."""

import json

import pytest
from helpers import association, clear, post

from cityverse import cli
from cityverse.data.store import connect
from cityverse.errors import InputError


@pytest.fixture
def here(settings, store, media_store, monkeypatch):
    """The commands, over the store of the tests."""
    monkeypatch.setattr(cli.settings, "current", lambda: settings)
    clear(store.dynamo)
    store.associations.create(association())
    return store


def test_export_import_and_backfill(here, settings, tmp_path, capsys):
    here.posts.create(post("p1"))
    assert cli.main(["export", str(tmp_path / "out"), "--units", "100000"]) == 0
    assert "exported" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())
    here.deletion.delete("Posts", "p1")
    assert cli.main(["import", str(tmp_path / "out")]) == 0
    assert connect(settings).posts.get("p1").title == "Premières tomates"
    assert cli.main(["import", str(tmp_path / "out")]) == 0
    assert "there already" in capsys.readouterr().out
    assert cli.main(["provision", "--backfill", "--units", "100000"]) == 0
    assert "0 completed" in capsys.readouterr().out


def test_a_conflict_is_told_and_is_a_failure(here, tmp_path, capsys):
    here.posts.create(post("p1"))
    cli.main(["export", str(tmp_path / "out")])
    here.dynamo.put("Posts", {"id": "p1", "other": "x"})
    assert cli.main(["import", str(tmp_path / "out")]) == 1
    assert "differs here: Posts p1" in capsys.readouterr().err


def test_the_earlier_prototype(here, tmp_path, capsys):
    (tmp_path / "User.jsonl").write_text('{"id": "U1", "email": "a@example.org"}\n')
    assert cli.main(["import", "--earlier", str(tmp_path)]) == 0
    assert "1 items written" in capsys.readouterr().out
    here.dynamo.put("Association", {"id": "A1", "name": "Les Semeurs", "created_on": "2024-03-01"})
    assert cli.main(["import", "--earlier", "--in-place", str(tmp_path / "aside")]) == 0
    assert here.associations.get("A1").name == "Les Semeurs"


def test_wrong_use_is_one_line_and_code_2(here, tmp_path, capsys):
    assert cli.main(["import", "--in-place", str(tmp_path)]) == InputError.exit_code
    assert cli.main(["import", str(tmp_path / "nothing")]) == 2
    (tmp_path / "mine").write_text("x")
    assert cli.main(["export", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 3
    for wrong in (["export"], ["export", "x", "--units", "0"], ["provision", "--units", "x"]):
        with pytest.raises(SystemExit):
            cli.main(wrong)
