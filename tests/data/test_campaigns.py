"""Donation campaigns: their rules, their lists, what they have raised."""

from dataclasses import replace

import pytest
from doing_helpers import a_campaign, a_contribution, an_association, settled, unique
from helpers import NOW, location

from cityverse.domain.giving import ContributionState
from cityverse.errors import InvalidField


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def test_a_campaign_is_listed_with_its_association(doing):
    association_id = doing.associations.create(an_association()).id
    campaign = doing.campaigns.create(
        a_campaign(association_id=association_id, location=location(9), tax_eligible=True)
    )
    assert doing.campaigns.page(limit=5, association_id=association_id).items == (campaign,)
    assert doing.campaigns.get(campaign.id) == campaign


def test_an_edit_leaves_what_was_raised(doing):
    campaign = doing.campaigns.create(a_campaign())
    gift = doing.contributions.contribute(a_contribution(campaign.id), unique("request"))
    doing.contributions.move(gift.id, ContributionState.CONFIRMED, NOW)
    doing.campaigns.replace(campaign, replace(campaign, goal=1))
    stored = doing.campaigns.get(campaign.id)
    assert (stored.goal, stored.raised, stored.gifts) == (1, 2_000, 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"goal": 0}, "goal"),
        ({"goal": 10.5}, "goal"),
        ({"raised": -1}, "raised"),
        ({"tax_reduction": 66}, "tax_reduction"),
        ({"tax_reduction": 101, "tax_eligible": True}, "tax_reduction"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"media": ("a b",)}, "media"),
        ({"title": ""}, "title"),
    ],
)
def test_the_field_that_breaks_a_rule_is_named(changes, field):
    with pytest.raises(InvalidField) as refused:
        a_campaign(**changes).check()
    assert refused.value.field == field
