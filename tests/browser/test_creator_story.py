"""A creator in a real browser: founds an association and posts a picture in its name."""

import io
import re
from datetime import UTC, datetime

import pytest
from helpers import settings_for
from people_helpers import user
from PIL import Image
from playwright.sync_api import expect
from test_account_stories import COOKIE

from cityverse.accounts.tokens import Keys, new_session
from cityverse.community import posting
from cityverse.data.store import connect
from cityverse.domain.people import Role

pytestmark = pytest.mark.slow


@pytest.fixture
def creator(reader, dashboard, city_folder):
    """The browser of somebody who is signed in and may found associations."""
    settings = settings_for(city_folder)
    now = datetime.now(UTC)
    who = connect(settings).users.create(
        user("creator", role=Role.CREATOR, first_name="Ada", last_name="Lovelace")
    )
    cookie = Keys.of(settings).session(new_session(who.id, who.session_version, now, 1), now)
    one = reader()
    one.context.add_cookies([{"name": COOKIE, "value": cookie, "url": dashboard}])
    return one


def a_picture():
    made = io.BytesIO()
    Image.new("RGB", (400, 300), "green").save(made, "PNG")
    return {"name": "jardin.png", "mimeType": "image/png", "buffer": made.getvalue()}


def found(creator):
    page = creator.page
    page.goto(creator.address + "/Associations")
    page.get_by_role("button", name="Fonder une association").click()
    page.get_by_label("Nom", exact=True).fill("Les Semeurs du 9e")
    search = page.get_by_label("Chercher un lieu ou une adresse")
    search.fill("rue des martyrs")
    search.press("Enter")
    page.get_by_role("button", name="Rue des Martyrs · 9e").click()
    page.get_by_role("button", name="Fonder", exact=True).click()
    expect(page.get_by_role("heading", name="Les Semeurs du 9e")).to_be_visible()
    expect(page.get_by_text("Pas encore vérifiée")).to_be_visible()


def write(creator):
    """A post with a picture and a point on the map, half of it before a reload."""
    page = creator.page
    page.goto(creator.address + "/Feed")
    page.get_by_role("button", name="Écrire une publication").click()
    page.get_by_role("combobox", name="Publier en tant que").click()
    page.get_by_role("option", name="Les Semeurs du 9e").click()
    text = page.get_by_label("Votre publication")
    text.fill("Premières pousses rue des Martyrs")
    text.blur()
    page.get_by_text("Photos, PDF", exact=True).click()
    page.locator("input[type=file]").set_input_files(a_picture())
    expect(page.get_by_role("button", name="Retirer : Photo 1")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Reprendre votre brouillon").click()
    expect(page.get_by_label("Votre publication")).to_have_value(
        "Premières pousses rue des Martyrs"
    )
    page.get_by_text("Lieu", exact=True).click()
    page.get_by_text("Choisir un point sur la carte").click()
    map_ = page.get_by_role("application")
    map_.click()
    expect(page.get_by_role("button", name=re.compile("^.*Retirer : (?!Photo)"))).to_be_visible()
    page.get_by_role("button", name="Publier", exact=True).click()
    expect(page.get_by_text("Votre publication est en ligne.")).to_be_visible()


def test_a_creator_founds_an_association_and_posts_a_picture(creator, city_folder):
    page = creator.page
    found(creator)
    write(creator)
    card = creator.cards().first
    expect(card).to_contain_text("Les Semeurs du 9e")
    picture = card.locator("img")
    assert picture.evaluate("async (image) => { await image.decode(); return image.naturalWidth }")
    card.click()
    expect(creator.dialog()).to_contain_text("Premières pousses")
    assert not creator.faults
    assert not creator.outside

    settings = settings_for(city_folder)
    store = connect(settings)
    who = store.users.get("creator")
    draft = posting.Draft("later", who.id, datetime.now(UTC), "Une autre")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "item=" not in url)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    posting.publish(store, who, draft, datetime.now(UTC), most=5)
    expect(page.get_by_role("button", name="Il y a de nouvelles publications")).to_be_visible(
        timeout=60_000
    )
    expect(creator.cards().first).to_contain_text("Premières pousses")
    page.get_by_role("button", name="Il y a de nouvelles publications").click()
    expect(creator.cards().first).to_contain_text("Une autre")
    store.deletion.delete("User", "creator")
