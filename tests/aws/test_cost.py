"""The cost of a month follows from the documented patterns, and the documentation shows it."""

from pathlib import Path

import pytest

from cityverse.aws import cost
from cityverse.cli import main
from cityverse.errors import InputError

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"


def test_the_documentation_shows_what_is_computed(capsys):
    assert main(["cost"]) == 0
    printed = capsys.readouterr().out
    assert printed == cost.as_table()
    assert printed in DEPLOY.read_text(encoding="utf-8")


def test_every_price_is_stated_and_used():
    text = DEPLOY.read_text(encoding="utf-8")
    base = sum(cost.month(10_000).values())
    for name, price in cost.PRICES.items():
        assert f"| {name} | {price} |" in text
        dearer = sum(cost.month(10_000, {**cost.PRICES, name: price * 2}).values())
        assert dearer > base, name


def test_prices_are_near_those_that_were_looked_up():
    text = DEPLOY.read_text(encoding="utf-8").split("| Price | us-east-1, USD | Where |")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines()[2:]]
    assert len(rows) == 7
    for name, price in rows:
        assert 1 <= cost.PRICES[name] / float(price) <= 1.25, name


def test_the_units_are_those_of_the_documented_patterns():
    patterns = cost.read_units()
    assert patterns["one item"] == 1
    assert patterns["posts of followed associations"] == 60
    by_hand = 4 * 2 * 6 + 8 * 2 + 4 * 25 + 4 * 1 + 3 * 3 * 2 + 2 * 20 + 0.5 * 60 + 30 + 0.3 * 24
    assert cost.visit_units(patterns) == pytest.approx(by_hand + 0.5 * 3)
    with pytest.raises(InputError):
        cost.visit_units({})
    with pytest.raises(InputError):
        cost.read_units("nothing")


def test_what_depends_on_residents_grows_with_them_and_the_rest_does_not():
    small, large = cost.month(10_000), cost.month(100_000)
    for part in ("files", "delivery", "e-mails"):
        assert large[part] == pytest.approx(10 * small[part])
    assert large["alarms, keys, secrets"] == small["alarms, keys, secrets"]
