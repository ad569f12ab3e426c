"""Campaigns, gifts and their receipts as use cases: who may what, races, sums, sequences."""

import contextlib
import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
from doing_helpers import a_contribution
from helpers import association
from hypothesis import given
from hypothesis import strategies as st
from people_helpers import at_once, user

from cityverse.community import campaigns, receipts
from cityverse.community.campaigns import CampaignForm, GiftForm, Search
from cityverse.community.city import CITY_ZONE
from cityverse.domain.giving import (
    CENTS_MOST,
    CampaignStatus,
    ContributionState,
    PaymentMethod,
    contribution_id,
    parse_cents,
)
from cityverse.domain.moderation import Moderated
from cityverse.domain.notifications import Topic
from cityverse.domain.people import Role
from cityverse.domain.tax_receipts import Eligibility, Issuer, check_siren, in_words
from cityverse.errors import (
    Closed,
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RequestDiffers,
    VersionConflict,
    WrongState,
)
from cityverse.ui import tax_receipt

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = NOW.astimezone(CITY_ZONE).year
S = ContributionState
ISSUER = Issuer("sow", "Les Semeurs", "1 rue Monge, 75005 Paris", "Jardiner", "Zoé, présidente",
                siren="732829320")  # fmt: skip


@pytest.fixture
def city(store):
    for who in ("boss", "ana", "bob", "eve"):
        store.users.create(user(who, first_name=who.title(), last_name="Martin"))
    store.users.create(user("max", role=Role.MANAGER))
    store.associations.create(
        association("sow", name="Les Semeurs", owner_id="boss", verified=True, rna="W751234567")
    )
    return store


def person(city, who):
    return city.users.get(who)


def form(**changes):
    fields = {"id": "serre", "association_id": "sow", "title": "Une serre", "goal": 250_000,
              "description": "De quoi planter"}  # fmt: skip
    return CampaignForm(**(fields | changes))


def opened(city, **changes):
    return campaigns.save(city, person(city, "boss"), form(**changes), NOW)


def eligible(city):
    receipts.ask(city, person(city, "boss"), ISSUER, NOW)
    return receipts.decide(city, person(city, "max"), "sow", 1, NOW, granted=True)


def give(city, who="ana", request="r1", cents=1250, **changes):
    return campaigns.give(
        city, person(city, who), "serre", GiftForm(request, cents, **changes), NOW
    )


def confirm(city, gift, now=NOW):
    boss = person(city, "boss")
    return campaigns.confirm(city, boss, gift.id, now, PaymentMethod.TRANSFER, now)


def topics(city, who):
    return [one.topic for one in city.notifications.page(who, limit=50).items]


def issue(city, who="ana"):
    return receipts.issue(city, person(city, who), "sow", YEAR, "Ana Martin", "2 rue Monge", NOW)


def words_of(receipt):
    with pypdfium2.PdfDocument(tax_receipt.pdf(receipt)) as document:
        page = document[0]
        text = page.get_textpage()
        words = " ".join(text.get_text_range().split())
        text.close()
        page.close()
    return words


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12,50 €", 1250), ("12.5", 1250), (" 1 234,05 euros", 123_405), ("1\u202f000\xa0€", 100_000),
     ("€ 7", 700), ("0,01", 1), ("1000000", CENTS_MOST)],
)  # fmt: skip
def test_amounts_as_people_write_them(text, cents):
    assert parse_cents(text) == cents


@pytest.mark.parametrize(
    "text",
    ["0", "-5", "−5", "1e12", "1000000000000", "1.000", "1,234.56", "", "€", "12,505", "NaN",
     "1000000,01", "١٢", "12 50", "1 2345", "9" * 50, "5 €€", "=1+1", "0,00 €"],
)  # fmt: skip
def test_amounts_that_are_none(text):
    with pytest.raises(InvalidField) as refused:
        parse_cents(text)
    assert refused.value.field == "cents"


@given(st.integers(1, CENTS_MOST))
def test_every_amount_reads_back_as_it_is_shown(cents):
    for language in ("fr", "en"):
        shown = tax_receipt.euros(cents, language)
        assert parse_cents(shown.replace(",", " ") if language == "en" else shown) == cents


@given(st.text(max_size=50))
def test_any_text_is_an_amount_or_refused(text):
    with contextlib.suppress(InvalidField):
        assert 1 <= parse_cents(text) <= CENTS_MOST


@pytest.mark.parametrize(
    ("cents", "words"),
    [(100, "un euro"), (1250, "douze euros et cinquante centimes"), (1, "un centime"),
     (2100, "vingt et un euros"), (7100, "soixante et onze euros"), (8000, "quatre-vingts euros"),
     (8100, "quatre-vingt-un euros"), (9100, "quatre-vingt-onze euros"),
     (20_000, "deux cents euros"), (20_100, "deux cent un euros"), (100_000, "mille euros"),
     (20_000_000, "deux cent mille euros"), (8_000_000, "quatre-vingt mille euros"),
     (CENTS_MOST, "un million d'euros"), (200_000_100, "deux millions un euros")],
)  # fmt: skip
def test_amounts_in_words(cents, words):
    assert in_words(cents) == words


def test_only_a_verified_association_opens_but_any_keeps_a_draft(city):
    stored = city.associations.get("sow")
    city.associations.replace(stored, replace(stored, verified=False))
    with pytest.raises(NotAllowed):
        opened(city)
    draft = opened(city, draft=True)
    assert draft.status is CampaignStatus.DRAFT
    assert campaigns.find(city, Search(open_only=False), NOW).items == ()
    assert campaigns.about(city, person(city, "eve"), "serre") is None
    with pytest.raises(Closed):
        city.contributions.contribute(_raw_pledge(), "r9")
    boss = person(city, "boss")
    assert [one.id for one in campaigns.drafts(city, boss, "sow")] == ["serre"]
    stored = city.associations.get("sow")
    city.associations.replace(stored, replace(stored, verified=True))
    assert opened(city, version=1).status is CampaignStatus.OPEN
    assert campaigns.drafts(city, boss, "sow") == []
    assert [one.id for one in campaigns.find(city, Search(), NOW).items] == ["serre"]
    with pytest.raises(WrongState):
        campaigns.discard(city, boss, "serre")


def _raw_pledge():
    return a_contribution("serre", "ana", created=NOW)


def test_a_campaign_is_made_once_and_an_edit_sent_twice_changes_once(city):
    assert opened(city) == opened(city)
    edited = opened(city, version=1, title="Deux serres")
    assert opened(city, version=1, title="Deux serres") == edited
    with pytest.raises(VersionConflict):
        opened(city, version=1, title="Trois serres")
    with pytest.raises(InvalidField):
        opened(city, id="late", ends=NOW - timedelta(days=1))
    with pytest.raises(InvalidField, match="tax_eligible"):
        opened(city, id="tax", tax_eligible=True)


def test_what_a_moderator_hides_takes_nothing_and_is_seen_by_its_team_alone(city):
    stored = opened(city)
    city.campaigns.replace(stored, replace(stored, moderation=Moderated.HIDDEN))
    with pytest.raises(Closed):
        give(city)
    assert campaigns.find(city, Search(open_only=False), NOW).items == ()
    assert campaigns.find(city, Search("serre", open_only=False), NOW).items == ()
    assert campaigns.about(city, person(city, "eve"), "serre") is None
    assert campaigns.about(city, person(city, "boss"), "serre").team


def test_search_and_filters(city):
    opened(city)
    eligible(city)
    opened(city, id="puits", title="Un puits", tax_eligible=True)
    campaigns.set_open(city, person(city, "boss"), "serre", NOW, opened=False)

    def found(**wanted):
        return {one.id for one in campaigns.find(city, Search(**wanted), NOW).items}

    assert found() == {"puits"}
    assert found(open_only=False) == {"serre", "puits"}
    assert found(text="serre", open_only=False) == {"serre"}
    assert found(deductible_only=True) == {"puits"}
    assert found(arrondissement=3) == set()


def test_only_the_team_runs_it(city):
    opened(city)
    gift = give(city)
    for act in (
        lambda who: campaigns.save(city, who, form(version=1, title="X"), NOW),
        lambda who: campaigns.set_open(city, who, "serre", NOW, opened=False),
        lambda who: campaigns.donors(city, who, "serre"),
        lambda who: campaigns.donors_csv(city, who, "serre", str),
        lambda who: campaigns.confirm(city, who, gift.id, NOW, PaymentMethod.CASH, NOW),
        lambda who: campaigns.refuse(city, who, gift.id, NOW),
        lambda who: campaigns.refund(city, who, gift.id, NOW),
        lambda who: receipts.ask(city, who, ISSUER, NOW),
        lambda who: receipts.decide(city, who, "sow", 1, NOW, granted=True),
        lambda who: campaigns.take_back(city, who, gift.id),
    ):
        with pytest.raises(NotAllowed):
            act(person(city, "eve"))
        with pytest.raises(NotSignedIn):
            act(None)
    assert city.contributions.get(gift.id).state is S.PLEDGED


def test_a_form_sent_ten_times_is_one_gift_and_tells_the_team_once(city):
    opened(city)
    answers = at_once(*[lambda: give(city)] * 10)
    assert {one.id for one in answers} == {contribution_id("ana", "r1")}
    assert len(city.contributions.of_campaign("serre", limit=50).items) == 1
    assert topics(city, "boss") == [Topic.GIFT]
    with pytest.raises(RequestDiffers):
        give(city, cents=9900)


def test_confirmed_at_once_by_two_counts_once_and_is_told(city):
    opened(city)
    gift = give(city)
    at_once(*[lambda: confirm(city, gift)] * 4)
    stored = city.campaigns.get("serre")
    assert (stored.raised, stored.gifts) == (1250, 1)
    assert topics(city, "ana") == [Topic.GIFT_CONFIRMED]
    with pytest.raises(WrongState):
        campaigns.take_back(city, person(city, "ana"), gift.id)
    with pytest.raises(WrongState):
        campaigns.refuse(city, person(city, "boss"), gift.id, NOW)
    campaigns.refund(city, person(city, "boss"), gift.id, NOW)
    campaigns.refund(city, person(city, "boss"), gift.id, NOW)
    stored = city.campaigns.get("serre")
    assert (stored.raised, stored.gifts) == (0, 0)
    entries = city.contributions.of_campaign("serre", limit=50).items
    assert sorted(one.cents for one in entries) == [-1250, 1250]
    assert campaigns.public_donors(city, "serre") == []


def test_a_promise_taken_back_while_it_is_confirmed_is_one_or_the_other(city):
    opened(city)
    gift = give(city)
    at_once(
        lambda: campaigns.take_back(city, person(city, "ana"), gift.id),
        lambda: confirm(city, gift),
    )
    stored = city.contributions.find(gift.id)
    raised = city.campaigns.get("serre").raised
    assert (stored is None and raised == 0) or (stored.state is S.CONFIRMED and raised == 1250)


def test_a_campaign_closed_or_deleted_while_one_gives(city):
    opened(city)
    boss = person(city, "boss")
    answers = at_once(
        lambda: give(city),
        lambda: campaigns.set_open(city, boss, "serre", NOW, opened=False),
    )
    gift = city.contributions.find(contribution_id("ana", "r1"))
    assert (gift is None) == isinstance(answers[0], Closed)
    campaigns.set_open(city, boss, "serre", NOW, opened=True)
    answers = at_once(
        lambda: give(city, "bob", "r2"), lambda: city.deletion.delete("Association", "sow")
    )
    assert not isinstance(answers[0], Exception) or isinstance(answers[0], NotFound)
    assert city.contributions.find(contribution_id("bob", "r2")) is None
    assert city.campaigns.find("serre") is None


def test_who_gives_anonymously_is_hidden_and_the_team_sees_what_a_receipt_needs(city):
    opened(city)
    confirm(city, give(city, "ana", "r1", anonymous=True, message="Bravo"))
    confirm(city, give(city, "bob", "r2"))
    wanted = {"wants_receipt": True, "first_name": "Eve", "surname": "Roy", "address": "3 quai"}
    confirm(city, give(city, "eve", "r3", anonymous=True, **wanted))
    with pytest.raises(InvalidField, match="donor"):
        give(city, "eve", "r4", wants_receipt=True)
    assert {one.name for one in campaigns.public_donors(city, "serre")} == {"", "Bob M"}
    listed = campaigns.donors(city, person(city, "boss"), "serre").items
    assert {(one.surname, one.address) for one in listed} == {
        ("", ""), ("Martin", ""), ("Roy", "3 quai"),
    }  # fmt: skip
    notices = city.notifications.page("boss", limit=10).items
    assert {one.actor_name for one in notices} == {"", "Bob Martin"}
    assert all(one.actor_id is None for one in notices)


@given(st.text(max_size=20))
def test_no_cell_is_a_formula(text):
    cell = campaigns.safe_cell(text)
    plain = cell.lstrip("-").replace(",", "").isdigit()
    assert plain or cell[:1] not in set("=+-@\t\r\n|%")
    assert cell.endswith(text)


def test_the_list_of_donors_as_csv(city):
    opened(city)
    give(city, "ana", "r1", message='=HYPERLINK("http://x";"y")')
    gift = give(city, "bob", "r2", cents=5)
    campaigns.refund(city, person(city, "boss"), confirm(city, gift).id, NOW)
    data = campaigns.donors_csv(city, person(city, "boss"), "serre", lambda key: key)
    head, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig")), delimiter=";")
    assert head[2] == "csv.amount"
    assert sorted(row[2] for row in rows) == ["-0,05", "0,05", "12,50"]
    assert "'=HYPERLINK" in {row[5].partition("(")[0] for row in rows}


def test_who_may_issue_receipts_is_asked_and_granted_by_another(city):
    boss, manager = person(city, "boss"), person(city, "max")
    with pytest.raises(InvalidField, match="signatory"):
        receipts.ask(city, boss, replace(ISSUER, signatory=" "), NOW)
    first = receipts.ask(city, boss, ISSUER, NOW)
    assert receipts.ask(city, boss, ISSUER, NOW) == first
    assert [one.association_id for one in receipts.asked(city, manager)] == ["sow"]
    done = receipts.decide(city, manager, "sow", 1, NOW, granted=True)
    assert receipts.decide(city, manager, "sow", 1, NOW, granted=True) == done
    assert receipts.asked(city, manager) == []
    with pytest.raises(VersionConflict):
        receipts.decide(city, manager, "sow", 1, NOW, granted=False)
    changed = receipts.ask(city, boss, replace(ISSUER, address="Ailleurs", version=2), NOW)
    assert changed.eligibility is Eligibility.ASKED
    stored = city.associations.get("sow")
    city.associations.replace(stored, replace(stored, owner_id="max"))
    with pytest.raises(NotAllowed):
        receipts.decide(city, manager, "sow", 3, NOW, granted=True)


@pytest.mark.parametrize("siren", ["732829321", "12345678", "73282932O", "٧٣٢٨٢٩٣٢٠"])
def test_a_siren_that_is_none(siren):
    with pytest.raises(InvalidField):
        check_siren(siren)


def test_a_receipt_is_issued_once_and_read_again_with_the_same_number(city):
    eligible(city)
    opened(city, tax_eligible=True)
    gift = give(city, cents=108_150, wants_receipt=True, surname="Martin", address="2 rue Monge")
    with pytest.raises(NotFound):
        issue(city)  # it was not received yet
    confirm(city, gift)
    answers = at_once(*[lambda: issue(city)] * 6)
    assert {one.number for one in answers} == {f"{YEAR}-000001"}
    (year,) = receipts.years(city, person(city, "ana"))
    assert (year.open, [one.number for one in year.receipts]) == ((), [f"{YEAR}-000001"])
    text = words_of(answers[0])
    for fact in ("Les Semeurs", "W751234567", "732829320", "1 rue Monge", "Jardiner", "Ana Martin",
                 "2 rue Monge", "1 081,50", "mille quatre-vingt-un euros et cinquante centimes",
                 "Virement",
                 "200", "238 bis", f"{YEAR}-000001", "Zoé, présidente", "11580"):  # fmt: skip
        assert fact in text, fact


def test_numbers_have_no_gap_however_many_ask_at_once(city):
    eligible(city)
    opened(city, tax_eligible=True)
    people = ["ana", "bob", "eve"]
    for who in people:
        confirm(city, give(city, who, f"r-{who}"))
    answers = at_once(*[lambda w=w: issue(city, w) for w in people])
    assert {one.number for one in answers} == {f"{YEAR}-00000{n}" for n in (1, 2, 3)}
    assert len(city.tax_receipts.of_year("sow", YEAR, limit=50).items) == 3


def test_a_gift_that_is_cancelled_makes_its_receipt_void_and_the_rest_has_a_new_one(city):
    eligible(city)
    opened(city, tax_eligible=True)
    first, second = (confirm(city, give(city, "ana", f"r{n}", cents=n * 100)) for n in (1, 2))
    assert issue(city).cents == 300
    campaigns.refund(city, person(city, "boss"), first.id, NOW)
    old = city.tax_receipts.find("sow", f"{YEAR}-000001")
    assert old.voided == NOW
    assert "ANNULÉ" in words_of(old)
    new = issue(city)
    assert (new.number, new.cents, [g.contribution_id for g in new.gifts]) == (
        f"{YEAR}-000002", 200, [second.id],
    )  # fmt: skip
    assert issue(city).number == new.number
    answers = at_once(
        lambda: issue(city), lambda: campaigns.refund(city, person(city, "boss"), second.id, NOW)
    )
    assert answers
    assert city.tax_receipts.find("sow", new.number).voided == NOW
    with pytest.raises(NotFound):
        issue(city)


def test_no_receipt_without_leave_for_other_gifts_or_for_other_people(city):
    opened(city)
    confirm(city, give(city))
    with pytest.raises(NotAllowed):
        issue(city)
    granted = eligible(city)
    with pytest.raises(NotFound):
        issue(city)  # the campaign was not deductible when it was promised
    opened(city, version=1, tax_eligible=True)
    confirm(city, give(city, "ana", "r2"))
    with pytest.raises(NotFound):
        issue(city, "bob")
    with pytest.raises(InvalidField, match="donor_address"):
        receipts.issue(city, person(city, "ana"), "sow", YEAR, "Ana", " ", NOW)
    receipts.ask(city, person(city, "boss"), replace(ISSUER, name="Autre", version=2), NOW)
    with pytest.raises(NotAllowed):
        issue(city)
    assert granted.version == 2


def test_receipts_outlive_the_account_and_the_association(city):
    eligible(city)
    opened(city, tax_eligible=True)
    confirm(city, give(city))
    number = issue(city).number
    city.deletion.delete("Association", "sow")
    (year,) = receipts.years(city, person(city, "ana"))
    assert [one.number for one in year.receipts] == [number]
    city.deletion.delete("User", "ana")
    assert city.tax_receipts.find("sow", number).donor_name == "Ana Martin"
