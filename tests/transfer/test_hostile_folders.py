"""Folders that are damaged or prepared by somebody else: refused in one line, nothing written."""

import hashlib
import json
import os
import shutil

import pytest
from helpers import clear
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityverse import cli
from cityverse.data import folders, imports, typed
from cityverse.data.export import export
from cityverse.data.imports import ClaimsTaken, Report, import_
from cityverse.data.registry import table
from cityverse.domain.media import MediaPlace
from cityverse.errors import InputError, StoreThrottled

WRITING = ("Put", "Update", "Delete", "BatchWrite", "Transact", "Create", "Upload", "Complete")
EVERY_TYPE = {
    "n": {"N": "1.5"}, "b": {"B": "AP8="}, "s": {"S": "é\u2028"}, "t": {"BOOL": True},
    "z": {"NULL": True}, "l": {"L": [{"M": {"": {"S": ""}}}]}, "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "-2e3"]}, "bs": {"BS": ["AA=="]},
}  # fmt: skip


@pytest.fixture
def writes(dynamo, objects):
    """The names of the calls that write, made to the store from now on."""
    called = []

    def note(model, **_):
        if model.name.startswith(WRITING):
            called.append(model.name)

    clients = (dynamo.client, objects.client)
    for client in clients:
        client.meta.events.register("before-call", note)
    yield called
    for client in clients:
        client.meta.events.unregister("before-call", note)


@pytest.fixture(scope="module")
def once_exported(dynamo, objects, tmp_path_factory):
    """The export of a small store."""
    clear(dynamo)
    for prefix in MediaPlace:
        objects.purge(prefix, exact=False)
    for n in range(3):
        dynamo.put("Claim", {"id": f"User#email#{n}", "owner": f"u{n}"})
        dynamo.put("Posts", {"id": f"p{n}", "text": f"text {n}"})
    dynamo.put("Reaction", {"post_id": "p1", "user_id": "u1", "reaction": "like"})
    dynamo.put("Meta", {"id": "demo", "state": "filled"})
    objects.put("media-posts/one", b"the first object", "video/mp4")
    objects.put("media-posts/two", b"the second object", "image/jpg")
    folder = tmp_path_factory.mktemp("exported") / "out"
    export(dynamo, objects, folder, units=10**9)
    return folder


@pytest.fixture
def exported(once_exported, tmp_path):
    """A copy of that export; the store is as it is, unless a test asks for an empty one."""
    return shutil.copytree(once_exported, tmp_path / "out")


def emptied(store, media_store):
    clear(store.dynamo)
    for prefix in MediaPlace:
        media_store.objects.purge(prefix, exact=False)


def replace_lines(folder, name, lines):
    """Give a file other lines, and have the manifest say so."""
    data = b"".join(lines)
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {
        "lines": len(lines), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def line_of(item):
    return json.dumps({"Item": item}).encode() + b"\n"


def one_line(error):
    return "\n" not in str(error.value) and str(error.value)


# Claims.


def test_every_claim_in_the_way_is_told_before_anything_is_written(
    exported, store, media_store, writes
):
    for n in (0, 2):
        store.dynamo.put("Claim", {"id": f"User#email#{n}", "owner": "somebody else"})
    writes.clear()
    for _ in range(2):  # a second try looks anew
        with pytest.raises(ClaimsTaken, match=r"2 values .* nothing was imported") as refusal:
            import_(store.dynamo, media_store.objects, exported)
        assert refusal.value.conflicts == ["Claim User#email#0", "Claim User#email#2"]
    assert writes == []
    store.dynamo.delete("Claim", {"id": "User#email#0"})
    store.dynamo.delete("Claim", {"id": "User#email#2"})
    assert import_(store.dynamo, media_store.objects, exported).conflicts == []


def test_a_claim_taken_between_two_tries_is_told_by_the_second(exported, store, media_store):
    class Interrupted(Exception):
        pass

    def told(part, *_):
        if part == "Posts":
            raise Interrupted

    with pytest.raises(Interrupted):
        import_(store.dynamo, media_store.objects, exported, told=told)
    store.dynamo.put("Claim", {"id": "User#email#1", "owner": "somebody else"})
    with pytest.raises(ClaimsTaken) as refusal:
        import_(store.dynamo, media_store.objects, exported)
    assert refusal.value.conflicts == ["Claim User#email#1"]


def test_a_claim_taken_while_they_are_written_stops_the_import(
    exported, store, media_store, monkeypatch
):
    check = imports._check_claims

    def check_and_be_late(*arguments):
        check(*arguments)
        store.dynamo.put("Claim", {"id": "User#email#1", "owner": "somebody else"})

    monkeypatch.setattr(imports, "_check_claims", check_and_be_late)
    with pytest.raises(ClaimsTaken, match="2 claims were written") as refusal:
        import_(store.dynamo, media_store.objects, exported)
    assert refusal.value.conflicts == ["Claim User#email#1"]
    assert store.dynamo.get("Posts", {"id": "p1"}) is None


def test_what_differs_is_told_again_after_an_interruption(exported, store, media_store):
    store.dynamo.put("Posts", {"id": "p1", "text": "another"})

    def told(part, *_):
        if part == "Reaction":
            raise KeyboardInterrupt

    report = Report()
    with pytest.raises(KeyboardInterrupt):
        import_(store.dynamo, media_store.objects, exported, told=told, report=report)
    assert report.conflicts == ["Posts p1"]
    assert report.written > 0
    again = import_(store.dynamo, media_store.objects, exported)
    assert again.conflicts == ["Posts p1"]
    assert again.known >= report.written


def test_a_store_that_fails_is_told_and_a_repetition_finishes(
    exported, store, media_store, monkeypatch
):
    put, report = imports._put_new, Report()

    def throttled(dynamo, one, item):
        if item.get("id") == "p1":
            raise StoreThrottled("later")
        put(dynamo, one, item)

    with monkeypatch.context() as patch:
        patch.setattr(imports, "_put_new", throttled)
        with pytest.raises(StoreThrottled):
            import_(store.dynamo, media_store.objects, exported, report=report)
    # All others of its batch were written, and are counted.
    found = [store.dynamo.get("Posts", {"id": f"p{n}"}) is not None for n in range(3)]
    assert found == [True, False, True]
    again = import_(store.dynamo, media_store.objects, exported)
    assert (again.known, again.conflicts) == (report.written, [])
    assert store.dynamo.get("Posts", {"id": "p1"})["text"] == "text 1"


def test_facts_of_the_store_that_differ_are_told_and_kept(exported, store, media_store):
    store.set_meta("demo", state="removed")
    assert import_(store.dynamo, media_store.objects, exported).conflicts == ["Meta demo"]
    assert store.meta("demo")["state"] == "removed"


def test_an_object_of_the_same_size_but_other_bytes_is_told(exported, store, media_store):
    media_store.objects.put("media-posts/one", b"THE FIRST OBJECT", "video/mp4")
    media_store.objects.put("media-posts/two", b"the second object", "text/html")
    report = import_(store.dynamo, media_store.objects, exported)
    assert report.conflicts == ["object media-posts/one", "object media-posts/two"]
    assert media_store.objects.read("media-posts/one") == b"THE FIRST OBJECT"


# Lines.

LINES = {
    "nothing": b"\n",
    "no JSON": b'{"Item": {"id": {"S": "a"}\n',
    "no end": b'{"Item": {"id": {"S": "a"}}}',
    "no text": b'{"Item": {"id": {"S": "\xff"}}}\n',
    "a list": b"[]\n",
    "null": b"null\n",
    "no item": b"{}\n",
    "something beside the item": b'{"Item": {"id": {"S": "a"}}, "Other": 1}\n',
    "an item that is none": b'{"Item": 5}\n',
    "a plain value": b'{"Item": {"id": "a"}}\n',
    "no key": line_of({"text": {"S": "a"}}),
    "an empty key": line_of({"id": {"S": ""}}),
    "a key that is a number": line_of({"id": {"N": "1"}}),
    "a key of 3,000 bytes": line_of({"id": {"S": "é" * 1500}}),
    "an index key that is a number": line_of({"id": {"S": "a"}, "bucket": {"N": "1"}}),
    "a number that is none": line_of({"id": {"S": "a"}, "n": {"N": "one"}}),
    "not a number": line_of({"id": {"S": "a"}, "n": {"N": "NaN"}}),
    "infinity": line_of({"id": {"S": "a"}, "n": {"N": "-Infinity"}}),
    "a number that is too large": line_of({"id": {"S": "a"}, "n": {"N": "1e999"}}),
    "a number of 60 digits": line_of({"id": {"S": "a"}, "n": {"N": "1" * 60}}),
    "a number of a million digits": line_of({"id": {"S": "a"}, "n": {"N": "1" * 1_000_000}}),
    "a number in JSON": line_of({"id": {"S": "a"}, "n": {"N": 1}}),
    "a text that is a number": line_of({"id": {"S": "a"}, "n": {"S": 1}}),
    "a truth that is a text": line_of({"id": {"S": "a"}, "n": {"BOOL": "yes"}}),
    "nothing that is something": line_of({"id": {"S": "a"}, "n": {"NULL": False}}),
    "an unknown type": line_of({"id": {"S": "a"}, "n": {"X": "1"}}),
    "two types": line_of({"id": {"S": "a"}, "n": {"S": "1", "N": "1"}}),
    "no type": line_of({"id": {"S": "a"}, "n": {}}),
    "no Base64": line_of({"id": {"S": "a"}, "n": {"B": "é"}}),
    "half a character": line_of({"id": {"S": "a"}, "n": {"S": "\ud800"}}),
    "a name that is half a character": line_of({"id": {"S": "a"}, "\udfff": {"S": "a"}}),
    "no name": line_of({"id": {"S": "a"}, "": {"S": "a"}}),
    "an empty set": line_of({"id": {"S": "a"}, "n": {"SS": []}}),
    "a set that is a text": line_of({"id": {"S": "a"}, "n": {"SS": "abc"}}),
    "a set of lists": line_of({"id": {"S": "a"}, "n": {"SS": [[]]}}),
    "a map that is a list": line_of({"id": {"S": "a"}, "n": {"M": []}}),
    "40 layers": line_of({"id": {"S": "a"}, "n": json.loads('{"L": [' * 40 + "]}" * 40)}),
    "100,000 layers": b'{"Item": {"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}\n",
    "100,000 layers of types": b'{"Item": {"id": '
    + b'{"L":[' * 100_000
    + b"]}" * 100_000
    + b"}}\n",
    "an item of 500 KB": line_of({"id": {"S": "a"}, "n": {"S": "x" * 500_000}}),
    "a line of 5 MB": line_of({"id": {"S": "a"}, "n": {"S": "x" * 5_000_000}}),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_is_no_item_is_named_and_nothing_is_written(
    name, exported, dynamo, objects, writes
):
    good = line_of({"id": {"S": "p0"}, "text": {"S": "x"}})
    replace_lines(exported, "tables/Posts.jsonl", [good, good, LINES[name]])
    with pytest.raises(InputError) as refusal:
        import_(dynamo, objects, exported)
    assert "tables/Posts.jsonl, line 3: " in one_line(refusal)
    assert len(str(refusal.value)) < 400
    assert writes == []


def object_line(**changes):
    key = changes.get("key", "media-posts/one")
    line = {
        "key": key, "type": "video/mp4", "size": 16,
        "sha256": hashlib.sha256(b"the first object").hexdigest(),
        "file": hashlib.sha256(key.encode(errors="replace")).hexdigest()
        if isinstance(key, str) else "x",
    }  # fmt: skip
    return json.dumps(line | changes).encode() + b"\n"


OBJECTS = {
    "no JSON": b"{\n",
    "a list": b"[]\n",
    "no key": b"{}\n",
    "100,000 layers": b"[" * 100_000 + b"\n",
    "a key that is a number": object_line(key=5),
    "a key of no bucket": object_line(key="elsewhere/x"),
    "a key in quarantine": object_line(key="quarantine/x"),
    "a key of 2,000 bytes": object_line(key="media-posts/" + "x" * 2000),
    "half a character": object_line(key="media-posts/\ud800"),
    "a type with a line of its own": object_line(type="text/html\r\nX-Evil: 1"),
    "a type that is a list": object_line(type=[]),
    "a size that is a text": object_line(size="16"),
    "a size that is a truth": object_line(size=True),
    "a size below zero": object_line(size=-1),
    "a size beyond any": object_line(size=10**30),
    "another size": object_line(size=17),
    "another hash": object_line(sha256="0" * 64),
    "a hash that is a number": object_line(sha256=1),
    "a file elsewhere": object_line(file="../../../../etc/passwd"),
    "a file that is missing": object_line(key="media-posts/three"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_line_that_is_no_object_is_named_and_nothing_is_written(
    name, exported, dynamo, objects, writes
):
    replace_lines(exported, "media.jsonl", [object_line(), OBJECTS[name]])
    with pytest.raises(InputError) as refusal:
        import_(dynamo, objects, exported)
    assert "media.jsonl, line 2: " in one_line(refusal)
    assert writes == []


MANIFESTS = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a text": b'"manifest"',
    "100,000 layers": b"[" * 100_000,
    "too large": b" " * 1_000_001,
    "no text": b"\xff\xfe\xfa",
}
SAID = {
    "nothing": None,
    "a list": [],
    "no hash": {"lines": 3, "bytes": 3},
    "lines that are a text": {"lines": "3", "bytes": 3, "sha256": "0" * 64},
    "lines below zero": {"lines": -3, "bytes": 3, "sha256": "0" * 64},
    "bytes that are a fraction": {"lines": 3, "bytes": 3.5, "sha256": "0" * 64},
    "bytes that are a truth": {"lines": 3, "bytes": True, "sha256": "0" * 64},
    "a hash that is a list": {"lines": 3, "bytes": 3, "sha256": ["0" * 64]},
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_is_none_is_refused(name, exported, dynamo, objects, writes):
    (exported / "manifest.json").write_bytes(MANIFESTS[name])
    with pytest.raises(InputError, match=r"manifest\.json") as refusal:
        import_(dynamo, objects, exported)
    assert one_line(refusal)
    assert writes == []


@pytest.mark.parametrize("name", SAID)
def test_a_manifest_of_wrong_types_is_refused(name, exported, dynamo, objects, writes):
    manifest = json.loads((exported / "manifest.json").read_text())
    manifest["files"]["tables/Posts.jsonl"] = SAID[name]
    (exported / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json"):
        import_(dynamo, objects, exported)
    assert writes == []


def test_a_table_the_manifest_forgot_is_no_table_less(exported, dynamo, objects, writes):
    manifest = json.loads((exported / "manifest.json").read_text())
    del manifest["files"]["tables/Posts.jsonl"]
    (exported / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"does not name tables/Posts\.jsonl"):
        import_(dynamo, objects, exported)
    assert writes == []


# Files that are none.


def as_pipe(path):
    os.mkfifo(path)


def as_link(path):
    path.symlink_to(path.with_name("aside"))


def as_folder(path):
    path.mkdir()


def as_nothing(path):
    pass


@pytest.mark.parametrize("form", [as_pipe, as_link, as_folder, as_nothing])
@pytest.mark.parametrize("name", ["manifest.json", "tables/Posts.jsonl", "media.jsonl", "media/"])
def test_what_is_no_file_is_refused_at_once(name, form, exported, dynamo, objects, writes):
    path = exported / name
    if name == "media/":
        path = next(path.iterdir())
    path.rename(path.with_name("aside"))
    form(path)
    with pytest.raises(InputError) as refusal:
        import_(dynamo, objects, exported)
    assert one_line(refusal)
    assert writes == []


def test_folders_inside_are_no_links(exported, dynamo, objects, writes):
    (exported / "tables").rename(exported / "elsewhere")
    (exported / "tables").symlink_to("elsewhere")
    with pytest.raises(InputError, match="tables"):
        import_(dynamo, objects, exported)
    assert writes == []


def test_a_file_that_grows_is_read_no_further(tmp_path):
    (tmp_path / "f").write_bytes(b"one\n")
    with folders.reading(tmp_path, "f") as file:
        found = folders.lines(file, 4)
        assert next(found) == b"one\n"
        with (tmp_path / "f").open("ab") as more:
            more.write(b"two\n" * 1000)
        with pytest.raises(ValueError, match="beyond"):
            next(found)


def test_a_file_that_changes_while_it_is_imported_is_told_with_what_was_written(
    exported, store, media_store, monkeypatch, capsys
):
    check = imports._check_claims

    def check_and_be_late(*arguments):
        check(*arguments)
        posts = exported / "tables" / "Posts.jsonl"
        posts.write_bytes(posts.read_bytes().replace(b"text 1", b"text 9"))
        one = exported / "media" / hashlib.sha256(b"media-posts/one").hexdigest()
        one.write_bytes(b"THE FIRST OBJECT")

    monkeypatch.setattr(imports, "_check_claims", check_and_be_late)
    with pytest.raises(InputError, match=r"Posts\.jsonl was changed"):
        import_(store.dynamo, media_store.objects, exported)
    (exported / "tables" / "Posts.jsonl").write_bytes(b"")
    replace_lines(exported, "tables/Posts.jsonl", [])
    emptied(store, media_store)
    monkeypatch.setattr(imports, "_check_object", lambda *_: None)
    with pytest.raises(InputError, match="was changed"):
        import_(store.dynamo, media_store.objects, exported)
    assert media_store.objects.size("media-posts/one") is None


# The command.


@pytest.fixture
def command(settings, store, media_store, monkeypatch):
    monkeypatch.setattr(cli.settings, "current", lambda: settings)
    return lambda *arguments: cli.main([str(one) for one in arguments])


def test_the_command_says_one_line_and_2(command, exported, capsys):
    replace_lines(exported, "tables/Posts.jsonl", [b"no item\n"])
    assert command("import", exported) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "Posts.jsonl, line 1: " in said.err
    assert said.out == ""


def test_the_command_names_every_claim(command, exported, store, capsys):
    for n in (0, 2):
        store.dynamo.put("Claim", {"id": f"User#email#{n}", "owner": "somebody else"})
    assert command("import", exported) == 1
    err = capsys.readouterr().err
    assert "differs here: Claim User#email#0\n" in err
    assert "differs here: Claim User#email#2\n" in err
    assert "nothing was imported" in err


def test_an_interrupted_command_says_how_far_it_came(command, exported, store, capsys, monkeypatch):
    store.dynamo.put("Posts", {"id": "p1", "text": "another"})

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(imports, "_import_media", interrupted)
    assert command("import", exported) == 130
    said = capsys.readouterr()
    assert "differs here: Posts p1" in said.err
    assert "7 written" in said.out


# What is written.


def test_files_of_an_export_are_for_their_owner_alone(once_exported):
    files = [path for path in once_exported.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    inside = [path for path in once_exported.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in (once_exported, *inside)} == {0o700}


def test_an_export_writes_through_no_link(store, media_store, tmp_path):
    folder, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("mine")
    (folder / "tables").mkdir(parents=True)
    (folder / "media").mkdir()
    (folder / "tables" / "User.jsonl").symlink_to(victim)
    (folder / "export-state.json").write_text("{}")
    with pytest.raises(InputError, match=r"User\.jsonl cannot be written"):
        export(store.dynamo, media_store.objects, folder)
    (folder / "tables" / "User.jsonl").unlink()
    (folder / "media.jsonl").symlink_to(victim)
    with pytest.raises(InputError, match=r"media\.jsonl cannot be written"):
        export(store.dynamo, media_store.objects, folder)
    assert victim.read_text() == "mine"


def test_a_folder_that_is_refused_stays_as_it_is(store, media_store, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(InputError, match="not empty"):
        export(store.dynamo, media_store.objects, tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


STATES = {
    "no JSON": "{",
    "a list": "[]",
    "a file that is none": '{"/etc/passwd": {"lines": 0}}',
    "lines that are a text": '{"media.jsonl": {"lines": "0"}}',
    "bytes below zero": '{"media.jsonl": {"bytes": -1}}',
    "more bytes than there are": '{"media.jsonl": {"bytes": 1000}}',
    "unknown words": '{"media.jsonl": {"evil": 1}}',
    "a place that is none": '{"media.jsonl": {"after": [1]}}',
    "a place of a table that is none": '{"tables/User.jsonl": {"after": "x"}}',
    "a key of a table that is none": '{"tables/User.jsonl": {"after": {"id": 5}}}',
    "100,000 layers": "[" * 100_000,
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_cannot_be_read_is_refused(name, dynamo, objects, tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "export-state.json").write_text(STATES[name])
    with pytest.raises(InputError):
        export(dynamo, objects, tmp_path)


def test_no_room_left_is_told_in_one_line(store, media_store, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cityverse.data.folders.os.fsync", full)
    with pytest.raises(InputError, match="No space left"):
        export(store.dynamo, media_store.objects, tmp_path)


def test_an_object_deleted_during_an_export_is_not_in_it(store, media_store, tmp_path, monkeypatch):
    media_store.objects.put("media-posts/one", b"1", "video/mp4")
    media_store.objects.put("media-posts/two", b"2", "video/mp4")
    real = type(media_store.objects).download

    def download(self, key):
        if key.endswith("one"):
            self.delete(key)
        return real(self, key)

    monkeypatch.setattr(type(media_store.objects), "download", download)
    made = export(store.dynamo, media_store.objects, tmp_path)
    assert made["files"]["media.jsonl"]["lines"] == 1


# Bounds.


def test_batches_are_bounded_in_number_and_size():
    small = list(imports._batches(({}, 100) for _ in range(250)))
    assert [len(batch) for batch in small] == [100, 100, 50]
    large = list(imports._batches(({}, 1_500_000) for _ in range(7)))
    assert [len(batch) for batch in large] == [3, 3, 1]


def test_every_type_comes_back_equal():
    item = {"id": {"S": "a"}, **EVERY_TYPE}
    first = typed.read_line(line_of(item), table("Posts"))
    again = typed.read_line(typed.write_line(imports.encode(first)), table("Posts"))
    assert again == first
    assert first["b"].value == b"\x00\xff"
    assert first["ns"] == {1, -2000}


# Anything else.


def parts_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def damage(data, path):
    """Other bytes in the place of some, some missing, some more, or some twice."""
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        length = data.draw(st.integers(0, 12))
        with_what = data.draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from([b'"N"', b"-1", b"[" * 20_000, b"null", b"1e999", b"\\ud800"]),
                st.just(bytes(content[at : at + 60])),
            )
        )
        content[at : at + length] = with_what
    path.write_bytes(bytes(content))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_is_refused_or_has_no_effect(data, exported, store, media_store, writes):
    """However the folder is damaged: one line and no write, or a store that equals."""
    from test_export import content

    folder = exported.with_name("damaged")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(exported, folder)
    damage(data, data.draw(st.sampled_from(parts_of(folder))))
    emptied(store, media_store)
    writes.clear()
    refusal = ""
    try:
        import_(store.dynamo, media_store.objects, folder)
    except InputError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        assert writes == []
        return
    found = content(store, media_store)
    emptied(store, media_store)
    import_(store.dynamo, media_store.objects, exported)
    assert content(store, media_store) == found


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_forged_line_is_refused_or_imported_as_it_says(
    data, exported, store, media_store, writes
):
    """As above where the forger computes the hashes anew."""
    folder = exported.with_name("forged")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(exported, folder)
    name = data.draw(st.sampled_from(["tables/Posts.jsonl", "tables/Claim.jsonl", "media.jsonl"]))
    damage(data, folder / name)
    replace_lines(folder, name, (folder / name).read_bytes().splitlines(keepends=True))
    emptied(store, media_store)
    writes.clear()
    refusal = ""
    try:
        report = import_(store.dynamo, media_store.objects, folder)
    except InputError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        assert writes == []
        return
    again = import_(store.dynamo, media_store.objects, folder)
    assert (again.written, again.known) == (0, report.written + report.known)
