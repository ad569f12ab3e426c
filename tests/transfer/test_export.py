"""The whole store to a folder and back: equal, whatever interrupts it, and never half checked."""

import dataclasses
import hashlib
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from helpers import NOW, article, association, clear, event, location, mission, post, source
from media_files import mp4, photo

from cityverse.community import demo
from cityverse.data import codec, scan
from cityverse.data.client import decode
from cityverse.data.export import export
from cityverse.data.imports import import_
from cityverse.data.registry import EXPORTED
from cityverse.domain.applications import Application, application_id
from cityverse.domain.comments import Comment
from cityverse.domain.giving import Campaign, Contribution
from cityverse.domain.media import MediaPlace
from cityverse.domain.people import Follow, User
from cityverse.domain.points import Award, Badge
from cityverse.domain.products import Product
from cityverse.domain.reactions import Reaction, ReactionKind
from cityverse.errors import Conflict, InputError


def canonical(value):
    """A value whose text does not depend on the order of names or of sets."""
    if isinstance(value, dict):
        return sorted((name, canonical(part)) for name, part in value.items())
    if isinstance(value, set):
        return sorted(map(str, value))
    return [canonical(part) for part in value] if isinstance(value, list) else value


def content(store, media_store):
    """Every item of every table, and every object with its type."""
    tables = {
        one.name: sorted(
            (
                repr(canonical(decode(item)))
                for page in scan.pages(store.dynamo, one.name, units=10**9)
                for item in page.items
            ),
        )
        for one in EXPORTED
    }
    objects = {}
    for prefix in MediaPlace:
        for version in media_store.objects.versions(prefix)[0]:
            if version.latest and not version.deletion:
                kind, pieces = media_store.objects.download(version.key)
                objects[version.key] = (kind, hashlib.sha256(b"".join(pieces)).hexdigest())
    return tables, objects


def one_of_each():
    """An entity of every table that the shared helpers do not make."""
    return {
        "User": User("u1", NOW, "a@example.org", "Ada", goals=frozenset({4})),
        "Follow": Follow("u1", "a9", NOW),
        "Award": Award("u1", "once:mission", 900, NOW, "mission"),
        "Badge": Badge("b1", "Mission", NOW),
        "Comment": Comment("c1", "p9", "u1", "Ada", "Bravo", NOW),
        "Reaction": Reaction("p9", "u1", ReactionKind.LOVE, NOW),
        "Application": Application(application_id("m9", "u1"), "m9", "u1", NOW, age=30),
        "Donation": Campaign("d1", "a9", "Les Semeurs", "Un toit", "", NOW, 5000),
        "Donations": Contribution("g1", "d1", "u1", 1250, NOW),
        "Product": Product("x1", "a9", "Les Semeurs", "Miel", NOW, (location(), location(18))),
    }


@pytest.fixture
def filled(store, media_store):
    demo.fill(
        store, {"associations": 1, "posts": 2, "missions": 1, "events": 1, "news": 1}, now=NOW
    )
    store.associations.create(association("a9", goals=frozenset({3, 11})))
    store.posts.create(post("p9", association_id="a9", location=location(), text="é\u2028x"[:1]))
    store.missions.create(mission("m9", association_id="a9"))
    store.events.create(event("e9", association_id="a9", ends=NOW + timedelta(hours=1)))
    store.news.create(article("n9", location=location()))
    store.sources.create(source("s9"))
    every_type = {"n": Decimal("1.5"), "raw": b"\x00\xff", "tags": {"x", "y"}}
    rollup = {"series": "a", "day": "2026-11-22", **every_type, "deep": [{"b": b"\x01"}]}
    store.dynamo.put("Rollup", rollup)
    for table, entity in one_of_each().items():
        store.dynamo.put(table, codec.to_item(entity))
    store.set_meta("worker", seen_at="now")
    media_store.add_image("u1", MediaPlace.PROFILE, photo())
    media_store.remove(media_store.add_image("u1", MediaPlace.PRODUCT, photo()))
    media_store.objects.put("media-posts/../odd é name", b"of an earlier program", "image/jpg")
    media_store.objects.put("media-posts/large", mp4(data=bytes(9_000_000)), "video/mp4")
    return store


def empty(store, media_store):
    clear(store.dynamo)
    for prefix in MediaPlace:
        media_store.objects.purge(prefix, exact=False)


def test_what_comes_back_equals_what_went_out(filled, media_store, tmp_path):
    told = []
    manifest = export(
        filled.dynamo, media_store.objects, tmp_path / "out", told=lambda *a: told.append(a)
    )
    assert manifest["files"]["tables/Posts.jsonl"]["lines"] == 3
    assert any(part == "media" for part, _, _ in told)
    before = content(filled, media_store)
    empty(filled, media_store)
    report = import_(filled.dynamo, media_store.objects, tmp_path / "out")
    assert report.conflicts == []
    filled.set_meta("worker", seen_at="now")
    assert content(filled, media_store) == before
    again = import_(filled.dynamo, media_store.objects, tmp_path / "out")
    assert again.conflicts == []
    assert (again.written, again.known) == (0, report.written)
    assert content(filled, media_store) == before


def test_quarantine_and_facts_of_this_store_stay_at_home(filled, media_store, tmp_path):
    media_store.objects.put("quarantine/m/0", b"x", "application/octet-stream")
    for table in ("Link", "Throttle"):
        filled.dynamo.put(table, {"id": "of this hour"})
    export(filled.dynamo, media_store.objects, tmp_path)
    assert not {"Link.jsonl", "Throttle.jsonl"} & {p.name for p in (tmp_path / "tables").iterdir()}
    assert "quarantine" not in (tmp_path / "media.jsonl").read_text()
    assert "worker" not in (tmp_path / "tables" / "Meta.jsonl").read_text()
    media_store.objects.purge("quarantine/", exact=False)


class Interrupted(Exception):
    pass


def interrupting(after):
    calls = []

    def told(*_):
        calls.append(1)
        if len(calls) == after:
            raise Interrupted

    return told


def test_an_interrupted_export_goes_on_and_is_equal(filled, media_store, tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "_PAGE", 3)
    monkeypatch.setattr("cityverse.data.export._OBJECTS_A_PAGE", 2)
    undisturbed = export(filled.dynamo, media_store.objects, tmp_path / "whole", units=10**9)
    rounds = 0
    while True:
        rounds += 1
        assert rounds < 60
        try:
            made = export(filled.dynamo, media_store.objects, tmp_path / "parts", units=10**9,
                          # Tables that are done are told as well.
                          told=interrupting(22 if rounds % 2 else len(EXPORTED) + 9))  # fmt: skip
            break
        except Interrupted:
            # A line that was begun when the power went.
            with (tmp_path / "parts" / "tables" / "Posts.jsonl").open("ab") as file:
                file.write(b'{"Item": {"id"' if rounds == 1 else b"")
    assert rounds > 1
    assert {n: f["lines"] for n, f in made["files"].items()} == {
        n: f["lines"] for n, f in undisturbed["files"].items()
    }
    before = content(filled, media_store)
    empty(filled, media_store)
    assert import_(filled.dynamo, media_store.objects, tmp_path / "parts").conflicts == []
    filled.set_meta("worker", seen_at="now")
    assert content(filled, media_store) == before


def test_an_interrupted_import_goes_on(filled, media_store, tmp_path, monkeypatch):
    monkeypatch.setattr("cityverse.data.imports._BATCH", 4)
    export(filled.dynamo, media_store.objects, tmp_path)
    before = content(filled, media_store)
    empty(filled, media_store)
    rounds = 0
    while True:
        rounds += 1
        try:
            told = interrupting(45 + 10 * rounds)
            assert import_(filled.dynamo, media_store.objects, tmp_path, told=told).conflicts == []
            break
        except Interrupted:
            assert rounds < 60
    assert rounds > 1
    filled.set_meta("worker", seen_at="now")
    assert content(filled, media_store) == before


def test_what_is_there_and_differs_is_told_and_kept(filled, media_store, tmp_path):
    export(filled.dynamo, media_store.objects, tmp_path)
    old = filled.posts.get("p9")
    filled.posts.replace(old, dataclasses.replace(old, text="changed since"))
    media_store.objects.put("media-posts/large", b"another", "video/mp4")
    report = import_(filled.dynamo, media_store.objects, tmp_path)
    assert "Posts p9" in report.conflicts
    assert "object media-posts/large" in report.conflicts
    assert filled.posts.get("p9").text == "changed since"
    assert media_store.objects.read("media-posts/large") == b"another"


def test_a_store_that_claims_the_same_otherwise_is_left_alone(filled, media_store, tmp_path):
    filled.dynamo.put("Claim", {"id": "User#email#1", "owner": "u1"})
    export(filled.dynamo, media_store.objects, tmp_path)
    empty(filled, media_store)
    filled.dynamo.put("Claim", {"id": "User#email#1", "owner": "u2"})
    with pytest.raises(Conflict):
        import_(filled.dynamo, media_store.objects, tmp_path)
    assert filled.posts.find("p9") is None


def test_folders_that_are_no_export_are_refused(filled, media_store, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        export(filled.dynamo, media_store.objects, tmp_path / "other")
    with pytest.raises(InputError, match="no export"):
        import_(filled.dynamo, media_store.objects, tmp_path / "other")
    export(filled.dynamo, media_store.objects, tmp_path / "out")
    with pytest.raises(InputError, match="already"):
        export(filled.dynamo, media_store.objects, tmp_path / "out")


def test_a_changed_export_is_refused(filled, media_store, tmp_path):
    export(filled.dynamo, media_store.objects, tmp_path)
    empty(filled, media_store)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    posts = tmp_path / "tables" / "Posts.jsonl"
    whole = posts.read_bytes()
    posts.write_bytes(whole.replace(b"p9", b"p8"))
    with pytest.raises(InputError, match=r"Posts.jsonl was changed"):
        import_(filled.dynamo, media_store.objects, tmp_path)
    posts.write_bytes(whole)
    for change in ({"version": 2}, {"format": "x"}, {"files": {}},
                   {"files": {**manifest["files"], "tables/../../x.jsonl": {}}}):  # fmt: skip
        (tmp_path / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(InputError, match="cannot be read"):
            import_(filled.dynamo, media_store.objects, tmp_path)
    files = dict(manifest["files"])
    files["tables/Moon.jsonl"] = files["tables/Posts.jsonl"]
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
    with pytest.raises(InputError, match="Moon"):
        import_(filled.dynamo, media_store.objects, tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    body = next(f for f in (tmp_path / "media").iterdir() if f.stat().st_size < 100)
    body.write_bytes(b"another")
    with pytest.raises(InputError, match=r"media\.jsonl"):
        import_(filled.dynamo, media_store.objects, tmp_path)


def test_reading_a_table_pauses_between_pages(store, monkeypatch):
    monkeypatch.setattr(scan, "_PAGE", 2)
    for n in range(5):
        store.set_meta(f"fact{n}", n=n)
    waits = []
    pages = list(scan.pages(store.dynamo, "Meta", units=2, pause=waits.append))
    assert sum(len(page.items) for page in pages) == 5
    assert len(waits) == len(pages) - 1
    assert all(0.2 < wait <= 0.5 for wait in waits)


def test_a_state_that_names_other_files_is_refused(filled, media_store, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    state = {str(victim): {"lines": 0, "bytes": 0, "after": None, "done": True}}
    (folder / "export-state.json").write_text(json.dumps(state))
    with pytest.raises(InputError):
        export(filled.dynamo, media_store.objects, folder)
    assert victim.read_text() == "mine"


def test_only_its_owner_can_look_into_an_export(filled, media_store, tmp_path):
    folder = tmp_path / "out"
    export(filled.dynamo, media_store.objects, folder)
    assert folder.stat().st_mode & 0o077 == 0
