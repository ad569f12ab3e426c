"""Files and their objects: written, hidden, deleted, restored, swept."""

import dataclasses
from datetime import UTC, datetime, timedelta

import media_files
import pytest
from helpers import post
from media_files import pdf, photo, picture

from cityverse.data import codec, provision
from cityverse.data.objects import QUARANTINE, Place
from cityverse.domain.media import (
    Media,
    MediaKind,
    MediaPlace,
    MediaState,
    id_of_key,
    new_media_id,
    thumbnail_of,
)
from cityverse.errors import CityVerseError, InvalidField, NotFound

DAY = timedelta(days=1)


def now():
    return datetime.now(UTC)


def keys(media_store, prefix=""):
    prefixes = [prefix] if prefix else [*MediaPlace, QUARANTINE]
    return {
        v.key
        for p in prefixes
        for v in media_store.objects.versions(p)[0]
        if v.latest and not v.deletion
    }


def test_an_image_is_stored_with_its_thumbnail_under_a_random_key(media_store):
    media = media_store.add_image("u1", MediaPlace.PROFILE, photo())
    assert media_store.items.get(media.id) == media
    assert (media.kind, media.content_type) == (MediaKind.IMAGE, "image/webp")
    assert (media.width, media.height) == (40, 60)
    assert keys(media_store) == {f"profile-images/{media.id}", f"profile-images/{media.id}-400"}
    assert len(media_store.read(media)) == media.size
    assert media_store.read(media, thumbnail=True).startswith(b"RIFF")
    other = media_store.add_image("u1", MediaPlace.PRODUCT, photo())
    assert other.id != media.id
    assert other.key.startswith("product-images/")


def test_a_document_is_stored_as_it_is(media_store):
    media = media_store.add_pdf("u1", "../plan.pdf", pdf())
    assert media.name == "plan.pdf"
    assert media_store.read(media) == pdf()
    assert media.key.startswith("media-posts/")


def test_nothing_is_stored_of_what_is_refused(media_store):
    with pytest.raises(InvalidField):
        media_store.add_image("u1", MediaPlace.POST, b"<svg/>")
    with pytest.raises(InvalidField):
        media_store.add_pdf("u1", "a.pdf", b"<html>")
    with pytest.raises(InvalidField, match="owner"):
        media_store.add_image("not an id", MediaPlace.POST, picture())
    assert keys(media_store) == set()


def test_who_may_see_a_file(media_store):
    public = media_store.add_image("u1", MediaPlace.POST, picture())
    private = media_store.add_image("u1", MediaPlace.POST, picture(), public=False, viewers=["u2"])
    for viewer in (None, "u1", "u2", "u3"):
        assert media_store.seen_by(public.id, viewer) == public
    assert media_store.seen_by(private.id, "u1") == private
    assert media_store.seen_by(private.id, "u2") == private
    said = set()
    for media_id, viewer in ((private.id, None), (private.id, "u3")):
        with pytest.raises(NotFound) as refusal:
            media_store.seen_by(media_id, viewer)
        said.add(str(refusal.value).replace(media_id, "…"))
    absent = new_media_id()
    with pytest.raises(NotFound) as refusal:
        media_store.seen_by(absent, "u1")
    assert said == {str(refusal.value).replace(absent, "…")}


def test_a_deleted_file_is_hidden_and_can_be_restored(media_store):
    media = media_store.add_image("u1", MediaPlace.POST, picture())
    before = media_store.read(media)
    gone = media_store.remove(media)
    assert gone.state is MediaState.DELETED
    with pytest.raises(NotFound):
        media_store.seen_by(media.id, "u1")
    with pytest.raises(NotFound):
        media_store.read(media)
    assert media_store.remove(gone) == gone
    back = media_store.restore(media.id)
    assert media_store.seen_by(media.id, None) == back
    assert media_store.read(back) == before
    assert media_store.read(back, thumbnail=True)
    assert media_store.restore(media.id) == back


def test_what_is_erased_cannot_be_restored(media_store):
    media = media_store.add_image("u1", MediaPlace.POST, picture())
    media_store.erase(media)
    assert media_store.items.find(media.id) is None
    assert media_store.objects.versions("media-posts/")[0] == []
    with pytest.raises(NotFound):
        media_store.restore(media.id)


def test_an_object_without_an_item_is_swept_a_day_later(media_store):
    kept = media_store.add_image("u1", MediaPlace.POST, picture())
    lost = media_store.add_image("u1", MediaPlace.POST, picture())
    media_store.items.delete(lost)
    media_store.objects.put("media-posts/0F3A-of-an-earlier-program", b"x", "image/jpg")
    assert media_store.sweep(now()) == 0
    assert media_store.sweep(now() + 2 * DAY) == 2
    assert keys(media_store) == {
        kept.key, thumbnail_of(kept.key), "media-posts/0F3A-of-an-earlier-program",
    }  # fmt: skip
    media_store.objects.restore(lost.key)
    assert media_store.objects.read(lost.key)
    assert media_store.sweep(now() + 2 * DAY) == 1
    assert media_store.sweep(now() + 40 * DAY) == 2
    assert {v.key for v in media_store.objects.versions("media-posts/m")[0]} == set(kept.keys)


def test_the_files_of_a_deleted_post_are_seen_by_nobody_and_swept(media_store, store):
    media = media_store.add_image("u1", MediaPlace.POST, picture())
    store.posts.create(post(media=(media.id,)))
    assert media_store.seen_by(media.id, None).id == media.id
    store.deletion.delete("Posts", "p1")
    with pytest.raises(NotFound):
        media_store.seen_by(media.id, "u1")
    assert media_store.sweep(now() + 2 * DAY) == 2
    assert keys(media_store) == set()
    media_store.sweep(now() + 40 * DAY)
    assert media_store.objects.versions("media-posts/")[0] == []


def test_an_interrupted_deletion_is_finished_by_the_sweep(media_store, monkeypatch):
    media = media_store.add_image("u1", MediaPlace.POST, picture())

    def broken(key, version=None):
        raise CityVerseError("the store went away")

    with monkeypatch.context() as patch:
        patch.setattr(type(media_store.objects), "delete", lambda self, *a: broken(*a))
        with pytest.raises(CityVerseError):
            media_store.remove(media)
    with pytest.raises(NotFound):
        media_store.seen_by(media.id, "u1")
    assert keys(media_store) == set(media.keys)
    media_store.sweep(now() + 2 * DAY)
    assert keys(media_store) == set()


def test_a_deleted_file_is_gone_for_good_after_30_days(media_store):
    media = media_store.remove(media_store.add_image("u1", MediaPlace.POST, picture()))
    media_store.sweep(now() + 29 * DAY)
    assert media_store.items.find(media.id) == media
    assert media_store.sweep(now() + 31 * DAY) == 2
    assert media_store.items.find(media.id) is None
    assert media_store.objects.versions("media-posts/")[0] == []


def test_quarantine_is_emptied_after_a_day(media_store):
    for n in range(3):
        media_store.objects.put(f"quarantine/m/{n}", b"x", "application/octet-stream")
    media_store.objects.delete("quarantine/m/1")
    assert media_store.sweep(now()) == 0
    assert media_store.sweep(now() + 2 * DAY) == 4
    assert media_store.objects.versions(QUARANTINE)[0] == []


def test_a_sweep_is_bounded_and_goes_on_where_it_was(media_store):
    for _ in range(5):
        media_id = new_media_id()
        media_store.objects.put(f"media-posts/{media_id}", b"x", "image/webp")
    swept = [media_store.sweep(now() + 2 * DAY, most=2) for _ in range(3)]
    assert swept == [2, 2, 1]
    assert keys(media_store) == set()
    # Pages begin anew afterwards.
    assert media_store.objects.versions("media-posts/", Place())[0]


def test_keys_are_told_from_those_of_others():
    media_id = new_media_id()
    assert id_of_key(f"media-posts/{media_id}") == media_id
    assert id_of_key(f"media-posts/{media_id}-400") == media_id
    for key in ("media-posts/", "media-posts/8F0C", f"media-posts/{media_id}-401", "m" * 33):
        assert id_of_key(key) is None


def test_an_item_comes_back_as_it_was(media_store):
    media = Media(
        new_media_id(), "u1", MediaKind.PDF, MediaPlace.POST, "application/pdf", 9,
        now(), "Plan.pdf", 1, 2, False, frozenset({"u2"}), MediaState.DELETED, now(),
    )  # fmt: skip
    media.check()
    assert codec.from_item(Media, codec.to_item(media)) == media


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "a1"), ("id", "m" + "G" * 32), ("owner", ""), ("content_type", "text/html"),
        ("content_type", "video/mp4"), ("size", 0), ("name", "a\0b"), ("name", "a" * 121),
        ("created", datetime(1950, 1, 1, tzinfo=UTC)), ("viewers", frozenset({"a b"})),
        ("viewers", frozenset(f"u{n}" for n in range(101))), ("deleted", datetime.now(UTC)),
        ("width", -1),
    ],
)  # fmt: skip
def test_rules(field, value):
    good = Media(new_media_id(), "u1", MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, now())
    good.check()
    with pytest.raises(InvalidField, match=field):
        dataclasses.replace(good, **{field: value}).check()


def test_leftovers_expire_by_rules_of_the_bucket(objects, engine_folder):
    from helpers import settings_for

    rules = objects.client.get_bucket_lifecycle_configuration(Bucket="cityverse-videos")["Rules"]
    by_id = {rule["ID"]: rule for rule in rules}
    assert by_id["cityverse-quarantine"]["Expiration"] == {"Days": 1}
    assert by_id["cityverse-quarantine"]["Filter"] == {"Prefix": "quarantine/"}
    objects.client.put_bucket_lifecycle_configuration(
        Bucket="cityverse-videos",
        LifecycleConfiguration={
            "Rules": [{"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "old/"},
                       "Expiration": {"Days": 9}}]
        },
    )  # fmt: skip
    assert provision.apply(settings_for(engine_folder)) == 1
    rules = objects.client.get_bucket_lifecycle_configuration(Bucket="cityverse-videos")["Rules"]
    assert {"theirs", "cityverse-quarantine"} <= {rule["ID"] for rule in rules}


def test_the_makers_make_what_they_say():
    assert len(media_files.hostile_images()) + len(media_files.hostile_documents()) >= 40
