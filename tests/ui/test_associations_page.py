"""The directory of associations, the page of one, its form, its team and the queue."""

from datetime import UTC, datetime

import pytest
from helpers import association, mission, post

from cityverse.community import associations
from cityverse.domain.associations import Activity
from cityverse.domain.media import MediaKind
from cityverse.domain.people import Role

NOW = datetime.now(UTC)
PAGE = "pages/Associations.py"


@pytest.fixture
def garden(store):
    made = association(
        "sow",
        name="Les <b>Semeurs",
        description="Un jardin partagé",
        owner_id="ana",
        goals=frozenset({2, 15}),
        activities=frozenset({Activity.RECREATION}),
        website="https://example.org",
    )
    store.associations.create(association("other", name="Autre"))
    return made


def keyed(app, kind, key):
    return next(one for one in getattr(app.test, kind) if one.key == key)


def press(app, key):
    keyed(app, "button", key).click()
    return app.run()


def opened(app, **parameters):
    """The page at an address; a switch of pages drops what the address says."""
    app.open(PAGE)
    for name, value in parameters.items():
        app.test.query_params[name] = value
    return app.run()


def test_the_directory_filters_and_says_so_in_the_address(app, store, garden, sign_in):
    sign_in("ana")
    store.associations.create(garden)
    opened(app)
    assert app.titles("association_cards") == {"Les <b>Semeurs", "Autre"}
    keyed(app, "multiselect", "goals").set_value([2])
    app.run()
    assert app.titles("association_cards") == {"Les <b>Semeurs"}
    assert app.test.query_params["goals"] == "2"
    keyed(app, "multiselect", "goals").set_value([2, 3])
    keyed(app, "toggle", "every").set_value(True)
    app.run()
    assert "Aucune association ne correspond" in app.said()
    keyed(app, "segmented_control", "association_shown").set_value("map")
    app.run()
    assert app.test.get("deck_gl_json_chart")


def test_an_association_has_a_page_with_what_it_published(app, store, garden, sign_in):
    sign_in("ana")
    store.associations.create(garden)
    files = {"media": ("m" + "1" * 32,), "media_kinds": (MediaKind.IMAGE,)}
    store.posts.adopt(post("p1", association_id="sow", **files))
    store.missions.create(mission("m1", association_id="sow", starts=NOW))
    sign_in("zoe")
    opened(app, id="sow")
    html = app.html()
    assert "Les &lt;b&gt;Semeurs" in html
    assert "2. Faim" in html
    assert "Pas encore vérifiée" in html
    assert 'href="https://example.org"' in html
    assert app.titles("association_posts") == {"Premières tomates"}
    views = keyed(app, "segmented_control", "view")
    assert views.options == ["Publications", "Missions", "Photos"]
    views.set_value("photos")
    app.run()
    assert "/m/m" + "1" * 32 in app.html()
    press(app, "follow-sow")
    assert store.associations.get("sow").followers == 1
    assert not [one for one in app.test.button if one.key in {"to-edit", "to-team"}]


def test_one_that_is_gone_or_never_was_says_so(app, store):
    opened(app, id="x" * 500)
    assert "n'existe plus" in app.said()


def fill(app, **fields):
    for name, value in fields.items():
        area = "text_area" if name == "description" else "text_input"
        one = next(e for e in getattr(app.test, area) if (e.key or "").startswith(f"{name}-"))
        one.set_value(value)
    next(one for one in app.test.button if one.label in {"Fonder", "Enregistrer"}).click()
    return app.run()


def test_a_creator_founds_an_association_and_what_fails_stays(app, store, sign_in):
    sign_in("ana", role=Role.CREATOR)
    opened(app)
    press(app, "to-new")
    app.test.text_input(key="association-place").set_value("rue des martyrs")
    app.run()
    press(app, "association-found-0")
    fill(app, name="Les Semeurs", rna="W12", website="example.org")
    assert "W et neuf chiffres" in app.said()
    fill(app, rna="w751234567")
    assert "L'association est fondée" in app.said()
    (made,) = store.associations.page(limit=5).items
    assert (made.name, made.rna, made.website) == (
        "Les Semeurs",
        "W751234567",
        "https://example.org",
    )
    assert made.location.place == "Rue des Martyrs"
    assert made.owner_id == "ana"
    assert app.test.query_params["id"] == made.id


def test_a_resident_finds_no_way_to_found_one(app, store, sign_in):
    sign_in("zoe")
    opened(app)
    assert not [one for one in app.test.button if one.key in {"to-new", "to-verify"}]
    opened(app, form="verify")
    assert "Votre rôle" in app.said() or app.test.error


def test_editing_keeps_the_address_and_shows_the_change(app, store, garden, sign_in):
    sign_in("ana", role=Role.CREATOR)
    store.associations.create(garden)
    opened(app, id="sow")
    press(app, "to-edit")
    fill(app, description="Deux jardins")
    assert store.associations.get("sow").description == "Deux jardins"
    assert "Deux jardins" in app.html()


def test_the_team_is_invited_accepts_and_the_association_closes_and_stays(
    app, store, garden, sign_in
):
    sign_in("zoe", first_name="Zoé", last_name="")
    sign_in("ana", role=Role.CREATOR)
    store.associations.create(garden)
    opened(app, id="sow", form="team")
    app.test.text_input(key="invite_email").set_value("zoe@example.org")
    next(one for one in app.test.button if one.label == "Inviter").click()
    app.run()
    assert "Zoé" in app.said()
    press(app, "close")
    assert store.associations.get("sow").closing is None
    press(app, "close-yes")
    assert store.associations.get("sow").closing is not None
    press(app, "keep-open")
    assert store.associations.get("sow").closing is None


def test_who_was_invited_sees_it_and_accepts(app, store, garden, sign_in):
    ana = sign_in("ana")
    store.associations.create(garden)
    sign_in("zoe")
    associations.invite(store, ana, "sow", "zoe@example.org", NOW)
    opened(app)
    press(app, "accept-sow")
    assert store.associations.get("sow").editors == {"zoe"}
    assert keyed(app, "button", "mine-sow")


def test_a_manager_verifies_or_declines_with_a_reason(app, store, garden, sign_in):
    ana = sign_in("ana", role=Role.CREATOR)
    for item in ("sow", "reap"):
        associations.found(store, ana, association(item), NOW)
    sign_in("max", role=Role.MANAGER)
    opened(app)
    press(app, "to-verify")
    press(app, "verify.accept-sow")
    assert store.associations.get("sow").verified
    press(app, "verify.decline-reap")
    assert "Donnez un motif" in app.said()
    app.test.text_area(key="reason-reap").set_value("Inconnue")
    press(app, "verify.decline-reap")
    assert "Rien n'attend" in app.said()
