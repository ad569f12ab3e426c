"""Articles that managers withdraw: off every list, not brought back by the feed, undone."""

import logging
from datetime import UTC, datetime

import pytest
from helpers import location, source
from people_helpers import user

from cityverse.community import city, withdrawals
from cityverse.community.city import Filter
from cityverse.domain.people import Role
from cityverse.errors import InvalidField, NotAllowed, NotFound
from cityverse.news.parse import Entry
from cityverse.news.poll import Poller
from cityverse.settings import read

NOW = datetime.now(UTC)


def told(store, summary="Une fuite"):
    entry = Entry(
        id="n1", title="Rue des Martyrs : fuite", link=None, published=NOW, summary=summary
    )
    Poller(store, read({})).store_entries(source(), [entry], NOW)


def seen(store, **wanted):
    found = city.look(store, Filter(**wanted), NOW).items
    return [item.key for item in found]


def test_withdrawn_it_is_nowhere_until_that_is_undone(store, caplog):
    manager = store.users.create(user("max", role=Role.MANAGER))
    told(store)
    (key,) = seen(store)
    article_id = key.removeprefix("news:")
    with pytest.raises(NotAllowed):
        withdrawals.withdraw(store, user("zoe"), article_id, "Faux", NOW)
    with pytest.raises(InvalidField):
        withdrawals.withdraw(store, manager, article_id, "  ", NOW)
    with pytest.raises(NotFound):
        withdrawals.withdraw(store, manager, "nothing", "Faux", NOW)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            withdrawals.withdraw(store, manager, article_id, "Faux", NOW)
    assert [r.getMessage() for r in caplog.records if "audit" in r.getMessage()] == [
        f"audit: max withdrew article {article_id}: Faux"
    ]
    told(store, "Une fuite plus grande")
    here = (location().lat, location().lon)
    for wanted in ({}, {"source": "s1"}, {"around": here}, {"text": "martyrs"}):
        assert seen(store, **wanted) == [], wanted
    assert seen(store, arrondissement=9) == []
    assert city.find(store, key) is None
    (listed,) = withdrawals.listed(store, manager, "s1")
    assert (listed.id, listed.withdrawal.reason) == (article_id, "Faux")
    for _ in range(2):
        withdrawals.restore(store, manager, article_id)
    assert seen(store) == seen(store, source="s1") == seen(store, text="martyrs") == [key]
    assert withdrawals.listed(store, manager, "s1") == ()
    told(store, "Une fuite encore plus grande")
    assert store.news.get(article_id).summary == "Une fuite encore plus grande"
