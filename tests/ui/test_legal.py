"""The legal pages: templates with the facts of an installation."""

from string import Template

import pytest

from cityverse import settings as all_settings
from cityverse.ui import legal
from cityverse.ui import personal as routes

NAMES = ("privacy", "notice", "accessibility")


@pytest.mark.parametrize("page", ["pages/Privacy.py", "pages/Legal.py"])
def test_what_an_operator_did_not_say_stays_visible(app, page, monkeypatch):
    app.open(page)
    assert "à compléter" in app.said()
    assert "CITYVERSE_OPERATOR" in app.said()
    monkeypatch.setenv("CITYVERSE_OPERATOR", "Les *Amis* <b>du</b> 11e")
    for name in ("ADDRESS", "EMAIL", "HOST"):
        monkeypatch.setenv(f"CITYVERSE_OPERATOR_{name}", "ici")
    all_settings.current.cache_clear()
    app.run()
    assert r"Les \*Amis\* \<b\>du\</b\> 11e" in app.said()
    assert "à compléter" not in app.said()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_templates_ask_for_facts_that_there_are(settings, name, language):
    text = Template(legal.template(settings, name, language))
    known = ("operator", "address", "email", "director", "host", "session_days", "retention_days")
    assert set(text.get_identifiers()) <= set(known)
    assert text.is_valid()


def test_an_operator_brings_texts_of_their_own(app, tmp_path, monkeypatch):
    (tmp_path / "privacy.fr.md").write_text("Chez nous, $operator veille. $autre")
    monkeypatch.setenv("CITYVERSE_LEGAL_DIR", str(tmp_path))
    monkeypatch.setenv("CITYVERSE_OPERATOR", "Ada")
    app.open("pages/Privacy.py")
    assert "Chez nous, Ada veille. $autre" in app.said()


def test_a_copy_is_offered_to_who_is_signed_in(app, sign_in):
    app.open("pages/Privacy.py")
    assert routes.EXPORT not in app.html()
    sign_in()
    app.run()
    assert routes.EXPORT in app.html()
