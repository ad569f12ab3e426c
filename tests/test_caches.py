"""Every cache of the program stands in docs/instances.md, with the time it is kept."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "instances.md"


def caches():
    """(file, name) to the seconds a cache is kept, None where its code does not say."""
    found = {}
    files = [*ROOT.glob("cityverse/**/*.py"), *ROOT.glob("pages/*.py"), *ROOT.glob("*.py")]
    for file in files:
        where = file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Global):
                found |= {(where, name): None for name in node.names}
            for decorator in getattr(node, "decorator_list", []):
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if "cache" in ast.unparse(called):
                    options = getattr(decorator, "keywords", [])
                    ttl = [ast.literal_eval(o.value) for o in options if o.arg == "ttl"]
                    found[where, node.name] = ttl[0] if ttl else None
    return found


def documented():
    """The same, as the documentation says it."""
    text = DOCS.read_text(encoding="utf-8")
    named = dict.fromkeys(re.findall(r"`(cityverse/[^`]+)`\s`(\w+)`", text), "for ever")
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if row := re.match(r"`(cityverse/[^`]+)` `(\w+)`", cells[0]):
            named[row[1], row[2]] = cells[-1]
    return named


def test_every_cache_is_documented_with_its_time():
    made, told = caches(), documented()
    assert len(made) > 30
    assert sorted(made) == sorted(told)
    for place, seconds in made.items():
        if seconds is not None:
            assert told[place] == f"{seconds} s", place


def test_what_is_kept_without_end_is_nothing_of_the_store():
    """A cache of the store has a time: it is in the first table, and no other names a store."""
    text = DOCS.read_text(encoding="utf-8")
    first = text.split("## What an instance keeps of the store")[1].split("\n## ")[0]
    kept = re.findall(r"\| (\d+) s \|", first)
    assert len(kept) >= 4
    assert all(int(seconds) <= 600 for seconds in kept)
