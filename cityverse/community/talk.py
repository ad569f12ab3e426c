"""Talking about posts: reactions, comments and answers, and following who publishes.

Who acts is who is signed in (``who``, read from the store on this very run). Everything
may be sent twice: a comment has the id its form was given, all else is a state one is in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cityverse.data.store import Store
from cityverse.data.timeline import is_hidden
from cityverse.domain import policy
from cityverse.domain.comments import Comment
from cityverse.domain.community import Association, Post
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import Follow, User
from cityverse.domain.policy import Action
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import AlreadyExists

COMMENTS_A_PAGE = 20
_FOLLOWED_MOST = 100
_EXCERPT = 200
# Answers to answers move in no further than this.
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Placed:
    """A comment and how far it moves in below what it answers."""

    comment: Comment
    depth: int


@dataclass(frozen=True, slots=True)
class Talk:
    """All about a post that its dialog shows; ``next`` leads to later comments.

    ``mine`` is the reaction of who is signed in; ``followed`` whether they follow the
    association of the post.
    """

    post: Post
    comments: tuple[Placed, ...]
    next: str | None
    previous: str | None
    mine: ReactionKind | None
    followed: bool


def about(store: Store, who: User | None, post_id: str, cursor: str | None = None) -> Talk | None:
    """What is said about a post, oldest first, or None when it is gone. Raises StoreError."""
    post = store.posts.find(post_id)
    if post is None or post.removed or is_hidden(post):
        return None
    page = store.comments.of_post(post_id, limit=COMMENTS_A_PAGE, cursor=cursor)
    mine = store.reactions.find(post_id, who.id) if who else None
    return Talk(
        post=post,
        comments=tuple(threaded(page.items)),
        next=page.next,
        previous=page.previous,
        mine=mine.reaction if mine else None,
        followed=is_followed(store, who, post.association_id),
    )


def is_followed(store: Store, who: User | None, association_id: str | None) -> bool:
    """Whether who is signed in follows an association."""
    if who is None or association_id is None:
        return False
    return store.follows.find(who.id, association_id) is not None


def threaded(comments: Iterable[Comment]) -> Iterator[Placed]:
    """Answers below what they answer, each thread in the order of time.

    What answers a comment of an earlier page stands by itself. A deleted or hidden comment is left
    out when nothing that is left answers it.
    """
    answers: dict[str, list[Comment]] = defaultdict(list)
    roots: list[Comment] = []
    here: dict[str, Comment] = {}
    for comment in comments:
        answered = comment.parent_id if comment.parent_id in here else None
        here[comment.id] = comment
        (roots if answered is None else answers[answered]).append(comment)
    shown: set[str] = set()
    for comment in reversed(here.values()):
        speaks = not comment.deleted and not is_hidden(comment)
        if speaks or any(answer.id in shown for answer in answers[comment.id]):
            shown.add(comment.id)
    waiting = [Placed(comment, 0) for comment in reversed(roots)]
    while waiting:
        placed = waiting.pop()
        if placed.comment.id not in shown:
            continue
        yield placed
        depth = min(placed.depth + 1, _DEEPEST)
        below = answers[placed.comment.id]
        waiting += [Placed(answer, depth) for answer in reversed(below)]


def react(
    store: Store, who: User | None, post_id: str, kind: ReactionKind | None, now: datetime
) -> None:
    """Have this reaction to a post and no other; None takes it back.

    Raises NotSignedIn, NotAllowed and NotFound.
    """
    user = policy.require(who, Action.REACT)
    if kind is None:
        store.reactions.withdraw(post_id, user.id)
    else:
        store.reactions.react(post_id, user.id, kind, now)


@dataclass(frozen=True, slots=True)
class Draft:
    """A comment as somebody typed it; ``id`` is that of its form, so it counts once."""

    id: str
    post_id: str
    text: str
    parent_id: str | None = None


def comment(store: Store, who: User | None, draft: Draft, now: datetime) -> None:
    """Say something about a post; who is answered is told.

    Raises NotSignedIn, NotAllowed, InvalidField, NotFound when the post or the answered
    comment is gone.
    """
    user = policy.require(who, Action.COMMENT)
    said = Comment(
        id=draft.id,
        post_id=draft.post_id,
        user_id=user.id,
        user_name=name_of(user),
        text=draft.text.strip(),
        created=now,
        parent_id=draft.parent_id,
    )
    told = _answered(store, said)
    try:
        if told is None:
            store.comments.create(said)
        else:
            store.comments.create_telling(said, store.notifications.write_of(told))
    except AlreadyExists:
        # The answer to the first sending was lost.
        stored = store.comments.find(said.id)
        if stored is not None and stored.user_id != user.id:
            raise


def _answered(store: Store, said: Comment) -> Notification | None:
    """What to tell who is answered: the author of the comment, else the resident who posted."""
    if said.parent_id is not None:
        answered = store.comments.find(said.parent_id)
        to = answered.user_id if answered and not answered.deleted else None
    else:
        post = store.posts.find(said.post_id)
        to = post.user_id if post else None
    if to in {None, said.user_id} or store.users.find(to or "") is None:
        return None
    return Notification(
        id=f"comment:{said.id}",
        user_id=to or "",
        topic=Topic.COMMENT,
        created=said.created,
        target=f"post:{said.post_id}",
        actor_id=said.user_id,
        actor_name=said.user_name,
        text=said.text[:_EXCERPT],
    )


def edit(store: Store, who: User | None, comment_id: str, text: str, now: datetime) -> None:
    """Change one's own comment.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField, WrongState when it is deleted,
    VersionConflict when it was changed meanwhile.
    """
    stored = store.comments.get(comment_id)
    policy.require(who, Action.EDIT_OWN, stored.user_id)
    if text.strip() != stored.text:
        store.comments.edit(stored, text.strip(), now)


def withdraw(store: Store, who: User | None, comment_id: str) -> None:
    """Delete one's own comment; answers to it stay. What is gone is no error."""
    stored = store.comments.find(comment_id)
    if stored is None or stored.deleted:
        return
    policy.require(who, Action.EDIT_OWN, stored.user_id)
    store.comments.delete(stored)


def follow(store: Store, who: User | None, association_id: str, now: datetime) -> None:
    """Follow an association; raises NotSignedIn, NotAllowed and NotFound."""
    user = policy.require(who, Action.FOLLOW)
    store.follows.follow(Follow(user.id, association_id, now))


def unfollow(store: Store, who: User | None, association_id: str) -> None:
    """Follow an association no longer; raises NotSignedIn and NotAllowed."""
    user = policy.require(who, Action.FOLLOW)
    store.follows.unfollow(user.id, association_id)


def followed_by(store: Store, who: User) -> list[Association]:
    """The associations a person follows, up to a hundred of them, by name."""
    follows = store.follows.of_user(who.id, limit=_FOLLOWED_MOST).items
    found = store.associations.find_many(follow.association_id for follow in follows)
    shown = (association for association in found.values() if not is_hidden(association))
    return sorted(shown, key=lambda association: association.name.casefold())


def name_of(user: User) -> str:
    """The name under which a person is seen by others."""
    return f"{user.first_name} {user.last_name}".strip()
