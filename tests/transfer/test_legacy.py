"""Items of the earlier prototype: read in all their forms, nothing lost in silence."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from helpers import NOW

from cityverse.data import legacy
from cityverse.data import legacy_values as read
from cityverse.data.applications import ApplicationRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import encode
from cityverse.data.comments import CommentRepository
from cityverse.data.contributions import ContributionRepository
from cityverse.data.cursors import Cursors
from cityverse.data.follows import FollowRepository
from cityverse.data.products import ProductRepository
from cityverse.data.reactions import ReactionRepository
from cityverse.data.registry import TABLES
from cityverse.data.users import UserRepository
from cityverse.domain.applications import ApplicationState, application_id
from cityverse.domain.associations import Activity
from cityverse.domain.community import MissionDuration, MissionStatus, MissionType
from cityverse.domain.people import Role, Status
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import InputError

CURSORS = Cursors(b"a secret of the tests, 32 bytes.")
GOAL = {"goal": 11, "title": "Sustainable", "colorInfo": {"hex": "#fff", "rgb": [1, 2, 3]}}
PASSWORD = "Tr0ub4dor&3"


def prototype():
    """A small city as the earlier prototype left it."""
    return {
        "User": [
            {
                "id": "U1",
                "email": "Ada@Example.org",
                "first_name": "Ada",
                "last_name": "L",
                "password": PASSWORD,
                "created_on": "2024-03-01T10:00:00.123456",
                "is_creator": True,
                "score": "120",
                "hours_spent": "4",
                "last_login": "2024-03-02 11:00:00.5",
                "address": "1 rue de Rivoli, 75001 Paris",
                "address_coordinates": {"latitude": "48.8556", "longitude": "2.3600"},
                "social_links": [
                    {
                        "twitter": "https://x.com/ada",
                        "tiktok": "https://youtube.com/a",
                        "instagram": "not a link",
                    }
                ],
                "sdg": [GOAL, {"goal": "4"}],
                "followings": ["A1", "A1", "GONE"],
                "profile_image": "https://bucket.example/profile-images/7",
                "badge": ["https://bucket.example/badge_mission.png"],
                "events": [],
            },
            {
                "id": "U2",
                "email": "ada@example.ORG",
                "first_name": "Other",
                "password": PASSWORD,
                "created_on": "01/03/2024",
                "followings": ["A1"],
                "score": 0,
            },
            {
                "id": "U3",
                "email": "bob@example.org",
                "first_name": "Bob",
                "last_name": "B\u0000",
                "created_on": "Fri, 01 Mar 2024 10:00:00 GMT",
                "is_creator": False,
            },
        ],
        "Association": [
            {
                "id": "A1",
                "name": "Les Semeurs",
                "user_id": "U1",
                "description": "Jardin",
                "created_on": "2024-03-01T10:00:00",
                "rna": "w123456789",
                "activity": [{"label": "Arts & Culture"}, {"label": "Humanitary"}],
                "sdg": [GOAL],
                "siege": "10 rue des Martyrs 75009 Paris",
                "siege_coordinates": ["48.8790000000", "2.3400000000"],
                "links": [
                    "https://x.com/s",
                    "",
                    "https://instagram.com/s",
                    "https://youtube.com/s",
                ],
                "followers_count": 7,
                "coordinate": None,
            },
            {
                "id": "A2",
                "name": "Doublon",
                "rna": "W123456789",
                "created_on": "2024-03-01",
                "siege": "Lyon",
                "siege_coordinates": ["45.7", "4.8"],
            },
        ],
        "Mission": [
            {
                "id": "M1",
                "creator_id": "A1",
                "description": "Planter la haie\nBottes conseillées",
                "created_on": "2024-03-01T10:00:00",
                "start_date": "2024-05-01",
                "duration": {"id": 1, "label": "several days"},
                "number_of_participants": "1",
                "mission_type": {"id": 9, "label": "Vocational training,Legal support"},
                "volunteer_qualifications": {"id": 1, "label": "professional"},
                "approved_applications": 1,
                "status": "Open Application",
            },
        ],
        "Application": [
            {
                "id": "P1",
                "user_id": "U1",
                "mission_id": "M1",
                "first_name": "Ada",
                "age": "30",
                "status": "Pending",
                "has_a_car": True,
                "permit": "No",
            },
            {"id": "P2", "user_id": "U1", "mission_id": "M1", "status": "Approved", "age": "200"},
            {"id": "P3", "user_id": "U3", "mission_id": "M1", "status": "Approved"},
            {"id": "P4", "user_id": "U3", "mission_id": "NONE", "status": "Pending"},
        ],
        "Posts": [
            {
                "id": "T1",
                "creator_id": "A1",
                "created_by": "U1",
                "description": "Récolte",
                "created_on": "2024-03-01T10:00:00",
                "modified_on": "2024-03-05T10:00:00",
                "links": ["https://bucket.example/media-posts/1"],
                "reactions": [
                    {"type": "like", "reacted_by": ["U1", "U2"], "date": "2024-03-01T10:00:00"},
                    {"type": "love", "reacted_by": ["U1"], "date": "2024-03-03T10:00:00"},
                    {"type": "meh", "reacted_by": ["U3"], "date": None},
                ],
                "comments": [
                    {"id": "C1", "text": "Bravo", "user_name": None, "post_date": "2024-03-02"},
                    {"text": "Merci", "user_name": "Bob", "post_date": "2024-03-02 10:00:00"},
                    {"id": "C3", "text": None},
                ],
            },
            {
                "id": "T2",
                "creator_id": "GONE",
                "created_by": "U3",
                "description": "",
                "created_on": "2024-03-01T10:00:00",
                "links": [],
            },
        ],
        "Post": [
            {
                "id": "T3",
                "created_by": "U3",
                "description": "Miel à vendre",
                "created_on": "2024-03-01T10:00:00",
                "reactions": {"like": "3"},
            },
        ],
        "Product": [
            {
                "id": "X1",
                "nom": "Miel",
                "created_by": "A1",
                "created_on": "2024-03-01T10:00:00",
                "coordinate": [{"id": 1, "x": "2.34", "y": "48.88", "diff_address": "Ici"}],
                "posts": ["T3"],
            },
            {
                "id": "X2",
                "nom": "MIEL",
                "created_by": "U3",
                "created_on": "2024-03-01T10:00:00",
                "coordinate": [{"x": "48.88", "y": "2.34"}],
            },
            {"id": "X3", "nom": "Rien", "coordinate": []},
        ],
        "Donation": [
            {
                "id": "D1",
                "creator_id": "A1",
                "name": "Un toit",
                "purpose": "Pour l'hiver",
                "link": "https://example.org/give",
                "created_on": "2024-03-01T10:00:00",
                "tax_reduction": "66",
                "is_reduction_eligible": "true",
            },
        ],
        "Donations": [
            {"id": "G1", "donation_id": "D1", "user_id": "U1", "amount": "12.5", "age": "30"},
            {"id": "G2", "donation_id": "D1", "user_id": "U3", "amount": 0},
            {"id": "G3", "donation_id": "NONE", "user_id": "U3", "amount": 10},
        ],
        "Event": [{"id": "E1", "nom": "Fête", "coordinate": []}],
        "Badge": [{"id": "B1", "nom": "Voisin", "created_on": "2024-03-01T10:00:00"}],
        "Blacklist": [{"token": "abc"}],
    }


def written(folder, tables, *, typed=False):
    folder.mkdir(exist_ok=True)
    for name, items in tables.items():
        lines = (json.dumps({"Item": encode(i)} if typed else i) + "\n" for i in items)
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return folder


def remarks(report):
    return {(p["table"], p["id"], p["field"]) for p in report.problems}


@pytest.fixture(params=[False, True], ids=["plain", "typed"])
def imported(request, store, tmp_path):
    folder = written(tmp_path / "old", prototype(), typed=request.param)
    return legacy.import_earlier(store.dynamo, folder), store, folder


def test_every_item_becomes_one_of_today_or_a_line_of_the_report(imported):
    report, store, _ = imported
    users = UserRepository(store.dynamo)
    ada = users.get("U1")
    assert (ada.email, ada.role, ada.score, ada.hours) == ("Ada@Example.org", Role.CREATOR, 120, 4)
    assert ada.created == datetime(2024, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
    assert ada.last_seen == datetime(2024, 3, 2, 11, 0, 0, 500000, tzinfo=UTC)
    assert ada.goals == {4, 11}
    assert (ada.links.x, ada.links.youtube) == ("https://x.com/ada", "https://youtube.com/a")
    assert (ada.address.lat, ada.address.arrondissement) == (48.8556, 1)
    assert (ada.password_hash, ada.following) == (None, 1)
    assert users.find_by_email("ADA@example.org") == ada
    assert users.get("U2").status is Status.CLOSED
    assert users.get("U2").created == datetime(2024, 3, 1, tzinfo=UTC)
    assert users.get("U3").last_name == "B"
    semeurs = store.associations.get("A1")
    assert (semeurs.rna, semeurs.owner_id, semeurs.followers) == ("W123456789", "U1", 2)
    assert semeurs.activities == {Activity.ARTS_AND_CULTURE, Activity.HUMANITARIAN_AID}
    assert (semeurs.location.lat, semeurs.location.arrondissement) == (48.879, 9)
    assert (semeurs.links.facebook, semeurs.links.instagram) == (None, "https://instagram.com/s")
    assert store.associations.get("A2").rna is None
    assert {("User", "U2", "email"), ("User", "U1", "followings"),
            ("Association", "A2", "rna"), ("Association", "A2", "siege"), ("Event", "E1", ""),
            ("Donations", "G2", "amount"), ("Donations", "G3", "donation_id"),
            ("Application", "P4", "mission_id"), ("Product", "X3", "coordinate"),
            ("User", "U1", "profile_image"), ("User", "U1", "instagram"),
            } <= remarks(report)  # fmt: skip


def test_missions_and_applications(imported):
    report, store, _ = imported
    mission = store.missions.get("M1")
    assert (mission.title, mission.duration) == ("Planter la haie", MissionDuration.SEVERAL_DAYS)
    assert mission.mission_type is MissionType.VOCATIONAL_TRAINING
    assert mission.starts == datetime(2024, 5, 1, tzinfo=UTC)
    # Two people had been approved for one place.
    assert (mission.places, mission.approved, mission.status) == (2, 2, MissionStatus.FULL)
    applications = ApplicationRepository(store.dynamo, CURSORS)
    ada = applications.get(application_id("M1", "U1"))
    assert (ada.state, ada.age) == (ApplicationState.APPROVED, None)
    assert len(applications.of_mission("M1", limit=9).items) == 2
    assert ("Mission", "M1", "number_of_participants") in remarks(report)
    assert ("Application", "P2", "age") in remarks(report)
    lost = next(p for p in report.problems if p["id"] == "P2" and not p["field"])
    assert lost["value"]["status"] == "Approved"


def test_embedded_lists_become_items_and_counters_equal_them(imported):
    report, store, _ = imported
    post = store.posts.get("T1")
    assert (post.association_name, post.user_id) == ("Les Semeurs", "U1")
    assert post.edited == datetime(2024, 3, 5, 10, tzinfo=UTC)
    reactions = ReactionRepository(store.dynamo, CURSORS).of_post("T1", limit=9).items
    assert {(r.user_id, r.reaction) for r in reactions} == {
        ("U1", ReactionKind.LOVE), ("U2", ReactionKind.LIKE),
    }  # fmt: skip
    assert (post.reactions_like, post.reactions_love, post.comments) == (1, 1, 2)
    comments = CommentRepository(store.dynamo, CURSORS).of_post("T1", limit=9).items
    assert [(c.text, c.user_name) for c in comments] == [("Bravo", "?"), ("Merci", "Bob")]
    values = [p.get("value") for p in report.problems if p["id"] == "T1"]
    assert {"user_id": "U1", "reaction": "like"} in values
    assert any(isinstance(v, dict) and v.get("type") == "meh" for v in values)
    assert any(isinstance(v, dict) and v.get("id") == "C3" for v in values)
    resident = store.posts.get("T3")
    assert (resident.user_name, resident.product_id) == ("Bob B", "X1")
    assert {"like": "3"} in [p.get("value") for p in report.problems]
    assert len(FollowRepository(store.dynamo, CURSORS).of_association("A1", limit=9).items) == 2
    assert store.dynamo.get("Award", {"user_id": "U1", "cause": "once:mission"})["points"] == 900
    page = store.posts.page(limit=10)
    assert {p.id for p in page.items} == {"T1", "T2", "T3"}
    assert [found.item_id for found in store.search("post", "récolte")] == ["T1"]


def test_products_campaigns_and_contributions(imported):
    _, store, _ = imported
    products = ProductRepository(store.dynamo, CURSORS)
    assert (products.get("X1").name, products.get("X2").name) == ("Miel", "MIEL (2)")
    for item_id in ("X1", "X2"):
        assert (products.get(item_id).location.lat, products.get(item_id).location.lon) == (
            48.88, 2.34,
        )  # fmt: skip
    campaign = CampaignRepository(store.dynamo, CURSORS).get("D1")
    assert (campaign.title, campaign.tax_eligible, campaign.tax_reduction) == ("Un toit", True, 66)
    assert (campaign.raised, campaign.goal) == (0, 1250)
    gift = ContributionRepository(store.dynamo, CURSORS).get("G1")
    assert (gift.cents, gift.campaign_id, gift.state) == (1250, "D1", "pledged")


def test_no_password_is_kept_anywhere(imported):
    report, store, folder = imported
    saved = (folder / legacy.REPORT).read_text()
    assert PASSWORD not in saved
    assert "abc" not in saved
    assert (folder / legacy.REPORT).stat().st_mode & 0o077 == 0
    assert len(saved.splitlines()) == len(report.problems)
    for one in TABLES:
        for page in store.dynamo.client.get_paginator("scan").paginate(TableName=one.name):
            assert PASSWORD not in repr(page["Items"])


def test_importing_twice_changes_nothing(imported):
    report, store, folder = imported
    again = legacy.import_earlier(store.dynamo, folder)
    assert (again.written, again.known) == (0, report.written)


def test_in_place_each_item_makes_room_and_an_interruption_is_finished(store, tmp_path):
    tables = {name: items for name, items in prototype().items() if name != "Post"}
    for name, items in tables.items():
        for item in items:
            store.dynamo.put(name, item)
    folder = tmp_path / "aside"

    class Interrupted(Exception):
        pass

    calls = []

    def told(*_):
        calls.append(1)
        if len(calls) == 9:
            raise Interrupted

    legacy.set_aside(store.dynamo, folder)
    with pytest.raises(Interrupted):
        legacy.import_earlier(store.dynamo, folder, in_place=True, told=told)
    legacy.set_aside(store.dynamo, folder)
    report = legacy.import_earlier(store.dynamo, folder, in_place=True)
    assert not any("in its place" in p["remark"] for p in report.problems)
    assert UserRepository(store.dynamo).get("U1").score == 120
    assert "password" not in store.dynamo.get("User", {"id": "U1"})
    assert store.posts.get("T1").comments == 2
    assert store.missions.get("M1").approved == 2


def test_folders_and_lines_that_cannot_be_read(store, tmp_path):
    with pytest.raises(InputError, match="holds no items"):
        legacy.import_earlier(store.dynamo, tmp_path)
    (tmp_path / "User.jsonl").write_bytes(
        b'not json\n[]\n{"email": "x"}\n\xff\xfe\n'
        b'{"id": "a b", "email": "bad id@example.org"}\n{"id": "U9", "email": "u9@example.org"}\n'
    )
    report = legacy.import_earlier(store.dynamo, tmp_path)
    assert UserRepository(store.dynamo).get("U9").first_name == "u9"
    assert len([p for p in report.problems if "cannot be read" in p["remark"]]) == 5


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2024-03-01T10:00:00.123456", datetime(2024, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2024-03-01 10:00:00", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("2024-03-01T10:00:00+02:00", datetime(2024, 3, 1, 8, tzinfo=UTC)),
        ("2024-03-01T10:00:00.000Z", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)),
        ("01/03/2024", datetime(2024, 3, 1, tzinfo=UTC)),
        ("01/03/2024 10:30", datetime(2024, 3, 1, 10, 30, tzinfo=UTC)),
        ("Fri, 01 Mar 2024 10:00:00 GMT", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("Fri Mar 01 2024 11:00:00 GMT+0100 (Central European Standard Time)",
         datetime(2024, 3, 1, 10, tzinfo=UTC)),
        (Decimal(1709287200), datetime(2024, 3, 1, 10, tzinfo=UTC)),
        (1709287200, datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("1709287200000", datetime(2024, 3, 1, 10, tzinfo=UTC)),
        (1709287200000, datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("yesterday", None), ("", None), (None, None), ("9999-01-01", None), ([], None),
        (True, None), ("9" * 40, None),
    ],
)  # fmt: skip
def test_times_in_all_forms(given, expected):
    assert read.moment(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["48.88", "2.34"], (48.88, 2.34)), (["2.34", "48.88"], (48.88, 2.34)),
        ({"latitude": Decimal("48.88"), "longitude": Decimal("2.34")}, (48.88, 2.34)),
        ({"x": "2.34", "y": "48.88"}, (48.88, 2.34)), ([], None), ([1], None), (None, None),
        (["a", "b"], None), (["0", "0"], None), ({"x": None}, None), ("48.88,2.34", None),
        (["NaN", "Infinity"], None),
    ],
)  # fmt: skip
def test_points_in_all_forms(given, expected):
    assert read.point(given) == expected


def test_numbers_in_all_forms():
    assert [read.whole(v) for v in ("200", 200, Decimal("200.0"), "2,5", "x", None, True, "1e99")] \
        == [200, 200, 200, None, None, None, None, None]  # fmt: skip
    assert [read.truth(v) for v in (True, "Yes", "no", 1, "", None, "perhaps")] == [
        True, True, False, True, None, None, None,
    ]  # fmt: skip
    assert NOW.tzinfo is not None


UNREADABLE = {
    "no JSON": b"{",
    "no text": b"\xff",
    "a list": b"[]",
    "a number": b"5",
    "no id": b'{"email": "a@example.org"}',
    "an id that is a list": b'{"id": ["a"]}',
    "an id that is a map": b'{"id": {"a": {}}}',
    "an id of nothing but a control character": b'{"id": "\\u0000"}',
    "an item that is a list": b'{"Item": []}',
    "a number of 60 digits": b'{"Item": {"id": {"S": "a"}, "n": {"N": "' + b"1" * 60 + b'"}}}',
    "a set of lists": b'{"Item": {"id": {"S": "a"}, "n": {"SS": [[]]}}}',
    "100,000 layers": b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 layers of types": b'{"id": {"L":' + b'[{"L":' * 100_000 + b"}",
    "a line of 9 MB": b'{"id": "' + b"x" * 9_000_000 + b'"}',
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_line_that_cannot_be_read_is_one_remark(name, dynamo, tmp_path):
    good = b'{"id": "U9"}'
    (tmp_path / "Event.jsonl").write_bytes(b"\n".join([good, UNREADABLE[name], good]))
    report = legacy.import_earlier(dynamo, tmp_path)
    unread = [p for p in report.problems if "cannot be read" in p["remark"]]
    assert [p["id"] for p in unread] == ["line 2"]
    assert len(report.problems) == 3


def test_one_bad_product_costs_no_post(store, tmp_path):
    tables = {"Post": [{"id": "T1", "description": "Miel"}], "Product": [{"id": ["x"], "nom": "x"}]}
    legacy.import_earlier(store.dynamo, written(tmp_path, tables))
    assert store.posts.get("T1").text == "Miel"


def test_half_a_character_is_told_and_not_stored(store, tmp_path):
    user = {"id": "U1", "email": "a@example.org", "first_name": "A\ud800da", "role": "\udfff"}
    report = legacy.import_earlier(store.dynamo, written(tmp_path, {"User": [user]}))
    assert UserRepository(store.dynamo).get("U1").first_name == "Ada"
    lines = (tmp_path / legacy.REPORT).read_text().splitlines()
    assert [json.loads(line) for line in lines] == report.problems
    assert "\udfff" in [p.get("value") for p in report.problems]


@pytest.mark.parametrize("form", ["pipe", "link", "folder"])
def test_what_is_no_file_is_refused_at_once(form, dynamo, tmp_path):
    path = tmp_path / "User.jsonl"
    (tmp_path / "aside").write_text('{"id": "U1"}\n')
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda p: p.symlink_to("aside")}[form](path)
    with pytest.raises(InputError, match=r"User\.jsonl cannot be read"):
        legacy.import_earlier(dynamo, tmp_path)


def test_what_is_set_aside_is_for_its_owner_alone(store, tmp_path):
    store.dynamo.put("User", {"id": "U1", "password": PASSWORD})
    legacy.set_aside(store.dynamo, tmp_path / "aside")
    assert (tmp_path / "aside").stat().st_mode & 0o777 == 0o700
    files = list((tmp_path / "aside").iterdir())
    assert PASSWORD in (tmp_path / "aside" / "User.jsonl").read_text()
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    victim = tmp_path / "victim"
    victim.write_text("mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / "User.jsonl").symlink_to(victim)
    with pytest.raises(InputError, match=r"User\.jsonl cannot be written"):
        legacy.set_aside(store.dynamo, other)
    assert victim.read_text() == "mine"
    with pytest.raises(InputError, match="cannot be used"):
        legacy.set_aside(store.dynamo, victim / "inside")
