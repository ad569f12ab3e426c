"""Letters of the store: each is handed over once, and kept where the mail server is away."""

import re
from datetime import timedelta

import pytest
from helpers import NOW
from people_helpers import user

from cityverse.accounts.sending import send_due
from cityverse.data.letters import Letter
from cityverse.data.store import secret
from cityverse.domain.moderation import key_of
from cityverse.errors import MailError

LATER = NOW + timedelta(minutes=1)


class Post:
    """Takes messages, unless it is away."""

    def __init__(self):
        self.sent, self.away = [], False

    def send(self, message):
        if self.away:
            raise MailError("away")
        self.sent.append(message)


@pytest.fixture
def waiting(store):
    store.users.create(user("ana"))
    letters = [
        Letter("decision:d1", "decision", NOW, user_id="ana", about="d1", party="ana"),
        Letter("received:r1", "report_received", NOW, address="k@example.org"),
        Letter("decision:d2", "decision", NOW, user_id="gone", about="d2", party="gone"),
    ]
    store.dynamo.transact([store.letters.write_of(one) for one in letters])


def test_each_letter_is_sent_once_with_the_key_of_its_reader(store, settings, waiting):
    post = Post()
    assert send_due(store, settings, post, LATER) == 2
    assert send_due(store, settings, post, LATER + timedelta(days=1)) == 0
    by = {str(message["To"]): message.get_content() for message in post.sent}
    assert by.keys() == {"ana@example.org", "k@example.org"}
    link = re.search(r"decision=(\S+)&party=(\S+)&key=(\S+)", by["ana@example.org"])
    assert link.groups() == ("d1", "ana", key_of(secret(settings), "d1", "ana"))


def test_a_letter_waits_for_a_server_that_is_away(store, settings, waiting):
    post = Post()
    post.away = True
    assert send_due(store, settings, post, LATER) == 0
    post.away = False
    assert send_due(store, settings, post, LATER) == 0  # somebody may have it still
    assert send_due(store, settings, post, LATER + timedelta(minutes=6)) == 2


def test_two_workers_do_not_both_send(store, settings, waiting):
    first = store.letters.due(LATER)
    assert all(store.letters.take(one, LATER) for one in first)
    assert not any(store.letters.take(one, LATER) for one in first)
