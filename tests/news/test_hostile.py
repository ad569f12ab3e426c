"""Every hostile or broken feed, polled from a server: none stops another or eats the memory.

The table is ``feed_corpus.CASES`` (bodies) and ``ANSWERS`` (ways to answer); each says
what must come of it.
"""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from feed_corpus import CASES, Case
from feed_server import feed_server
from helpers import source

from cityverse.data.store import Store
from cityverse.news import poll
from cityverse.news.fetch import Limits, fetch
from cityverse.news.poll import Poller
from cityverse.settings import Settings

# What becomes of a poll of these paths of the server: the stable word of the failure, or None.
ANSWERS = {
    "feed": None,
    "quiet": None,
    "gzip": None,
    "members-gzip": None,
    "brotli": None,
    "moved": None,
    "moved-for-now": None,
    "html": "unreadable",
    "large": "unreadable",
    "endless": "too_large",
    "bomb": "too_large",
    "brotli-bomb": "too_large",
    "bad-gzip": "protocol",
    "cut-gzip": "protocol",
    "empty-members": "protocol",
    "bad-brotli": "protocol",
    "cut-brotli": "protocol",
    "unasked": "protocol",
    "cut": "protocol",
    "icy": "protocol",
    "hang-up": "protocol",
    "odd-304": "http_304",
    "missing": "http_404",
    "gone": "http_410",
    "busy": "http_429",
    "busy-until": "http_503",
    "loop": "redirects",
    "nowhere": "redirects",
    "to-file": "protocol",
    "too-far": "protocol",
    "to-loopback": "refused_address",
    "to-metadata": "refused_address",
    "silent": "timeout",
    "drip": "timeout",
    "drip-headers": "timeout",
}
PATIENCE = 1.0
SMALL = 64 * 1024 * 1024
"""Bytes by which reading any of the table may make a process grow."""


def expected(case: Case) -> str | None:
    if case.expect is not None:
        return None
    return "too_large" if len(case.data) > Limits().bytes else "unreadable"


def test_the_table_is_large_enough() -> None:
    bad = [case for case in CASES if case.expect is None or case.name not in USUAL]
    assert len(bad) + len([word for word in ANSWERS.values() if word]) >= 80


USUAL = {"rss2", "rss091", "rss090", "atom", "atom03", "atom-link", "atom-author", "rdf"}
USUAL |= {"json-feed", "json-feed-link", "json-feed-id"}


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_each_source_comes_to_what_its_table_says_and_stops_no_other(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    def quick(url: str, **kinds: object) -> object:
        patience = PATIENCE if url.rpartition("/")[2] in SLOW else 20.0
        # The test's own server lies on loopback: only what a redirect leads to is refused.
        limits = Limits(seconds=patience)
        return fetch(url, limits=limits, **kinds)  # type: ignore[arg-type]

    monkeypatch.setattr(poll, "fetch", quick)
    monkeypatch.setattr("cityverse.news.fetch.is_public", lambda address: address in {"127.0.0.1"})
    near = dataclasses.replace(settings, news_allow_private=False)
    poller = Poller(store, near, rng=random.Random(7), host_pause=0.0)
    wanted: dict[str, str | None] = {}
    with feed_server() as server:
        sources = []
        for number, case in list(enumerate(CASES))[::step]:
            server.pages[f"/case-{number}"] = case.data
            wanted[f"case-{number}"] = expected(case)
            sources.append(source(f"case-{number}", url=f"{server.url}/case-{number}"))
            if number % 4:
                continue
            # Good ones in between, at the same host and so behind all that is bad.
            server.pages[f"/good-{number}"] = good(number)
            wanted[f"good-{number}"] = None
            sources.append(source(f"good-{number}", url=f"{server.url}/good-{number}"))
        for path, word in ANSWERS.items():
            wanted[path] = word
            sources.append(source(path, url=f"{server.url}/{path}"))
        kept = [store.sources.create(one) for one in sources]
        results = poller.poll(kept, threading.Event())
    assert {result.source_id: result.error for result in results} == wanted
    for result in results:
        state = store.sources.get(result.source_id)
        assert (state.error, state.lease_until) == (result.error, None)
        if result.source_id.startswith("good-"):
            assert (result.new, state.warning) == (1, None)


SLOW = {path for path, word in ANSWERS.items() if word == "timeout"}


def good(number: int) -> bytes:
    day = datetime.now(UTC).isoformat()
    item = f"<item><title>Une bonne nouvelle, {number}</title><pubDate>{day}</pubDate></item>"
    return f'<rss version="2.0"><channel><title>J</title>{item}</channel></rss>'.encode()


READ = """
import json, sys
from pathlib import Path
from cityverse.errors import FeedUnreadable
from cityverse.news.parse import parse

def peak():
    # Not ru_maxrss: a child's may be that of the process which started it.
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

parse(b"<rss><channel><item><title>t</title></item></channel></rss>")
before, grown = peak(), {}
for file in sorted(Path(sys.argv[1]).iterdir(), key=lambda file: file.stat().st_size):
    data = file.read_bytes()
    held = max(0, peak() - before)
    try:
        parse(data, most=500)
    except FeedUnreadable:
        pass
    grown[file.name] = max(0, peak() - before - held) + len(data)
print(json.dumps(grown))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no figures of memory here")
def test_nothing_in_the_table_makes_the_memory_grow_past_its_cap(tmp_path: Path) -> None:
    for number, case in enumerate(CASES):
        (tmp_path / f"{number:03}-{case.name}").write_bytes(case.data)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    grown = json.loads(done.stdout)
    assert len(grown) == len(CASES)
    assert {name: size for name, size in grown.items() if size > SMALL} == {}
