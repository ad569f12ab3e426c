"""A campaign in a real browser: a creator opens it, a resident gives and has the receipt."""

from datetime import UTC, datetime

import pytest
from helpers import association, settings_for
from people_helpers import user
from playwright.sync_api import expect
from test_account_stories import COOKIE

from cityverse.accounts.tokens import Keys, new_session
from cityverse.community import receipts
from cityverse.data.store import connect
from cityverse.domain.people import Role
from cityverse.domain.tax_receipts import Issuer

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC)


@pytest.fixture
def store(city_folder):
    """An association of a creator's that may issue receipts, and a resident."""
    store = connect(settings_for(city_folder))
    boss = store.users.create(user("giver-boss", role=Role.CREATOR, email="boss@example.org"))
    chief = store.users.create(user("giver-chief", role=Role.MANAGER, email="chief@example.org"))
    store.users.create(user("giver", first_name="Ana", last_name="Roy", email="ana@example.org"))
    store.associations.create(
        association("giver-sow", name="Les Semeurs", owner_id=boss.id, verified=True, rna=None)
    )
    issuer = Issuer("giver-sow", "Les Semeurs", "1 rue", "Jardiner", "Zoé", siren="732829320")
    receipts.ask(store, boss, issuer, NOW)
    receipts.decide(store, chief, "giver-sow", 1, NOW, granted=True)
    yield store
    store.deletion.delete("Association", "giver-sow")
    for who in ("giver-boss", "giver-chief", "giver"):
        store.deletion.delete("User", who)


@pytest.fixture
def browser_of(reader, dashboard, city_folder, store):
    """The browser of somebody who is signed in."""

    def opened(who):
        now = datetime.now(UTC)
        cookie = Keys.of(settings_for(city_folder)).session(new_session(who, 1, now, 1), now)
        one = reader()
        one.context.add_cookies([{"name": COOKIE, "value": cookie, "url": dashboard}])
        return one

    return opened


def test_a_gift_from_the_campaign_to_the_receipt(browser_of, store):
    version = store.users.get("giver").session_version
    assert version == store.users.get("giver-boss").session_version
    creator, resident = browser_of("giver-boss"), browser_of("giver")
    page = creator.page
    page.goto(creator.address + "/Campaigns")
    page.get_by_role("button", name="Nouvelle collecte").click()
    page.get_by_label("Titre de la collecte").fill("Une serre pour tous")
    page.get_by_label("Montant visé, en euros").fill("2 500 €")
    page.get_by_role("button", name="Ouvrir la collecte").click()
    expect(page.get_by_role("heading", name="Une serre pour tous")).to_be_visible()

    mine = resident.page
    mine.goto(resident.address + "/Campaigns")
    resident.cards().filter(has_text="Une serre pour tous").click()
    mine.get_by_text("Je veux un reçu fiscal").click()
    mine.get_by_label("Adresse (rue, code postal, ville)").fill("2 rue Monge, 75005 Paris")
    mine.get_by_label("Montant en euros").fill("-5")
    mine.get_by_role("button", name="Promettre ce don").click()
    expect(mine.get_by_text("Écrivez un montant en euros")).to_be_visible()
    mine.get_by_label("Montant en euros").fill("12,50 €")
    mine.get_by_role("button", name="Promettre ce don").dblclick()
    expect(mine.get_by_text("Merci !")).to_be_visible()

    page.reload()
    expect(page.get_by_text("2 rue Monge, 75005 Paris")).to_have_count(1)
    page.get_by_role("button", name="Confirmer la réception").click()
    expect(page.get_by_text("Reçu par l'association")).to_be_visible()

    mine.goto(resident.address + "/Campaigns?view=mine")
    mine.get_by_role("button", name="Émettre le reçu").click()
    receipt = mine.get_by_role("button", name="Reçu n° ")
    with mine.expect_download() as download:
        receipt.click()
    assert download.value.path().read_bytes().startswith(b"%PDF")
    (gift,) = store.contributions.of_user("giver", limit=10).items
    assert gift.cents == 1250
    assert not creator.faults
    assert not resident.faults
