"""The archive of one's own data: all that is theirs, no secret, nobody else's."""

import io
import json
import zipfile
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from asgi import Client
from helpers import NOW, association, post
from media_files import photo
from people_helpers import user
from starlette.applications import Starlette

from cityverse.community import privacy
from cityverse.data import codec, personal
from cityverse.data.deletion import OF_PERSON
from cityverse.data.media import MediaRepository
from cityverse.domain.attendance import Attendance
from cityverse.domain.digests import Digest
from cityverse.domain.media import MediaPlace
from cityverse.domain.messages import Message
from cityverse.domain.moderation import Decision
from cityverse.domain.notifications import Notification
from cityverse.domain.people import Follow
from cityverse.domain.points import Award
from cityverse.domain.posting import Draft
from cityverse.domain.reactions import Reaction
from cityverse.domain.teams import Membership
from cityverse.errors import NotSignedIn
from cityverse.ui import personal as routes

OTHERS = {
    "Follow": Follow,
    "Award": Award,
    "Notification": Notification,
    "Attendance": Attendance,
    "Reaction": Reaction,
    "Message": Message,
    "Draft": Draft,
    "Digest": Digest,
    "Membership": Membership,
    "Decision": Decision,
}
# The person, which all rows name, and what only the store itself uses.
KEYS = {"subject_id", "user_id", "owner", "owner_id", "reporter_id", "version", "kind"}


def test_every_field_about_a_person_was_thought_of(store):
    entities = OTHERS | {
        **{table: one.entity for table, one in store.repositories().items()},
        "Media": MediaRepository.entity,
    }
    allowed = {"User": set(personal.OF_ACCOUNT)}
    for rows in OF_PERSON:
        allowed.setdefault(rows.table, set()).update(personal.ALLOWED[rows])
    for table, names in allowed.items():
        entity = entities[table]
        stored = {codec.stored_name(entity, field.name) for field in fields(entity)}
        withheld = set(personal.WITHHELD.get(table, ()))
        assert not names & withheld, table
        assert names <= stored, table
        assert stored - names - withheld - KEYS <= {"id", "created", "demo"}, table


@pytest.fixture
def somebody(store, media_store):
    """A person with a post, a picture and a follow."""
    one = store.users.create(user("ana", email="ana@example.org", password_hash="$argon2id$x"))
    store.associations.create(association("a9"))
    store.follows.follow(Follow("ana", "a9", NOW))
    store.posts.create(
        post("p1", association_id="a9", user_id="ana", text="De moi", title="Un mot")
    )
    media_store.add_image("ana", MediaPlace.PROFILE, photo())
    return one


def archive_of(data):
    archive = zipfile.ZipFile(io.BytesIO(data))
    return json.loads(archive.read("about-me.json")), archive


def client(settings, store, viewer="ana"):
    return Client(Starlette(routes=routes.routes(settings, lambda: store, lambda _: viewer)))


def test_the_archive_holds_what_is_theirs_and_no_secret(settings, store, somebody):
    answer = client(settings, store).get(routes.EXPORT)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    told, archive = archive_of(answer.content)
    assert told["account"]["email"] == "ana@example.org"
    assert [one["text"] for one in told["Posts"]] == ["De moi"]
    assert [one["association_id"] for one in told["Follow"]] == ["a9"]
    assert b"argon2id" not in archive.read("about-me.json")
    (picture,) = [name for name in archive.namelist() if name.startswith("media/")]
    assert archive.read(picture)[:4] == b"RIFF"
    assert (told["cut"], told["left_out"]) == ([], [])


def test_two_at_once_get_the_same_and_too_many_are_told_so(settings, store, somebody, monkeypatch):
    asked = client(settings, store)
    first, second = (archive_of(asked.get(routes.EXPORT).content)[0] for _ in range(2))
    assert {**first, "made": ""} == {**second, "made": ""}
    monkeypatch.setattr(privacy, "EXPORTS", privacy.Limit("export", 2, privacy.EXPORTS.window))
    assert asked.get(routes.EXPORT).status_code == 429


def test_it_is_for_who_is_signed_in_and_not_for_other_sites(settings, store, somebody):
    assert client(settings, store, None).get(routes.EXPORT).status_code == 401
    assert client(settings, store, "nobody").get(routes.EXPORT).status_code == 401
    elsewhere = client(settings, store).get(routes.EXPORT, headers={"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code == 403
    with pytest.raises(NotSignedIn):
        privacy.export(store, None, None, "r", datetime.now(UTC), io.BytesIO())


def test_a_file_that_is_lost_is_named(settings, store, somebody, media_store):
    row = store.dynamo.query(
        "Media",
        index="owner-index",
        limit=1,
        KeyConditionExpression="#owner = :owner",
        ExpressionAttributeNames={"#owner": "owner"},
        ExpressionAttributeValues={":owner": "ana"},
    )[0]
    media_store.objects.purge(f"profile-images/{row['id']}", exact=False)
    told, archive = archive_of(client(settings, store).get(routes.EXPORT).content)
    assert told["left_out"] == [row["id"]]
    assert archive.namelist() == ["about-me.json"]
