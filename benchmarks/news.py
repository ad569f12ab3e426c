"""How fast articles are located, and how fast feeds are parsed beside feedparser alone."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import feedparser

from cityverse.news.locate import Locator
from cityverse.news.parse import parse

_TITLES = (
    (
        "Incendie rue de Rivoli : un immeuble évacué",
        "Les pompiers sont venus en nombre dans le 4e.",
    ),
    ("Paris 18e : un point de deal démantelé", "Quatre personnes ont été interpellées lundi."),
    ("La tour Eiffel fermée pour cause de grève", "Le personnel dénonce la gestion du monument."),
    ("Montreuil : le maire interdit les trottinettes", "L'arrêté entre en vigueur lundi matin."),
    ("Loyers à Paris : l'encadrement prolongé", "Les propriétaires dénoncent une mesure injuste."),
    ("Un homme poussé sur les voies à la station Gare de l'Est", "Son pronostic vital est engagé."),
    ("Le marché de la rue Mouffetard fête ses 60 ans", "Animations, dégustations et concerts."),
    ("Le président de la République en visite", "Il est attendu samedi porte de Versailles."),
)


def run() -> list[dict[str, Any]]:
    """Rows of the benchmark ``news``; takes a few seconds."""
    return [_locating(4_000), *(_parsing(entries) for entries in (30, 1_000))]


def _locating(size: int) -> dict[str, Any]:
    locator = Locator()
    items = [_TITLES[number % len(_TITLES)] for number in range(size)]

    def locate_all() -> None:
        for title, summary in items:
            locator.locate(title, summary)

    rate = size / _best(locate_all, 3)
    return _row("locate", size, "articles_per_second", round(rate), "budget", rate / 1_500, 1.0)


def _parsing(entries: int) -> dict[str, Any]:
    data = _feed(entries)
    rounds = 7 if entries < 100 else 3
    theirs = _best(lambda: feedparser.parse(io.BytesIO(data)), rounds)
    ours = _best(lambda: parse(data), rounds)
    rate = round(entries / ours)
    return _row("parse", entries, "entries_per_second", rate, "feedparser", theirs / ours, 0.7)


def _feed(entries: int) -> bytes:
    items = "".join(
        f"<item><title>{_TITLES[n % len(_TITLES)][0]} ({n})</title>"
        f"<link>https://news.example/{n}?utm_source=rss</link><guid>n{n}</guid>"
        "<pubDate>Wed, 22 Apr 2026 09:32:11 +0200</pubDate><description>&lt;p&gt;"
        f"{_TITLES[n % len(_TITLES)][1] * 3}&lt;/p&gt;</description></item>"
        for n in range(entries)
    )
    head = "<title>Journal</title><link>https://news.example/</link>"
    return f'<rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()


def _best(work: Callable[[], object], rounds: int) -> float:
    """The shortest CPU time of several rounds, in seconds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def _row(
    case: str, size: int, metric: str, value: float, against: str, ratio: float, budget: float
) -> dict[str, Any]:
    return {
        "bench": "news",
        "case": case,
        "size": size,
        "metric": metric,
        "value": value,
        "compared_with": against,
        "ratio": round(ratio, 3),
        "budget": budget,
        "held": ratio >= budget,
    }
