"""Posts from draft to deletion: once, never lost, only by those who may."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers import association
from people_helpers import user

from cityverse.community import city, posting, talk
from cityverse.data.media import MediaRepository
from cityverse.domain.community import AuthorKind
from cityverse.domain.media import Media, MediaKind, MediaPlace, MediaState, new_media_id
from cityverse.domain.people import Status
from cityverse.domain.posting import Draft, DraftState
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import (
    CityVerseError,
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    PublisherGone,
    RequestDiffers,
    TooManyPosts,
    WrongState,
)

NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=2)


@pytest.fixture
def ana(store):
    return store.users.create(user("ana", email="ana@example.org", first_name="Ana", last_name="B"))


@pytest.fixture
def zoe(store):
    return store.users.create(user("zoe", email="zoe@example.org"))


@pytest.fixture
def sow(store, ana, zoe):
    return store.associations.create(association("sow", owner_id="zoe", editors=frozenset({"ana"})))


def draft(number=1, **fields):
    return Draft(
        **({"id": f"d{number}", "user_id": "ana", "updated": NOW, "text": "Bal !"} | fields)
    )


def publish(store, who, one, now=NOW, most=5):
    return posting.publish(store, who, one, now, most=most)


def listed(store):
    return [post.id for post in store.posts.page(limit=50).items]


def a_file(store, owner="ana", kind=MediaKind.IMAGE):
    types = {MediaKind.IMAGE: "image/webp", MediaKind.PDF: "application/pdf"}
    media = Media(new_media_id(), owner, kind, MediaPlace.POST, types[kind], 9, NOW)
    return MediaRepository(store.dynamo).create(media)


def test_a_resident_publishes_in_their_own_name(store, ana):
    sent = publish(store, ana, draft())
    assert (sent.author_kind, sent.author_name) == (AuthorKind.RESIDENT, "Ana B")
    assert listed(store) == ["d1"]
    assert posting.drafts(store, ana) == []


def test_an_editor_publishes_as_the_association_without_limit(store, ana, sow):
    for number in range(7):
        sent = publish(store, ana, draft(number, association_id="sow"))
        assert (sent.association_id, sent.user_id, sent.user_name) == ("sow", "ana", "")
    assert len(listed(store)) == 7


def test_only_the_team_publishes_as_an_association(store, sow):
    max_ = store.users.create(user("max", email="max@example.org"))
    with pytest.raises(NotAllowed):
        publish(store, max_, draft(user_id="max", association_id="sow"))
    with pytest.raises(NotSignedIn):
        publish(store, None, draft())
    with pytest.raises(NotAllowed):
        publish(store, max_, draft())
    assert listed(store) == []


def test_sent_ten_times_at_once_it_is_published_once(store, ana):
    with ThreadPoolExecutor(10) as pool:
        sent = list(pool.map(lambda _: publish(store, ana, draft(), most=1), range(10)))
    assert {post.id for post in sent} == {"d1"}
    assert listed(store) == ["d1"]
    assert posting.drafts(store, ana) == []
    with pytest.raises(RequestDiffers):
        publish(store, ana, draft(text="Autre chose"))


def test_a_resident_publishes_so_many_a_day_and_no_more(store, ana):
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(publish, store, ana, draft(n), NOW, 5) for n in range(8)]
    refused = [future.exception() for future in futures if future.exception()]
    assert [type(one) for one in refused] == [TooManyPosts] * 3
    assert len(listed(store)) == 5
    assert len(posting.drafts(store, ana)) == 3  # nothing is lost
    late = NOW + timedelta(days=1)
    assert publish(store, ana, replace(posting.drafts(store, ana)[0], updated=late), late)


def test_a_draft_is_kept_and_thrown_away_with_its_files(store, ana):
    image = a_file(store)
    one = posting.with_file(store, ana, draft(), image.id)
    posting.keep(store, ana, one)
    assert posting.drafts(store, ana) == [one]
    posting.discard(store, ana, "d1")
    posting.discard(store, ana, "d1")
    assert posting.drafts(store, ana) == []
    assert MediaRepository(store.dynamo).get(image.id).state is MediaState.DELETED


def test_an_empty_draft_is_not_kept_but_an_emptied_one_is(store, ana):
    posting.keep(store, ana, draft(text=" "))
    assert posting.drafts(store, ana) == []
    posting.keep(store, ana, draft())
    posting.keep(store, ana, draft(text=""))
    assert posting.drafts(store, ana)[0].text == ""


def test_files_are_ones_own_and_go_with_the_post(store, ana, zoe):
    with pytest.raises(NotFound):
        posting.with_file(store, ana, draft(), a_file(store, "zoe").id)
    one = draft()
    files = [a_file(store), a_file(store, kind=MediaKind.PDF)]
    for media in files:
        one = posting.with_file(store, ana, one, media.id)
    assert posting.with_file(store, ana, one, files[0].id) == one
    sent = publish(store, ana, one)
    assert sent.media_kinds == (MediaKind.IMAGE, MediaKind.PDF)
    posting.discard(store, ana, "d1")
    assert MediaRepository(store.dynamo).get(files[0].id).state is MediaState.READY
    full = draft(2, files=tuple(new_media_id() for _ in range(10)))
    with pytest.raises(InvalidField):
        posting.with_file(store, ana, full, a_file(store).id)


def test_an_association_that_is_deleted_meanwhile_is_said_and_nothing_is_lost(store, ana, sow):
    one = posting.keep(store, ana, draft(association_id="sow"))
    store.deletion.delete("Association", "sow")
    for _ in range(2):
        with pytest.raises(PublisherGone):
            publish(store, ana, one)
    assert listed(store) == []
    assert posting.drafts(store, ana) == [one]
    publish(store, ana, replace(one, association_id=None))
    assert listed(store) == ["d1"]


def test_deleting_an_association_while_its_team_publishes_leaves_nothing_behind(store, ana, sow):
    def write(number):
        try:
            publish(store, ana, draft(number, association_id="sow"))
        except (PublisherGone, NotAllowed):
            return 1
        return 0

    with ThreadPoolExecutor(6) as pool:
        refused = [pool.submit(write, number) for number in range(10)]
        deleted = pool.submit(store.deletion.delete, "Association", "sow")
    deleted.result()
    kept = sum(future.result() for future in refused)
    assert listed(store) == []
    assert len(posting.drafts(store, ana)) == kept


def test_a_scheduled_post_comes_at_its_time_and_once(store, ana, sow):
    posting.schedule(store, ana, draft(association_id="sow"), SOON, NOW, most=5)
    posting.schedule(store, ana, draft(association_id="sow"), SOON, NOW, most=5)
    assert posting.publish_due(store, SOON - timedelta(seconds=1), most=5) == 0
    assert listed(store) == []
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda _: posting.publish_due(store, SOON, most=5), range(4))
    assert sum(done) >= 1
    assert listed(store) == ["d1"]
    assert store.posts.get("d1").created == SOON
    assert posting.drafts(store, ana) == []
    assert posting.publish_due(store, SOON, most=5) == 0


def test_a_scheduled_draft_is_not_overwritten_by_an_old_window_and_can_be_held(store, ana):
    posting.schedule(store, ana, draft(), SOON, NOW, most=1)
    later = NOW + timedelta(seconds=1)
    with pytest.raises(WrongState):
        posting.keep(store, ana, draft(text="Ancien", updated=later))
    held = posting.hold(store, ana, "d1", later, most=1)
    assert held.state is DraftState.WRITING
    assert posting.publish_due(store, SOON, most=1) == 0
    publish(store, ana, draft(2, updated=later), SOON, most=1)  # the held one does not count


@pytest.mark.parametrize("due", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=400)])
def test_a_time_that_is_no_time_to_come_is_refused(store, ana, due):
    with pytest.raises(InvalidField):
        posting.schedule(store, ana, draft(), due, NOW, most=5)


def test_what_cannot_be_published_at_its_time_becomes_a_draft_that_says_why(store, ana, sow):
    posting.schedule(store, ana, draft(association_id="sow"), SOON, NOW, most=5)
    posting.schedule(store, ana, draft(2), SOON, NOW, most=5)
    store.deletion.delete("Association", "sow")
    assert posting.publish_due(store, SOON, most=5) == 1
    (left,) = posting.drafts(store, ana)
    assert (left.id, left.failure) == ("d1", "error.publisher_gone")
    posting.schedule(store, ana, draft(3), SOON, NOW, most=5)
    store.users.replace(ana, replace(ana, status=Status.SUSPENDED))
    assert posting.publish_due(store, SOON, most=5) == 0
    assert {one.state for one in store.drafts.of_user("ana")} == {DraftState.WRITING}


def test_a_post_is_edited_by_its_author_and_by_the_team_alone(store, ana, zoe, sow):
    publish(store, ana, draft(association_id="sow"))
    publish(store, ana, draft(2))
    assert posting.edit(store, zoe, "d1", "Le bal", SOON).edited == SOON
    for change in (lambda: posting.edit(store, zoe, "d2", "Moi", NOW),
                   lambda: posting.remove(store, zoe, "d2", NOW),
                   lambda: posting.restore(store, zoe, "d2")):  # fmt: skip
        with pytest.raises(NotAllowed):
            change()
    assert posting.edit(store, ana, "d2", "Bal !", NOW).edited is None
    assert posting.may_change(store, zoe, store.posts.get("d1"))
    assert not posting.may_change(store, zoe, store.posts.get("d2"))
    assert not posting.may_change(store, None, store.posts.get("d1"))


def test_a_deleted_post_is_nowhere_and_comes_back_with_all_that_was_said(store, ana, zoe):
    publish(store, ana, draft(text="Bal masqué"))
    talk.comment(store, zoe, talk.Draft("c1", "d1", "Super"), NOW)
    talk.react(store, zoe, "d1", ReactionKind.LIKE, NOW)
    for _ in range(2):
        posting.remove(store, ana, "d1", NOW)
    assert listed(store) == store.search("post", "masqué") == []
    assert city.find(store, "post:d1") is None
    assert talk.about(store, zoe, "d1") is None
    assert posting.remove_due(store, NOW) == 0
    for _ in range(2):
        posting.restore(store, ana, "d1")
    assert listed(store) == ["d1"]
    assert [found.item_id for found in store.search("post", "masqué")] == ["d1"]
    assert (store.posts.get("d1").comments, store.posts.get("d1").reactions_like) == (1, 1)
    assert posting.remove_due(store, NOW + timedelta(hours=2)) == 0


def test_after_an_hour_a_deleted_post_is_gone_with_all(store, ana, zoe):
    publish(store, ana, draft())
    talk.comment(store, zoe, talk.Draft("c1", "d1", "Super"), NOW)
    posting.remove(store, ana, "d1", NOW)
    late = NOW + timedelta(hours=1)
    assert posting.remove_due(store, late) == 1
    assert store.posts.find("d1") is None
    assert store.comments.find("c1") is None
    assert posting.remove_due(store, late) == 0
    with pytest.raises(NotFound):
        posting.restore(store, ana, "d1")
    posting.remove(store, ana, "d1", NOW)


def test_what_is_being_deleted_is_not_had_back(store, ana):
    publish(store, ana, draft())
    posting.remove(store, ana, "d1", NOW)
    (removal,) = store.removals.due(NOW + timedelta(hours=2))
    assert store.removals.begin(removal)
    with pytest.raises(WrongState):
        posting.restore(store, ana, "d1")


def test_undoing_while_it_goes_ends_in_one_or_the_other(store, ana):
    publish(store, ana, draft())
    posting.remove(store, ana, "d1", NOW)

    def undo():
        try:
            posting.restore(store, ana, "d1")
        except CityVerseError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        undone = pool.submit(undo)
        gone = pool.submit(posting.remove_due, store, NOW + timedelta(hours=2))
    gone.result()
    assert (store.posts.find("d1") is not None) is undone.result()


def test_an_account_takes_its_drafts_along(store, ana):
    posting.keep(store, ana, draft())
    posting.schedule(store, ana, draft(2), SOON, NOW, most=5)
    store.deletion.delete_person("ana")
    assert store.drafts.of_user("ana") == []
    assert posting.publish_due(store, SOON, most=5) == 0
