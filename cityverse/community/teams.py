"""Who publishes in the name of which association."""

from __future__ import annotations

from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.community import Association
from cityverse.domain.people import User
from cityverse.domain.policy import Action

TEAMS_MOST = 50


def publishers(store: Store, who: User | None) -> list[Association]:
    """The associations a person owns or edits, up to fifty of each, by name."""
    if who is None:
        return []
    owned = store.associations.of_owner(who.id, limit=TEAMS_MOST).items
    joined = store.memberships.of_user(who.id, limit=TEAMS_MOST).items
    found = store.associations.find_many(
        [*(one.id for one in owned), *(one.association_id for one in joined)]
    )
    mine = (one for one in found.values() if policy.may(who, Action.PUBLISH, one))
    return sorted(mine, key=lambda association: association.name.casefold())
