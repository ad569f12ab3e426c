"""Whatever is done in whatever order, the store says what a plain model in memory says."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from doing_helpers import (
    Doing,
    a_campaign,
    a_comment,
    a_contribution,
    a_mission,
    a_post,
    an_application,
    an_association,
    every,
    settled,
    unique,
)
from helpers import NOW
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cityverse.data.ties import counting, counting_down
from cityverse.domain.applications import TRANSITIONS, ApplicationState
from cityverse.domain.community import MissionStatus
from cityverse.domain.giving import TRANSITIONS as MONEY_TRANSITIONS
from cityverse.domain.giving import ContributionState
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import (
    AlreadyExists,
    Closed,
    Conflict,
    Full,
    InvalidField,
    NotFound,
    WrongState,
)

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}
FEW = settings(max_examples=5, stateful_step_count=12, **QUIET)
MANY = settings(max_examples=60, stateful_step_count=40, **QUIET)
people = st.sampled_from(["u1", "u2", "u3"])
A, G = ApplicationState, ContributionState


class Machine(RuleBasedStateMachine):
    """A machine over the repositories, which the test gives to the class."""

    doing: Doing


class Reactions(Machine):
    """Reactions to one post against a dict."""

    def __init__(self):
        super().__init__()
        self.post = self.doing.posts.create(a_post())
        self.model = {}

    @rule(user=people, kind=st.sampled_from(ReactionKind))
    def react(self, user, kind):
        assert self.doing.reactions.react(self.post.id, user, kind, NOW).reaction is kind
        self.model[user] = kind

    @rule(user=people)
    def withdraw(self, user):
        self.doing.reactions.withdraw(self.post.id, user)
        self.model.pop(user, None)

    @rule()
    def edit(self):
        self.post = self.doing.posts.replace(self.post, replace(self.post, title="Autrement"))

    @invariant()
    def rows_and_counters_are_those_of_the_model(self):
        listed = every(self.doing.reactions.of_post, self.post.id)
        assert {row.user_id: row.reaction for row in listed} == self.model
        counted = self.doing.posts.get(self.post.id).reactions
        assert {k: n for k, n in counted.items() if n} == Counter(self.model.values())


class Comments(Machine):
    """The thread of one post against a dict of words; None is a tombstone."""

    def __init__(self):
        super().__init__()
        self.post = self.doing.posts.create(a_post())
        self.model = {}

    @rule(data=st.data(), words=st.sampled_from(["Bravo", "Merci"]))
    def write(self, data, words):
        parent = data.draw(st.sampled_from([None, *self.model]))
        comment = a_comment(self.post.id, text=words, parent_id=parent)
        if parent is not None and self.model[parent] is None:
            with pytest.raises(NotFound):
                self.doing.comments.create(comment)
        else:
            self.doing.comments.create(comment)
            self.model[comment.id] = words

    @rule(data=st.data())
    def edit(self, data):
        if not self.model:
            return
        comment = self.doing.comments.get(data.draw(st.sampled_from([*self.model])))
        if self.model[comment.id] is None:
            with pytest.raises(Conflict):
                self.doing.comments.edit(comment, "Revenant", NOW)
        else:
            self.doing.comments.edit(comment, "Corrigé", NOW)
            self.model[comment.id] = "Corrigé"

    @rule(data=st.data())
    def delete(self, data):
        if not self.model:
            return
        comment = self.doing.comments.get(data.draw(st.sampled_from([*self.model])))
        self.doing.comments.delete(comment)
        self.model[comment.id] = None

    @invariant()
    def the_thread_and_its_counter_are_those_of_the_model(self):
        thread = every(self.doing.comments.of_post, self.post.id)
        assert {c.id: None if c.deleted else c.text for c in thread} == self.model
        alive = [words for words in self.model.values() if words is not None]
        assert self.doing.posts.get(self.post.id).comments == len(alive)


class Applications(Machine):
    """Applications to one mission against a dict of states."""

    def __init__(self):
        super().__init__()
        self.mission = self.doing.missions.create(a_mission(places=2))
        self.open = True
        self.model = {}
        self.line = []
        self.accepted = set()
        self.hours = count()

    def taken(self):
        return list(self.model.values()).count(A.APPROVED)

    def free(self):
        return self.open and self.taken() < self.mission.places

    def become(self, user, state, *, accepted=False):
        """What follows from a change: a place that is freed goes to the first in line."""
        old = self.model.get(user)
        given_up = old is A.APPROVED or (old is A.PENDING and self.free())
        if old is A.WAITING and state is not A.WAITING:
            self.line.remove(user)
        self.model[user] = state
        self.accepted -= {user}
        if accepted:
            self.accepted |= {user}
        if given_up and state in {A.REFUSED, A.WITHDRAWN} and self.open and self.line:
            heir = self.line.pop(0)
            self.model[heir] = A.APPROVED if heir in self.accepted else A.PENDING
            self.accepted -= {heir}

    @rule(user=people)
    def apply(self, user):
        later = NOW + timedelta(seconds=next(self.hours))
        create = self.doing.applications.create
        wanted = an_application(self.mission.id, user, created=later)
        if self.model.get(user, A.WITHDRAWN) is not A.WITHDRAWN:
            with pytest.raises(AlreadyExists):
                create(wanted)
        elif not self.open:
            with pytest.raises(Conflict):
                create(wanted)
        else:
            full = self.taken() >= self.mission.places
            self.model[user] = A.WAITING if full else A.PENDING
            assert create(wanted).state is self.model[user]
            self.line += [user] if full else []

    @rule(user=people, state=st.sampled_from([A.APPROVED, A.REFUSED, A.WAITING, A.WITHDRAWN]))
    def move(self, user, state):
        if user not in self.model:
            return
        old = self.model[user]
        allowed = old is state or state in TRANSITIONS[old]
        if state is A.APPROVED and old is not state:
            allowed = allowed and self.free()
        if state is A.WAITING and (old is not state or user in self.accepted):
            allowed = allowed and self.open and not self.free()
        one = an_application(self.mission.id, user).id
        if allowed:
            self.doing.applications.move(one, state, NOW)
            if state is A.WAITING and old is not state:
                self.line.append(user)
                self.line.sort(key=self.joined)
            if state is A.WAITING:
                self.accepted -= {user}
            if old is not state:
                self.become(user, state)
        else:
            with pytest.raises((WrongState, Closed, Full)):
                self.doing.applications.move(one, state, NOW)

    @rule(user=people)
    def delete(self, user):
        """An application goes with its place, in one step."""
        one = self.doing.applications.find(an_application(self.mission.id, user).id)
        if one is not None:
            self.doing.applications.delete(one)
            self.become(user, A.WITHDRAWN)
            del self.model[user]

    def joined(self, user):
        return self.doing.applications.get(an_application(self.mission.id, user).id).created

    @rule(user=people)
    def accept_for_later(self, user):
        """The team wants somebody for whom there is no place yet."""
        if self.model.get(user) not in {A.PENDING, A.WAITING} or not self.open or self.free():
            return
        one = an_application(self.mission.id, user).id
        self.doing.applications.move(one, A.WAITING, NOW, accepted=True)
        if self.model[user] is A.PENDING:
            self.model[user] = A.WAITING
            self.line.append(user)
            self.line.sort(key=self.joined)
        self.accepted |= {user}

    @rule()
    def advance(self):
        moved = self.doing.applications.advance(self.mission.id, NOW)
        expected = bool(self.line) and self.free()
        assert (moved is not None) == expected
        if expected:
            heir = self.line.pop(0)
            self.model[heir] = A.APPROVED if heir in self.accepted else A.PENDING
            self.accepted -= {heir}
            assert moved.user_id == heir

    @rule(places=st.integers(1, 3))
    def resize(self, places):
        wanted = replace(self.mission, places=places)
        if places < self.taken():
            with pytest.raises(InvalidField):
                self.doing.missions.replace(self.mission, wanted)
        else:
            self.mission = self.doing.missions.replace(self.mission, wanted)

    @rule()
    def open_or_close(self):
        self.open = not self.open
        status = MissionStatus.OPEN if self.open else MissionStatus.CLOSED
        wanted = replace(self.mission, status=status)
        self.mission = self.doing.missions.replace(self.mission, wanted)

    @invariant()
    def states_and_places_are_those_of_the_model(self):
        listed = every(self.doing.applications.of_mission, self.mission.id)
        assert {one.user_id: one.state for one in listed} == self.model
        stored = self.doing.missions.get(self.mission.id)
        assert stored.waiting == len(self.line)
        waiting = [one for one in listed if one.state is A.WAITING]
        assert [one.user_id for one in waiting] == self.line
        assert {one.user_id for one in waiting if one.accepted} == self.accepted
        numbers = [self.doing.applications.place_in_line(one) for one in waiting]
        assert numbers == list(range(1, len(self.line) + 1))
        assert stored.approved == self.taken() <= stored.places
        full = MissionStatus.FULL if stored.places_left == 0 else MissionStatus.OPEN
        assert stored.status is (full if self.open else MissionStatus.CLOSED)


class Contributions(Machine):
    """Contributions to one campaign against a dict of requests."""

    def __init__(self):
        super().__init__()
        self.campaign = self.doing.campaigns.create(a_campaign())
        self.prefix = unique("request")
        self.model = {}

    @rule(user=people, form=st.integers(0, 1), cents=st.integers(1, 2))
    def contribute(self, user, form, cents):
        gift = a_contribution(self.campaign.id, user, cents=cents)
        known = self.model.get((user, form))
        if known is not None and known[1] != cents:
            with pytest.raises(Conflict):
                self.doing.contributions.contribute(gift, f"{self.prefix}.{form}")
            return
        made = self.doing.contributions.contribute(gift, f"{self.prefix}.{form}")
        assert known is None or known[0] == made.id
        self.model.setdefault((user, form), (made.id, cents, G.PLEDGED))

    @rule(data=st.data(), state=st.sampled_from([G.CONFIRMED, G.REFUSED, G.REFUNDED]))
    def move(self, data, state):
        if not self.model:
            return
        key = data.draw(st.sampled_from(sorted(self.model)))
        item_id, cents, old = self.model[key]
        if old is state or state in MONEY_TRANSITIONS[old]:
            self.doing.contributions.move(item_id, state, NOW)
            self.model[key] = (item_id, cents, state)
        else:
            with pytest.raises(Conflict):
                self.doing.contributions.move(item_id, state, NOW)

    @invariant()
    def entries_and_sums_are_those_of_the_model(self):
        entries = every(self.doing.contributions.of_campaign, self.campaign.id)
        gifts = sorted((e.id, e.cents, e.state) for e in entries if not e.corrects)
        assert gifts == sorted(self.model.values())
        refunded = sorted(i for i, _, state in self.model.values() if state is G.REFUNDED)
        assert sorted(e.corrects for e in entries if e.corrects) == refunded
        confirmed = [cents for _, cents, state in self.model.values() if state is G.CONFIRMED]
        stored = self.doing.campaigns.get(self.campaign.id)
        assert (stored.raised, stored.gifts) == (sum(confirmed), len(confirmed))


class Counters(Machine):
    """Counters of a post, raised and lowered at will, against two numbers."""

    def __init__(self):
        super().__init__()
        self.post = self.doing.posts.create(a_post())
        self.model = {"comments": 0, "reactions_like": 0}

    @rule(comments=st.integers(-2, 2), likes=st.integers(-2, 2))
    def count(self, comments, likes):
        added = {"comments": comments, "reactions_like": likes}
        wanted = {name: self.model[name] + number for name, number in added.items()}
        write = counting("Posts", self.post.id, added).write
        if all(number >= 0 or added[name] >= 0 for name, number in wanted.items()):
            self.doing.dynamo.transact([write])
            self.model = wanted
        else:
            with pytest.raises(Conflict):
                self.doing.dynamo.transact([write])

    @rule(name=st.sampled_from(["comments", "reactions_like"]), number=st.integers(1, 2))
    def count_down(self, name, number):
        write = counting_down("Posts", self.post.id, {name: number})
        if self.model[name] >= number:
            self.doing.dynamo.transact([write])
            self.model[name] -= number
        else:
            with pytest.raises(Conflict):
                self.doing.dynamo.transact([write])

    @invariant()
    def no_counter_is_ever_below_nothing(self):
        stored = self.doing.posts.get(self.post.id)
        assert (stored.comments, stored.reactions_like) == tuple(self.model.values())
        assert min(self.model.values()) >= 0


class Deletions(Machine):
    """Associations, their posts and the comments of these against a tree."""

    def __init__(self):
        super().__init__()
        self.model = {}
        self.ever = {"Association": set(), "Posts": set(), "Comment": set()}

    @initialize()
    def start(self):
        """Two associations, since what is deleted does not come back."""
        for _ in range(2):
            made = self.doing.associations.create(an_association())
            self.model[made.id] = {}
            self.ever["Association"].add(made.id)

    @rule(data=st.data())
    def publish(self, data):
        author = data.draw(st.sampled_from(sorted(self.ever["Association"])))
        post = a_post(association_id=author, title="")
        if author in self.model:
            self.doing.posts.create(post)
            self.model[author][post.id] = set()
            self.ever["Posts"].add(post.id)
        else:
            with pytest.raises(NotFound):
                self.doing.posts.create(post)

    @rule(data=st.data())
    def comment(self, data):
        if not self.ever["Posts"]:
            return
        post_id = data.draw(st.sampled_from(sorted(self.ever["Posts"])))
        comment = a_comment(post_id)
        thread = next((p[post_id] for p in self.model.values() if post_id in p), None)
        if thread is None:
            with pytest.raises(NotFound):
                self.doing.comments.create(comment)
        else:
            self.doing.comments.create(comment)
            thread.add(comment.id)
            self.ever["Comment"].add(comment.id)

    @rule(data=st.data(), table=st.sampled_from(["Association", "Posts"]))
    def delete(self, data, table):
        if not self.ever[table]:
            return
        item_id = data.draw(st.sampled_from(sorted(self.ever[table])))
        self.doing.deletion.delete(table, item_id)
        self.model.pop(item_id, None)
        for posts in self.model.values():
            posts.pop(item_id, None)

    @invariant()
    def what_is_there_is_what_the_model_has(self):
        posts = {post for of_one in self.model.values() for post in of_one}
        threads = [thread for of_one in self.model.values() for thread in of_one.values()]
        there = {
            "Association": set(self.model),
            "Posts": posts,
            "Comment": set().union(*threads),
        }
        repositories = (self.doing.associations, self.doing.posts, self.doing.comments)
        for repository in repositories:
            found = repository.find_many(self.ever[repository.table])
            assert set(found) == there[repository.table]


MACHINES = [Reactions, Comments, Applications, Contributions, Counters, Deletions]


@pytest.mark.parametrize("steps", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("machine", MACHINES)
def test_the_store_agrees_with_the_model(dynamo, machine, steps):
    bound = type(machine.__name__, (machine,), {"doing": settled(dynamo)})
    run_state_machine_as_test(bound, settings=steps)
