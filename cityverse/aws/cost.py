"""What a month on AWS costs, from what people do and the read units of docs/data.md.

Prices are those of eu-west-3 (Paris) in US dollars without tax, as remembered when this was
written, and rounded: they are stated in ``PRICES`` so that whoever plans puts in today's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cityverse.errors import InputError

_PATTERNS = Path(__file__).parents[2] / "docs" / "data.md"
_DAYS, _HOURS = 30, 730

PRICES: Mapping[str, float] = {
    "read units, a million": 0.15,
    "write units, a million": 0.73,
    "GB of tables": 0.30,
    "GB of point-in-time recovery": 0.24,
    "GB of objects": 0.024,
    "GB to people": 0.085,
    "vCPU hour": 0.0486,
    "GB hour of memory": 0.0053,
    "hour of a NAT gateway": 0.050,
    "hour of a load balancer": 0.0265,
    "hour of a load balancer's capacity unit": 0.0084,
    "alarm metric": 0.10,
    "firewall with its rules": 9.0,
    "firewall requests, a million": 0.60,
    "keys and secrets": 1.8,
    "e-mails, a thousand": 0.10,
    "GB of logs": 0.60,
}

# What a visit reads: pages by their patterns, as the table of docs/data.md names them.
VISIT: Mapping[str, float] = {
    "posts of the city": 2,
    "articles of the city": 2,
    "missions of the city": 2,
    "events of the city": 2,
    "who is signed in": 8,
    "unread notifications": 4,
    "one item": 4,
    "comments of a post": 3,
    "reactions to a post": 3,
    "how a person reacted": 2,
    "posts of followed associations": 0.5,
    "posts near a place": 1,
    "search for a frequent word": 0.3,
    "missions of an association": 0.5,
}


@dataclass(frozen=True, slots=True)
class Use:
    """What one resident does on average; the share of them that comes on a day."""

    daily_share: float = 0.10
    visits: float = 1.5
    # A comment, reaction or application with its counters, indexes and receipts, in write units.
    acts_a_visit: float = 0.5
    units_an_act: float = 24
    articles_a_day: float = 300
    units_an_article: float = 60
    worker_reads_a_day: float = 200_000
    item_kilobytes: float = 12
    megabytes_stored: float = 1.0
    megabytes_a_visit: float = 4.0
    mails_a_month: float = 4
    visits_at_once: float = 0.02
    """The share of a day's visits that is there in the busiest moment."""
    sessions_a_vcpu: float = 100
    """`bench` holds 200 sessions on two cores."""


def read_units(text: str | None = None) -> dict[str, float]:
    """Read units at most of each pattern; raises InputError when the table is not there."""
    text = _PATTERNS.read_text(encoding="utf-8") if text is None else text
    section = text.partition("## Access patterns")[2].partition("\n## ")[0]
    found: dict[str, float] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 8 and re.fullmatch(r"[0-9.]+", cells[7]):
            found[cells[1]] = float(cells[7])
    if not found:
        raise InputError("docs/data.md has no table of access patterns")
    return found


def visit_units(patterns: Mapping[str, float]) -> float:
    """Read units of one visit; raises InputError for a pattern that is not documented."""
    try:
        return sum(patterns[name] * times for name, times in VISIT.items())
    except KeyError as error:
        raise InputError(f"docs/data.md has no pattern {error}") from error


def month(
    residents: int, prices: Mapping[str, float] = PRICES, use: Use | None = None
) -> dict[str, float]:
    """Dollars of a month by part, for so many residents, on demand and with the firewall."""
    use = use or Use()
    visits_a_day = residents * use.daily_share * use.visits
    visits = visits_a_day * _DAYS
    reads = visits * visit_units(read_units()) + use.worker_reads_a_day * _DAYS
    writes = visits * use.acts_a_visit * use.units_an_act
    writes += use.articles_a_day * use.units_an_article * _DAYS
    stored = residents * use.item_kilobytes / 1e6 + 0.2
    # Two apps of one processor at least, in two zones.
    cpus = max(2.0, visits_a_day * use.visits_at_once / use.sessions_a_vcpu)
    worker = 0.5 * prices["vCPU hour"] + 2 * prices["GB hour of memory"]
    app = cpus * (prices["vCPU hour"] + 4 * prices["GB hour of memory"])
    delivered = visits * use.megabytes_a_visit / 1000
    requests = visits * 60 / 1e6
    return {
        "reading tables": reads / 1e6 * prices["read units, a million"],
        "writing tables": writes / 1e6 * prices["write units, a million"],
        "tables and their recovery": stored
        * (prices["GB of tables"] + prices["GB of point-in-time recovery"]),
        "files": residents * use.megabytes_stored / 1000 * prices["GB of objects"],
        "delivery": delivered * prices["GB to people"],
        "app and worker": (app + worker) * _HOURS,
        "network": _HOURS
        * (
            prices["hour of a NAT gateway"]
            + prices["hour of a load balancer"]
            + prices["hour of a load balancer's capacity unit"] * (1 + cpus / 4)
        ),
        "firewall": prices["firewall with its rules"]
        + requests * prices["firewall requests, a million"],
        "alarms, keys, secrets": 80 * prices["alarm metric"] + prices["keys and secrets"],
        "logs": (1 + visits * 20 / 1e6) * prices["GB of logs"],
        "e-mails": residents * use.mails_a_month / 1000 * prices["e-mails, a thousand"],
    }


def as_table(sizes: tuple[int, ...] = (1_000, 10_000, 100_000)) -> str:
    """The months of these sizes side by side, as docs/deploy.md shows them."""
    months = [month(size) for size in sizes]
    head = " | ".join(f"{size:,} residents" for size in sizes)
    rows = [f"| USD a month | {head} |", "|---|" + "---:|" * len(sizes)]
    rows += [
        f"| {part} | " + " | ".join(f"{one[part]:,.2f}" for one in months) + " |"
        for part in months[0]
    ]
    totals = " | ".join(f"**{sum(one.values()):,.0f}**" for one in months)
    return "\n".join([*rows, f"| **together** | {totals} |"]) + "\n"
