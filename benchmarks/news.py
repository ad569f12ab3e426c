"""How well and how fast articles are located, and how fast feeds are parsed.

Locating is judged on the half of our own labelled set that no rule was tuned on, or on a set
given as a file (``cityverse.news.judge`` tells its forms), with the places of the data folder
when ``places update`` has completed them. Where spaCy and ``fr_core_news_md`` are installed
(``requirements-bench.txt``), a pipeline of theirs over the same gazetteer runs beside it;
parsing stands beside feedparser alone.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import feedparser

from cityverse import settings
from cityverse.domain.places import Location
from cityverse.news.gazetteer import OUTSIDE, Gazetteer, load
from cityverse.news.judge import Figures, Item, Verdict, figures, read_set, verdict
from cityverse.news.locate import Found, Locator
from cityverse.news.ordinals import find_districts
from cityverse.news.parse import parse
from cityverse.news.places import load_completed
from cityverse.news.tokens import fold_phrase

OWN_SET = Path(__file__).with_name("places.tsv")
_MODEL = "fr_core_news_md"
_ARTICLES_LEAST = 4_000
# accuracy, precision, recall, "no pin kept": with the shipped places, and after an update.
_GOALS = {False: (0.87, 0.94, 0.82, 0.95), True: (0.93, 0.95, 0.91, 0.95)}
_MEGABYTES_MOST = 120
_TIMES_SPACY = 20

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


def run(labelled: Path | None = None) -> list[dict[str, Any]]:
    """Rows of the benchmark ``news``; takes a minute where spaCy is installed."""
    own = load()
    completed = load_completed(settings.current().data_dir)
    rows = []
    for name, gazetteer in (("shipped places", own), ("after an update", completed)):
        if gazetteer is completed and len(completed) == len(own):
            continue
        items = read_set(labelled or OWN_SET, gazetteer)
        chosen = items if labelled else [item for item in items if item.half == 1]
        rows += _judged(name, chosen, gazetteer)
    return [*rows, _memory(), *(_parsing(entries) for entries in (30, 1_000))]


def _judged(name: str, items: Sequence[Item], gazetteer: Gazetteer) -> list[dict[str, Any]]:
    locator = Locator(gazetteer)
    ours = _figures(items, locator.locate)
    goals = _GOALS[name == "after an update"]
    measured = {
        "accuracy": ours.accuracy,
        "precision": ours.precision,
        "recall": ours.recall,
        "no_pin_kept": ours.none_kept,
    }
    rows = [
        _row(name, ours.items, metric, round(value, 3), "goal", value / goal, 1.0)
        for (metric, value), goal in zip(measured.items(), goals, strict=True)
    ]
    many = [(item.title, item.summary) for item in items] * (-(-_ARTICLES_LEAST // len(items)))

    def locate_all() -> None:
        for title, summary in many:
            locator.locate(title, summary)

    rate = len(many) / _best(locate_all, 3)
    rows.append(
        _row(name, len(many), "articles_per_second", round(rate), "budget", rate / 1_500, 1.0)
    )
    if importlib.util.find_spec("spacy") and importlib.util.find_spec(_MODEL):
        rows += _beside_spacy(name, items, gazetteer, ours, rate)
    return rows


def _figures(items: Sequence[Item], locate: Callable[[str, str], Location | None]) -> Figures:
    counts: dict[Verdict, int] = {}
    for item in items:
        judged = verdict(item, locate(item.title, item.summary))
        counts[judged] = counts.get(judged, 0) + 1
    return figures(counts)


def _beside_spacy(
    name: str, items: Sequence[Item], gazetteer: Gazetteer, ours: Figures, rate: float
) -> list[dict[str, Any]]:
    """The entities a model calls places, looked up in the same gazetteer."""
    import spacy

    model = spacy.load(_MODEL)

    def locate(title: str, summary: str) -> Location | None:
        text = f"{title}. {summary}"
        for entity in model(text).ents:
            if entity.label_ == "LOC":
                folded = fold_phrase(entity.text)
                for key in (folded, folded.partition(" ")[2]):
                    names = [n for n in gazetteer.get(key) if n.place.type != "mask"]
                    if names and names[0].place.type in OUTSIDE:
                        break
                    if names:
                        return Found(names[0].place, 1.0, ()).location()
        districts = find_districts(text)
        if districts:
            return Found(gazetteer.districts[districts[0].number], 1.0, ()).location()
        return None

    theirs = _figures(items, locate)
    texts = [(item.title, item.summary) for item in items][:300]
    seconds = _best(lambda: [locate(*text) for text in texts], 1)
    times = rate / (len(texts) / seconds)
    against = f"spaCy {_MODEL}"
    return [
        _row(
            name, ours.items, "accuracy", round(ours.accuracy, 3), against,
            ours.accuracy / theirs.accuracy, 1.0,
        ),
        _row(
            name, len(texts), "articles_per_second", round(rate), against, times, _TIMES_SPACY
        ),
    ]  # fmt: skip


def _memory() -> dict[str, Any]:
    """The most a process holds that only locates, in megabytes.

    Read from /proc where there is one: a child's ``ru_maxrss`` may be that of its parent.
    """
    code = (
        "import pathlib, resource, sys; from cityverse.news.places import load_completed;"
        "from cityverse.news.locate import Locator; from cityverse import settings;"
        "Locator(load_completed(settings.current().data_dir)).locate('Feu rue de Rivoli', '');"
        "status = pathlib.Path('/proc/self/status');"
        "lines = status.read_text().splitlines() if status.exists() else [];"
        "peak = [int(line.split()[1]) for line in lines if line.startswith('VmHWM')];"
        "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "print(peak[0] if peak else most // (1024 if sys.platform == 'darwin' else 1))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    most = int(done.stdout) / 1024
    return _row("locate", 1, "megabytes", round(most), "budget", _MEGABYTES_MOST / most, 1.0)


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
