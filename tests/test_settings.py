from pathlib import Path

import pytest

from cityverse import settings
from cityverse.errors import InputError

ROOT = Path(__file__).parents[1]


def test_defaults_need_no_environment():
    read = settings.read({})
    assert read.store == "embedded"
    assert read.data_dir == Path.cwd() / ".cityverse"
    assert read.port == 8501


def test_environment_wins_and_is_parsed():
    read = settings.read({"CITYVERSE_PORT": "9000", "CITYVERSE_NEWS_POLL": "off"})
    assert read.port == 9000
    assert read.news_poll is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CITYVERSE_PORT", "http"),
        ("CITYVERSE_PORT", "70000"),
        ("CITYVERSE_STORE", "mongo"),
        ("CITYVERSE_DEMO", "perhaps"),
        ("CITYVERSE_NEWS_RETENTION_DAYS", "0"),
    ],
)
def test_a_senseless_value_is_refused_by_name(name, value):
    with pytest.raises(InputError, match=f"{name}={value}"):
        settings.read({name: value})


def test_every_setting_has_a_field():
    assert len(settings.SETTINGS) == len(settings.Settings.__dataclass_fields__)


def test_docs_show_the_table_of_settings():
    assert settings.as_markdown() in (ROOT / "docs" / "settings.md").read_text()


def test_example_names_only_settings_that_exist():
    names = {setting.name for setting in settings.SETTINGS}
    lines = (ROOT / ".env.example").read_text().splitlines()
    used = {
        line.lstrip("# ").split("=")[0]
        for line in lines
        if "=" in line and " " not in line.lstrip("# ")
    }
    assert used <= names
    assert used
