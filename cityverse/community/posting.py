"""Writing posts: drafts that are kept, publishing now or later, editing, deleting, undoing.

Who acts is who is signed in. A draft has the id of the post it becomes, and goes in the
very transaction that publishes it: sent ten times, by whomever, it is published once.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from cityverse.community import moderation
from cityverse.community.talk import name_of
from cityverse.data.media import MediaRepository
from cityverse.data.parents import read_living
from cityverse.data.removals import Removal
from cityverse.data.store import Store
from cityverse.data.throttles import Limit
from cityverse.domain import policy
from cityverse.domain.community import MEDIA_MOST, Association, AuthorKind, Post
from cityverse.domain.media import MediaState
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.domain.posting import (
    SCHEDULED_AHEAD_MOST,
    SECOND_THOUGHTS,
    Draft,
    DraftState,
)
from cityverse.errors import (
    AlreadyExists,
    CityVerseError,
    Conflict,
    InvalidField,
    NotFound,
    PublisherGone,
    RequestDiffers,
    StoreError,
    TooManyPosts,
    VersionConflict,
)

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)


def drafts(store: Store, who: User | None) -> list[Draft]:
    """What a person is writing or has scheduled, the newest first."""
    user = policy.require(who, Action.POST)
    return store.drafts.of_user(user.id)


def keep(store: Store, who: User | None, draft: Draft) -> Draft:
    """Keep a draft so that nothing of it is lost; an empty one is not kept.

    Raises NotSignedIn, NotAllowed, InvalidField, and WrongState when it is scheduled.
    """
    user = policy.require(who, Action.POST)
    policy.require(who, Action.EDIT_OWN, draft.user_id)
    if draft.empty and store.drafts.find(user.id, draft.id) is None:
        return draft
    return store.drafts.keep(replace(draft, state=DraftState.WRITING, due=None))


def with_file(store: Store, who: User | None, draft: Draft, media_id: str) -> Draft:
    """The draft with one more file of the same person; raises InvalidField, NotFound."""
    user = policy.require(who, Action.UPLOAD)
    if media_id in draft.files:
        return draft
    if len(draft.files) >= MEDIA_MOST:
        raise InvalidField("media", f"at most {MEDIA_MOST} files are allowed")
    media = MediaRepository(store.dynamo).find(media_id)
    if media is None or media.owner != user.id or media.state is not MediaState.READY:
        raise NotFound(f"{user.id} has no file {media_id}")
    return replace(
        draft, files=(*draft.files, media_id), file_kinds=(*draft.file_kinds, media.kind)
    )


def discard(store: Store, who: User | None, draft_id: str) -> None:
    """Throw a draft away with its files; what is gone is no error."""
    user = policy.require(who, Action.POST)
    draft = store.drafts.find(user.id, draft_id)
    if draft is not None:
        store.drafts.discard(draft)


def publish(store: Store, who: User | None, draft: Draft, now: datetime, *, most: int) -> Post:
    """Publish what somebody wrote; the very same again is no error, and no second post.

    ``most`` bounds the posts of a resident in a day. Raises NotSignedIn, NotAllowed,
    InvalidField, TooManyPosts, PublisherGone, and RequestDiffers when something else was
    published from this form. Whatever is raised, the draft stays.
    """
    user = policy.require(who, Action.POST)
    policy.require(who, Action.EDIT_OWN, draft.user_id)
    if (sent := store.posts.find(draft.id)) is not None:
        return _sent_before(store, draft, sent)
    return _publish(store, user, store.drafts.keep(draft), now, most)


def _publish(store: Store, user: User, draft: Draft, when: datetime, most: int) -> Post:
    association = _publisher(store, user, draft)
    post = _post_of(draft, user, association, when)
    post.check()
    if association is None:
        _count(store, user, draft, when, most)
    try:
        return store.posts.publish(post, store.drafts.becoming(draft))
    except AlreadyExists:
        return _sent_before(store, draft, store.posts.get(draft.id))
    except NotFound as error:
        _publisher(store, user, draft)
        current = store.drafts.find(user.id, draft.id)
        if current is not None and current.updated == draft.updated:
            raise  # one of its files is gone, or the account is going
        raise VersionConflict(f"draft {draft.id} was sent or changed meanwhile") from error


def _sent_before(store: Store, draft: Draft, sent: Post) -> Post:
    if sent.user_id != draft.user_id or sent.text != draft.text.strip():
        raise RequestDiffers(f"another post was published from the draft {draft.id}")
    left = store.drafts.find(draft.user_id, draft.id)
    if left is not None:
        store.drafts.discard(replace(left, files=()))
    return sent


def _publisher(store: Store, user: User, draft: Draft) -> Association | None:
    """The association a draft is published for, if this person may; None: as themselves."""
    if draft.association_id is None:
        return None
    try:
        association = read_living(store.associations, draft.association_id)
    except NotFound as error:
        raise PublisherGone(str(error)) from error
    policy.require(user, Action.PUBLISH, association)
    return association


def _post_of(draft: Draft, user: User, association: Association | None, when: datetime) -> Post:
    return Post(
        id=draft.id,
        text=draft.text.strip(),
        created=when,
        association_id=association.id if association else None,
        association_name=association.name if association else "",
        location=draft.location,
        author_kind=AuthorKind.ASSOCIATION if association else AuthorKind.RESIDENT,
        user_id=user.id,
        user_name="" if association else name_of(user),
        links=draft.links,
        media=draft.files,
        media_kinds=draft.file_kinds,
        previews=draft.previews,
    )


def _limit(most: int) -> Limit:
    return Limit("resident_posts", most, _DAY)


def _count(store: Store, user: User, draft: Draft, when: datetime, most: int) -> None:
    if not store.throttles.take(_limit(most), user.id, draft.id, when):
        raise TooManyPosts(f"{user.id} has published {most} posts on {when:%Y-%m-%d}")


def schedule(
    store: Store, who: User | None, draft: Draft, due: datetime, now: datetime, *, most: int
) -> Draft:
    """Have a draft published by itself at a time to come; sending it again is no error.

    It counts among the posts of the day it is published. Raises as ``publish`` does.
    """
    user = policy.require(who, Action.POST)
    policy.require(who, Action.EDIT_OWN, draft.user_id)
    if not now < due <= now + SCHEDULED_AHEAD_MOST:
        raise InvalidField("due", "must lie ahead, by at most a year")
    if (sent := store.posts.find(draft.id)) is not None:
        _sent_before(store, draft, sent)
        return draft
    association = _publisher(store, user, draft)
    _post_of(draft, user, association, due).check()
    if association is None:
        _count(store, user, draft, due, most)
    waiting = replace(draft, state=DraftState.SCHEDULED, due=due, failure="")
    return store.drafts.keep(waiting)


def hold(store: Store, who: User | None, draft_id: str, now: datetime, *, most: int) -> Draft:
    """Take back that a draft is published by itself, and go on writing it.

    Raises NotFound, and WrongState when it was published at this very moment.
    """
    user = policy.require(who, Action.POST)
    draft = store.drafts.find(user.id, draft_id)
    if draft is None:
        raise NotFound(f"{user.id} has no draft {draft_id}")
    if draft.due is None:
        return draft
    held = store.drafts.hold(
        replace(draft, state=DraftState.WRITING, due=None, updated=now, failure="")
    )
    if draft.association_id is None:
        store.throttles.give_back(_limit(most), user.id, draft.id, draft.due)
    return held


def publish_due(store: Store, now: datetime, *, most: int) -> int:
    """Publish what is due; answers with how many. What cannot be waits as a draft, with why."""
    published = 0
    for draft in store.drafts.due(now):
        try:
            published += _publish_due(store, draft, most)
        except StoreError:
            raise
        except VersionConflict:
            continue  # another worker was faster, or its author
        except CityVerseError as error:
            log.warning("the draft %s is not published: %s", draft.id, error)
            failed = replace(
                draft, state=DraftState.WRITING, due=None, updated=now, failure=error.key
            )
            with contextlib.suppress(Conflict, NotFound):
                store.drafts.hold(failed)
    return published


def _publish_due(store: Store, draft: Draft, most: int) -> bool:
    current = store.drafts.find(draft.user_id, draft.id)  # the index may lag behind
    if current is None or current.due is None:
        return False
    user = policy.require(store.users.find(draft.user_id), Action.POST)
    _publish(store, user, current, current.due, most)
    return True


def may_change(store: Store, who: User | None, post: Post) -> bool:
    """Whether somebody may edit and delete a post: its author, or the team it was written for."""
    if post.association_id is None:
        return policy.may(who, Action.EDIT_OWN, post.user_id)
    if who is None:
        return False
    association = store.associations.find(post.association_id)
    return association is not None and policy.may(who, Action.PUBLISH, association)


def _changeable(store: Store, who: User | None, post_id: str) -> Post:
    post = store.posts.get(post_id)
    if post.association_id is None:
        policy.require(who, Action.EDIT_OWN, post.user_id)
    else:
        policy.require(who, Action.PUBLISH, store.associations.find(post.association_id))
    return post


def edit(store: Store, who: User | None, post_id: str, text: str, now: datetime) -> Post:
    """Change the words of a post; it then says that it was edited.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField, VersionConflict.
    """
    post = _changeable(store, who, post_id)
    if text.strip() == post.text:
        return post
    return store.posts.replace(post, replace(post, text=text.strip(), edited=now))


def remove(store: Store, who: User | None, post_id: str, now: datetime) -> None:
    """Delete a post: it is in no list any more at once, and gone in an hour.

    Until then ``restore`` brings it back with all comments. Again is no error.
    """
    if store.posts.find(post_id) is None:
        return
    post = _changeable(store, who, post_id)
    if post.removed is None:
        going = store.removals.adding(Removal("Posts", post_id, now + SECOND_THOUGHTS))
        store.posts.remove(post, now, going)


def restore(store: Store, who: User | None, post_id: str) -> None:
    """Undo ``remove``; again is no error. Raises NotFound, WrongState when it is too late."""
    post = _changeable(store, who, post_id)
    if post.removed is not None:
        store.posts.restore(post, store.removals.taking_back("Posts", post_id))


def remove_due(store: Store, now: datetime) -> int:
    """Delete for good what was deleted an hour ago; answers with how many items."""
    removals = store.removals.due(now)
    for removal in removals:
        if store.removals.begin(removal):
            if (ending := moderation.ENDS.get(removal.table)) is not None:
                ending(store, removal.item_id, now)
            else:
                store.deletion.delete(removal.table, removal.item_id)
            store.removals.end(removal)
    return len(removals)
