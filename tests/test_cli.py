"""The command line says what is wrong in one line and answers with the right exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cityverse.cli import main
from cityverse.settings import SETTINGS

ROOT = Path(__file__).parents[1]


def cityverse(*arguments, data_dir, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "cityverse", *arguments],
        cwd=ROOT,
        env={**os.environ, "CITYVERSE_DATA_DIR": str(data_dir)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def one_line(text):
    return text.count("\n") == 1 and text.endswith("\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["engine"],
        ["map", "build", "--source", "moon", "--output", "x"],
        ["map", "build", "--source", "sample", "--bbox", "1,2", "--output", "x"],
        ["seed", "--posts", "-1"],
        ["users"],
        ["users", "grant", "ada@example.org"],
        ["users", "grant", "ada@example.org", "emperor"],
        ["engine", "--data-dir", "x", "--port", "99999"],
    ],
)
def test_bad_usage_is_one_line_and_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 2
    assert one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "command",
    [
        [], ["run"], ["engine"], ["provision"], ["seed"], ["worker"], ["news"], ["news", "poll"],
        ["news", "parse"], ["news", "locate"], ["map"], ["map", "build"], ["map", "fetch"],
        ["map", "publish"], ["doctor"], ["bench"],
    ],
)  # fmt: skip
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as leaving:
        main([*command, "--help"])
    assert leaving.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_help_names_every_setting(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(setting.name in told for setting in SETTINGS)


def test_a_bad_setting_is_one_line_and_code_2(monkeypatch, tmp_path):
    monkeypatch.setenv("CITYVERSE_PORT", "none")
    answer = cityverse("doctor", data_dir=tmp_path)
    assert answer.returncode == 2
    assert one_line(answer.stderr)
    assert "CITYVERSE_PORT=none" in answer.stderr


def test_news_parse_refuses_what_is_no_feed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><html><body>404</body></html>")
    answer = cityverse("news", "parse", str(page), data_dir=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert one_line(answer.stderr)


def test_news_locate_answers_line_by_line(tmp_path):
    lines = '{"id": "a", "title": "Fuite d\'eau rue de Rivoli", "summary": ""}\n'
    answer = cityverse("news", "locate", data_dir=tmp_path, stdin=lines)
    assert answer.returncode == 0
    assert '"id": "a"' in answer.stdout
    assert not (tmp_path / "engine.json").exists()


def test_provision_plan_changes_nothing_and_provision_completes(tmp_path):
    planned = cityverse("provision", "--plan", data_dir=tmp_path)
    assert "create table Posts" in planned.stdout
    done = cityverse("provision", data_dir=tmp_path)
    assert done.stdout == planned.stdout
    assert cityverse("provision", "--plan", data_dir=tmp_path).stdout == ""


@pytest.mark.parametrize("value", ["loud", ""])
def test_a_level_nobody_knows_is_one_line(value, monkeypatch, tmp_path):
    monkeypatch.setenv("CITYVERSE_LOG_LEVEL", value)
    answer = cityverse("provision", "--plan", data_dir=tmp_path)
    assert answer.returncode == (2 if value else 0)
    assert "Traceback" not in answer.stderr


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("")
    answer = cityverse("provision", "--plan", data_dir=taken)
    assert answer.returncode == 1
    assert one_line(answer.stderr)


def test_polling_a_source_nobody_knows_names_those_there_are(tmp_path):
    answer = cityverse("news", "poll", "--source", "nix", data_dir=tmp_path)
    assert answer.returncode == 2
    assert one_line(answer.stderr)
    assert "20-minutes-paris" in answer.stderr


@pytest.mark.parametrize(
    "document", ["README.md", *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md")))]
)
def test_every_link_of_the_documents_leads_somewhere(document):
    path = ROOT / document
    prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)\)", prose)
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_users_grant_gives_a_role_and_new_key_signs_anew(store, settings, monkeypatch, capsys):
    from people_helpers import user

    from cityverse import settings as all_settings
    from cityverse.accounts.tokens import KEY_FILE

    store.users.create(user("ada"))
    monkeypatch.setenv("CITYVERSE_DATA_DIR", str(settings.data_dir))
    all_settings.current.cache_clear()
    try:
        assert main(["users", "grant", "ADA@example.org", "manager"]) == 0
        assert store.users.get("ada").role == "manager"
        assert not store.links.has_admin()
        assert main(["users", "grant", "ada@example.org", "admin"]) == 0
        assert store.links.has_admin()
        assert main(["users", "grant", "eve@example.org", "admin"]) == 1
        before = (settings.data_dir / KEY_FILE).read_bytes()
        assert main(["users", "new-key"]) == 0
        assert (settings.data_dir / KEY_FILE).read_bytes() != before
    finally:
        all_settings.current.cache_clear()
    said = capsys.readouterr()
    assert "ada@example.org is manager now" in said.out
    assert one_line(said.err)
