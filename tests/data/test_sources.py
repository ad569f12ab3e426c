"""Sources fall due in their order, and one worker at a time polls each."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from helpers import NOW, source

from cityverse.data.sources import LEASE
from cityverse.domain.news import SourceStatus, after_success

WORKERS = 16


def test_due_sources_come_longest_due_first(store):
    for n, minutes in enumerate([-5, 10, -60, None, 0]):
        at = None if minutes is None else NOW + timedelta(minutes=minutes)
        store.sources.create(source(f"s{n}", next_check_at=at))
    store.sources.create(source("paused", status=SourceStatus.PAUSED))
    assert [s.id for s in store.sources.due(NOW)] == ["s3", "s2", "s0", "s4"]
    assert len(store.sources.listed(SourceStatus.ACTIVE)) == 5
    assert [s.id for s in store.sources.listed(SourceStatus.PAUSED)] == ["paused"]


def test_a_lease_keeps_others_away_until_it_ends(store):
    free = store.sources.create(source())
    leased = store.sources.lease(free, NOW)
    assert leased.lease_until == NOW + LEASE
    assert store.sources.lease(free, NOW) is None
    assert store.sources.lease(leased, NOW + LEASE - timedelta(seconds=1)) is None
    assert store.sources.lease(leased, NOW + LEASE) is not None


def test_what_a_poll_writes_ends_its_lease(store):
    leased = store.sources.lease(store.sources.create(source()), NOW)
    done = after_success(leased, NOW, etag=None, last_modified=None, content_hash="h", articles=3)
    kept = store.sources.replace(leased, done)
    assert store.sources.get("s1") == kept
    assert store.sources.due(NOW) == []
    assert store.sources.lease(kept, NOW) is not None


def test_a_source_polled_since_it_was_listed_cannot_be_leased(store):
    listed = store.sources.create(source())
    leased = store.sources.lease(listed, NOW)
    store.sources.replace(leased, replace(leased, lease_until=None))
    assert store.sources.lease(listed, NOW) is None


def test_a_source_that_is_gone_cannot_be_leased(store):
    gone = store.sources.create(source())
    store.sources.delete(gone)
    assert store.sources.lease(gone, NOW) is None
    assert store.sources.find("s1") is None


def race(store, rounds):
    """How many of 16 workers got the lease, round by round."""
    winners = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for number in range(rounds):
            free = store.sources.create(source(f"s{number}"))
            barrier = Barrier(WORKERS)

            def lease(_, free=free, barrier=barrier):
                barrier.wait(10)
                return store.sources.lease(free, NOW)

            leases = [lease for lease in pool.map(lease, range(WORKERS)) if lease is not None]
            winners.append(len(leases))
            assert store.sources.get(free.id) == leases[0]
            assert leases[0] == replace(free, version=2, lease_until=NOW + LEASE)
    return winners


def test_exactly_one_of_many_workers_gets_the_lease(store):
    assert race(store, 20) == [1] * 20


@pytest.mark.slow
def test_exactly_one_of_many_workers_gets_the_lease_in_many_rounds(store):
    assert race(store, 200) == [1] * 200
