"""The page of campaigns: finding, giving, answering, and receipts."""

from datetime import UTC, datetime

import pytest
from helpers import association, location
from people_helpers import user

from cityverse.community import campaigns, receipts
from cityverse.community.campaigns import CampaignForm
from cityverse.domain.giving import CampaignStatus, ContributionState, PaymentMethod
from cityverse.domain.people import Role
from cityverse.domain.tax_receipts import Issuer

PAGE = "pages/Campaigns.py"
NOW = datetime.now(UTC)
S = ContributionState


@pytest.fixture
def garden(store):
    boss = store.users.create(user("boss", first_name="Zoé"))
    store.associations.create(
        association("sow", name="Les Semeurs", owner_id="boss", verified=True, rna="W751234567")
    )
    receipts.ask(store, boss, Issuer("sow", "Les Semeurs", "1 rue", "Jardiner", "Zoé"), NOW)
    chief = store.users.create(user("max", role=Role.MANAGER))
    receipts.decide(store, chief, "sow", 1, NOW, granted=True)
    for form in (
        CampaignForm("serre", "sow", "Une [serre]", "<b>Planter</b>", 250_000, tax_eligible=True,
                     tax_reduction=66, location=location(9)),
        CampaignForm("puits", "sow", "Un puits", "", 90_000),
        CampaignForm("secret", "sow", "Un secret", "", 90_000, draft=True),
    ):  # fmt: skip
        campaigns.save(store, boss, form, NOW)
    return store


def press(app, key):
    next(one for one in app.test.button if one.key == key).click()
    return app.run()


def text(app, key):
    return next(one for one in app.test.text_input if one.key and one.key.startswith(key))


def test_the_list_its_filters_and_its_emptiness(app, garden):
    app.open(PAGE)
    assert app.titles("campaign_cards") == {"Une [serre]", "Un puits"}
    app.test.toggle(key="c_tax").set_value(True)
    app.run()
    assert app.titles("campaign_cards") == {"Une [serre]"}
    assert app.test.query_params["c_tax"] == "1"
    app.test.selectbox(key="c_where").set_value(3)
    app.run()
    assert "Aucune collecte pour ces filtres" in app.said()
    app.test.query_params["campaign"] = "secret"
    app.run()
    assert "n'existe plus" in app.said()


def test_a_resident_gives_takes_back_gives_again_and_gets_the_receipt(app, garden, sign_in):
    ana = sign_in("ana", first_name="Ana", last_name="B")
    app.test.switch_page(PAGE)
    app.test.query_params["campaign"] = "serre"
    app.run()
    assert "&lt;b&gt;Planter" in app.html()
    for amount in ("-5", "0", "1e12"):
        text(app, "give-amount").set_value(amount)
        press(app, next(b.key for b in app.test.button if b.label == "Promettre ce don"))
        assert "Écrivez un montant en euros" in app.said()
        assert text(app, "give-amount").value == amount
    next(one for one in app.test.checkbox if one.key.startswith("give-receipt")).check()
    app.run()
    text(app, "give-amount").set_value("81,50 €")
    app.button("Promettre ce don").click()
    app.run()
    assert "il faut votre nom et votre adresse" in app.said()
    text(app, "give-address").set_value("2 rue Monge, 75005 Paris")
    app.button("Promettre ce don").click()
    app.run()
    assert "Merci" in app.said()
    (gift,) = garden.contributions.of_user(ana.id, limit=10).items
    assert (gift.cents, gift.surname, gift.state) == (8150, "B", S.PLEDGED)
    app.test.query_params["view"] = "mine"
    app.run()
    press(app, f"undo-{gift.id}")
    press(app, f"undo-{gift.id}")
    assert garden.contributions.find(gift.id) is None
    form = campaigns.GiftForm("r2", 5000, True, "", True, "Ana", "B", "2 rue Monge")
    gift = campaigns.give(garden, ana, "serre", form, NOW)
    boss = garden.users.get("boss")
    campaigns.confirm(garden, boss, gift.id, NOW, PaymentMethod.CHEQUE, NOW)
    app.run()
    app.button("Émettre le reçu").click()
    app.run()
    assert "Le reçu est émis" in app.said()
    (year,) = receipts.years(garden, ana)
    (receipt,) = year.receipts
    assert (receipt.cents, receipt.donor_name) == (5000, "Ana B")
    labels = [b.proto.label.replace("\\", "") for b in app.test.get("download_button")]
    assert [label for label in labels if receipt.number in label]


def test_a_team_opens_answers_and_closes(app, store, sign_in):
    boss = sign_in("chef", first_name="Zoé")
    sow = association("sow", name="Les Semeurs", owner_id=boss.id, verified=True)
    store.associations.create(sow)
    app.open(PAGE)
    press(app, "to-new")
    assert "peut émettre des reçus fiscaux" in app.said()
    key = next(one.key for one in app.test.text_input if (one.key or "").endswith("-title"))
    prefix = key.removesuffix("-title")
    app.test.text_input(key=key).set_value("Des ruches")
    app.test.text_input(key=f"{prefix}-goal").set_value("beaucoup")
    press(app, f"{prefix}-open")
    assert "Écrivez le montant visé" in app.said()
    assert app.test.text_input(key=key).value == "Des ruches"
    app.test.text_input(key=f"{prefix}-goal").set_value("1 500,50 €")
    press(app, f"{prefix}-open")
    (campaign,) = campaigns.find(store, campaigns.Search(), NOW).items
    assert (campaign.title, campaign.goal) == ("Des ruches", 150_050)
    bob = store.users.create(user("bob", first_name="Bob", last_name="<i>Roy</i>"))
    gift = campaigns.give(store, bob, campaign.id, campaigns.GiftForm("r1", 700), NOW)
    app.run()
    assert "&lt;i&gt;Roy" in app.html()
    press(app, f"confirm-{gift.id}")
    stored = store.contributions.get(gift.id)
    assert (stored.state, stored.method) == (S.CONFIRMED, PaymentMethod.TRANSFER)
    press(app, f"refund-{gift.id}")
    press(app, f"refund_yes-{gift.id}")
    assert store.campaigns.get(campaign.id).raised == 0
    next(one for one in app.test.get("button_group") if one.key == f"team-{campaign.id}").set_value(
        "status"
    )
    app.run()
    press(app, f"open-{campaign.id}")
    assert store.campaigns.get(campaign.id).status is CampaignStatus.CLOSED
    assert "Cette collecte est terminée" in app.said()


def test_a_manager_grants_that_receipts_are_issued(app, garden, sign_in):
    boss = garden.users.get("boss")
    changed = Issuer("sow", "Les Semeurs", "2 quai", "Jardiner", "Zoé", version=2)
    receipts.ask(garden, boss, changed, NOW)
    sign_in("chief", role=Role.MANAGER)
    app.open(PAGE)
    press(app, "to-receipts")
    assert "2 quai" in app.html()
    press(app, "decide-sow-3-True")
    assert "Aucune demande n'attend" in app.said()
    assert garden.tax_receipts.issuer("sow").eligibility == "granted"
