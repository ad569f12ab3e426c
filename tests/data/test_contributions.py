"""Contributions: once a request, whole cents, never changed but cancelled."""

from dataclasses import replace

import pytest
from doing_helpers import a_campaign, a_contribution, a_person, every, settled, unique
from helpers import NOW, clear

from cityverse.domain.giving import CampaignStatus, ContributionState
from cityverse.errors import (
    AlreadyExists,
    Closed,
    InvalidField,
    NotFound,
    RequestDiffers,
    WrongState,
)

S = ContributionState


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


@pytest.fixture
def campaign(doing):
    return doing.campaigns.create(a_campaign())


def raised(doing, campaign):
    stored = doing.campaigns.get(campaign.id)
    return stored.raised, stored.gifts


def give(doing, campaign, user="u1", **changes):
    return doing.contributions.contribute(
        a_contribution(campaign.id, user, **changes), unique("request")
    )


def test_a_request_makes_one_contribution_however_often_it_is_sent(doing, campaign):
    request = unique("request")
    first = doing.contributions.contribute(a_contribution(campaign.id), request)
    later = a_contribution(campaign.id, created=NOW.replace(hour=13))
    assert doing.contributions.contribute(later, request) == first
    doing.contributions.move(first.id, S.CONFIRMED, NOW)
    assert doing.contributions.contribute(later, request).state is S.CONFIRMED
    assert len(every(doing.contributions.of_campaign, campaign.id)) == 1
    with pytest.raises(AlreadyExists):
        doing.contributions.create(a_contribution(campaign.id, id=request))


@pytest.mark.parametrize("changes", [{"cents": 2_001}, {"surname": "Durand"}])
def test_a_repetition_with_another_content_is_refused(doing, campaign, changes):
    request = unique("request")
    doing.contributions.contribute(a_contribution(campaign.id), request)
    with pytest.raises(RequestDiffers):
        doing.contributions.contribute(a_contribution(campaign.id, **changes), request)
    assert len(every(doing.contributions.of_campaign, campaign.id)) == 1


def test_a_repetition_after_its_receipt_expired_is_still_no_second_gift(doing, campaign):
    request = unique("request")
    first = doing.contributions.contribute(a_contribution(campaign.id), request)
    clear(doing.dynamo, "Receipt")
    assert doing.contributions.contribute(a_contribution(campaign.id), request) == first
    with pytest.raises(RequestDiffers):
        doing.contributions.contribute(a_contribution(campaign.id, cents=1), request)


def test_the_same_request_id_of_another_person_is_another_request(doing, campaign):
    request = unique("request")
    one = doing.contributions.contribute(a_contribution(campaign.id, "u1"), request)
    two = doing.contributions.contribute(a_contribution(campaign.id, "u2"), request)
    assert one.id != two.id


def test_only_confirmed_contributions_count_and_each_once(doing, campaign):
    one, two = give(doing, campaign, cents=500), give(doing, campaign, "u2", cents=700)
    assert raised(doing, campaign) == (0, 0)
    for _ in range(2):
        doing.contributions.move(one.id, S.CONFIRMED, NOW)
    assert raised(doing, campaign) == (500, 1)
    doing.contributions.move(two.id, S.REFUSED, NOW)
    with pytest.raises(WrongState):
        doing.contributions.move(two.id, S.CONFIRMED, NOW)
    assert raised(doing, campaign) == (500, 1)


def test_a_refund_writes_an_entry_of_the_opposite_amount(doing, campaign):
    one = give(doing, campaign, cents=500)
    with pytest.raises(WrongState):
        doing.contributions.move(one.id, S.REFUNDED, NOW)
    doing.contributions.move(one.id, S.CONFIRMED, NOW)
    for _ in range(2):
        doing.contributions.move(one.id, S.REFUNDED, NOW)
    assert raised(doing, campaign) == (0, 0)
    entries = every(doing.contributions.of_campaign, campaign.id)
    assert sorted((e.cents, e.state, e.corrects) for e in entries) == [
        (-500, S.CONFIRMED, one.id),
        (500, S.REFUNDED, None),
    ]
    cancelling = next(entry for entry in entries if entry.corrects)
    assert (cancelling.surname, cancelling.address) == ("", "")
    with pytest.raises(WrongState):
        doing.contributions.move(cancelling.id, S.REFUNDED, NOW)


def test_money_is_never_edited_or_deleted_once_confirmed(doing, campaign):
    one = give(doing, campaign)
    with pytest.raises(WrongState):
        doing.contributions.replace(one, replace(one, cents=1))
    confirmed = doing.contributions.move(one.id, S.CONFIRMED, NOW)
    with pytest.raises(WrongState):
        doing.contributions.delete(confirmed)
    erased = doing.contributions.erase(confirmed)
    assert doing.contributions.get(one.id) == erased
    assert (erased.surname, erased.cents, erased.state) == ("", 2_000, S.CONFIRMED)


def test_closed_past_and_missing_campaigns_take_nothing(doing):
    closed = doing.campaigns.create(a_campaign(status=CampaignStatus.CLOSED))
    over = doing.campaigns.create(a_campaign(ends=NOW))
    for campaign in (closed, over):
        with pytest.raises(Closed):
            give(doing, campaign)
        assert every(doing.contributions.of_campaign, campaign.id) == []
    with pytest.raises(NotFound):
        doing.contributions.contribute(a_contribution("nowhere"), unique("request"))


def test_who_gave_finds_it_by_the_index_of_the_seed(doing, campaign):
    user = a_person(doing, "giver")
    one = give(doing, campaign, user)
    assert every(doing.contributions.of_user, user) == [one]
    item = doing.dynamo.get("Donations", {"id": one.id})
    assert item["donation_id"] == campaign.id
    assert "campaign_id" not in item


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cents": 0}, "cents"),
        ({"cents": -5}, "cents"),
        ({"cents": 100_000_001}, "cents"),
        ({"cents": 19.99}, "cents"),
        ({"cents": True}, "cents"),
        ({"currency": "USD"}, "currency"),
        ({"message": "x" * 10_000}, "message"),
        ({"corrects": "c1"}, "cents"),
    ],
)
def test_the_field_that_breaks_a_rule_is_named(changes, field):
    with pytest.raises(InvalidField) as refused:
        a_contribution("campaign", **changes).check()
    assert refused.value.field == field
