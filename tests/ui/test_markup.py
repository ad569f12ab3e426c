"""What users and sources write never becomes markup."""

from html import unescape
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from cityverse.domain.places import Evidence
from cityverse.ui import markup


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def tags_of(html):
    parser = _Tags()
    parser.feed(html)
    return parser.tags


@given(st.text())
def test_text_shows_exactly_its_characters(value):
    html = markup.text(value)
    assert {tag for tag, _ in tags_of(html)} <= {"br"}
    assert unescape(html.replace("<br>", "\n")) == value


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_only_evidence_is_marked(value, start, end):
    words = value[start:end]
    html = markup.marked(value, "title", (Evidence("title", start, end, words),))
    assert {tag for tag, _ in tags_of(html)} <= {"br", "mark"}
    assert (
        unescape(html.replace("<br>", "\n").replace("<mark>", "").replace("</mark>", "")) == value
    )


def test_evidence_marks_its_words():
    evidence = (Evidence("title", 4, 20, "rue des Martyrs "),)
    assert markup.marked("Fuite rue", "title", evidence) == "Fuite rue"
    exact = (Evidence("title", 6, 21, "rue des Martyrs"),)
    assert (
        markup.marked("Fuite rue des Martyrs", "title", exact)
        == "Fuite <mark>rue des Martyrs</mark>"
    )
    assert "<mark>" not in markup.marked("Fuite rue des Martyrs", "summary", exact)


def test_a_link_keeps_only_web_addresses():
    assert tags_of(markup.link("javascript:alert(1)", "x")) == []
    [(tag, attributes)] = tags_of(markup.link('https://e.fr/"onclick="x', "<b>x</b>"))
    assert tag == "a"
    assert attributes["href"] == 'https://e.fr/"onclick="x'
    assert set(attributes) == {"href", "target", "rel"}


@given(st.text())
def test_labels_escape_every_sign_of_markdown(value):
    plain = markup.label(value)
    for sign in "`*_[]()#<>:$":
        assert plain.count(sign) == plain.count(f"\\{sign}")
