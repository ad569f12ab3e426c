"""Reports, one case an item, decisions with reasons, appeals by somebody else, the public log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from helpers import association, mission, post
from people_helpers import at_once, user

from cityverse.community import city, missions, moderation, posting, talk
from cityverse.community.city import Filter, Period
from cityverse.community.moderation import Filing, Verdict
from cityverse.domain.comments import Comment
from cityverse.domain.community import AuthorKind
from cityverse.domain.moderation import (
    APPEAL_WITHIN,
    AppealStatus,
    CaseStatus,
    Ground,
    Hint,
    Measure,
    Moderated,
    Reason,
    ReportStatus,
    hints,
    key_of,
)
from cityverse.domain.notifications import Topic
from cityverse.domain.people import Role, Status
from cityverse.domain.policy import Action, may
from cityverse.errors import (
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Taken,
    TooManyAttempts,
    VersionConflict,
    WrongState,
)

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(minutes=5)
SECRET = b"a secret of the tests, 32 bytes."


@pytest.fixture
def people(store):
    roles = {"max": Role.MANAGER, "mia": Role.MANAGER, "adam": Role.ADMIN}
    names = ("ana", "zoe", "max", "mia", "adam")
    return {
        name: store.users.create(user(name, role=roles.get(name, Role.RESIDENT))) for name in names
    }


@pytest.fixture
def said(store, people):
    """A post of Ana's, about a bicycle."""
    return store.posts.create(
        post(
            "p1", association_id=None, association_name="", author_kind=AuthorKind.RESIDENT,
            user_id="ana", user_name="Ana", text="Une bicyclette volante", created=NOW,
        )
    )  # fmt: skip


def filing(request="f1", target="post:p1", **changes):
    fields = {"id": request, "target": target, "reason": Reason.SPAM, "good_faith": True}
    return Filing(**(fields | changes))


def verdict(case, measure=Measure.HIDING, request="d1", **changes):
    fields = {
        "id": request, "case_id": case.id, "version": case.version, "measure": measure,
        "facts": "Le message vend des montres.", "ground": Ground.TERMS,
        "rule": "Pas de publicité", "explanation": "C'est une annonce.",
        "redress": "Vous avez six mois.",
    }  # fmt: skip
    return Verdict(**(fields | changes))


def reported(store, people, target="post:p1", by="zoe", request="f1", **changes):
    who = people[by] if by else None
    filed = moderation.report(store, who, filing(request, target, **changes), NOW)
    return store.cases.get(filed.case_id)


def decided(store, people, measure=Measure.HIDING, target="post:p1", **changes):
    case = reported(store, people, target)
    return moderation.decide(store, people["max"], verdict(case, measure, **changes), NOW)


def topics(store, person):
    return [one.topic for one in store.notifications.page(person, limit=20).items]


def feed_ids(store):
    listed = [item.id for item in city.feed(store, limit=9, cursor=None, arrondissement=None).items]
    found = city.look(store, Filter((), Period.ALL, text="bicyclette"), NOW).items
    words = city.feed(store, limit=9, cursor=None, arrondissement=None, text="bicyclette").items
    assert not [item for item in found if item.id == "p1"]  # no kind was asked for
    return listed, [item.id for item in words]


def test_a_report_keeps_the_item_as_it_was_and_is_counted_once(store, people, said):
    case = reported(store, people, text="  Publicité ")
    assert moderation.report(store, people["zoe"], filing(), LATER).case_id == case.id
    posting.edit(store, people["ana"], "p1", "Rien du tout", LATER)
    kept = store.reports.get("f1")
    assert (kept.evidence.text, kept.text) == ("Une bicyclette volante", "Publicité")
    assert (store.cases.get(case.id).reports, case.subject_id) == (1, "ana")
    assert case.due > NOW
    assert topics(store, "zoe") == [Topic.REPORT_RECEIVED]
    with pytest.raises(Taken):
        moderation.report(store, people["zoe"], filing("f2"), LATER)
    assert moderation.figures(store, NOW.date(), NOW.date())["reports"] == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"good_faith": False}, InvalidField),
        ({"target": "post:nothing"}, NotFound),
        ({"target": "poem:p1"}, InvalidField),
        ({"target": "campaign:c1"}, NotFound),
        ({"reason": Reason.OTHER}, InvalidField),
        ({"text": "x" * 10_000}, InvalidField),
        ({"email": "no address"}, InvalidField),
    ],
)
def test_bad_reports_are_refused(store, people, said, changes, error):
    with pytest.raises(error):
        moderation.report(store, None, filing(**changes), NOW)
    assert store.cases.open_of("post:p1") is None


def test_who_is_not_signed_in_may_report_too_but_not_in_bulk(store, people, said):
    case = reported(store, people, by=None, email="k@example.org", name="K", network="n")
    assert store.reports.get("f1").reporter_email == "k@example.org"
    assert [one.address for one in store.letters.due(LATER)] == ["k@example.org"]
    for n in range(2, 6):
        moderation.report(store, None, filing(f"f{n}", network="n"), NOW)
    with pytest.raises(TooManyAttempts):
        moderation.report(store, None, filing("f6", network="n"), NOW)
    assert store.cases.get(case.id).reports == 5


def test_reports_in_bulk_against_one_person_make_one_case_and_end(store, people, said):
    for n in range(30):
        store.users.create(user(f"r{n}"))
    by = [store.users.get(f"r{n}") for n in range(30)]
    sent = at_once(
        *(partial(moderation.report, store, one, filing(f"f{one.id}", "user:ana"), NOW)
          for one in by[:16])
    )  # fmt: skip
    assert {one.case_id for one in sent} == {sent[0].case_id}
    case = store.cases.get(sent[0].case_id)
    assert case.reports == 16
    assert len(moderation.queue(store, people["max"], CaseStatus.OPEN).items) == 1
    # One person may not go on and on against what belongs to one other.
    for n in range(6):
        store.posts.create(replace(said, id=f"x{n}"))
    for n in range(5):
        moderation.report(store, by[20], filing(f"g{n}", f"post:x{n}"), NOW)
    with pytest.raises(TooManyAttempts):
        moderation.report(store, by[20], filing("g5", "post:x5"), NOW)


def test_hidden_it_is_shown_nowhere_and_its_author_is_told_why(store, people, said):
    made = decided(store, people)
    assert store.posts.get("p1").moderation is Moderated.HIDDEN
    assert feed_ids(store) == ([], [])
    assert city.find(store, "post:p1") is None
    assert talk.about(store, None, "p1") is None
    assert not store.posts.page(limit=9, arrondissement=9).items
    assert [one.id for one in store.posts.of_user("ana", limit=9).items] == ["p1"]
    assert topics(store, "ana") == [Topic.DECISION]
    assert Topic.REPORT_DECIDED in topics(store, "zoe")
    names = {(one.name, one.user_id) for one in store.letters.due(LATER)}
    assert names == {("decision", "ana"), ("report_decided", "zoe")}
    assert store.reports.get("f1").status is ReportStatus.DECIDED
    shown = moderation.statement(store, people["ana"], made.id, None)
    assert (shown.decision.rule, shown.can_be_appealed(LATER)) == ("Pas de publicité", True)
    with pytest.raises(NotFound):
        moderation.statement(store, store.users.get("mia"), made.id, None)
    # Another time it is reported, it is another case; the first one ends by itself.
    assert store.cases.open_of("post:p1") is None
    moderation.settle_due(store, LATER)
    assert store.cases.get("f1").status is CaseStatus.DECIDED
    (line,) = moderation.public_log(store, f"{NOW:%Y-%m}").items
    assert (line.measure, line.rule) == (Measure.HIDING, "Pas de publicité")
    assert [one.what for one in moderation.audit(store, people["mia"], f"{NOW:%Y-%m}").items] == [
        "decide"
    ]
    assert moderation.figures(store, NOW.date(), NOW.date())[Measure.HIDING] == 1


def test_undone_it_is_there_again_as_it_was(store, people, said):
    before = feed_ids(store)
    made = decided(store, people, Measure.REMOVAL)
    over = NOW + APPEAL_WITHIN + timedelta(days=1)
    assert [one.item_id for one in store.removals.due(over)] == ["p1"]
    for _ in range(2):
        moderation.undo(store, people["max"], made.id, "Erreur de ma part", "u1", LATER)
    assert feed_ids(store) == before == (["p1"], ["p1"])
    assert store.removals.due(over) == []
    with pytest.raises(WrongState):
        moderation.undo(store, people["max"], made.id, "Encore", "u2", LATER)
    with pytest.raises(NotAllowed):
        moderation.undo(store, people["zoe"], made.id, "Moi", "u3", LATER)


def test_removed_it_goes_when_the_time_to_appeal_is_over(store, people, said):
    decided(store, people, Measure.REMOVAL)
    assert posting.remove_due(store, NOW + APPEAL_WITHIN - timedelta(days=1)) == 0
    posting.remove_due(store, NOW + APPEAL_WITHIN + timedelta(days=1))
    assert store.posts.find("p1") is None


def test_a_label_warns_and_hides_nothing(store, people, said):
    decided(store, people, Measure.LABEL)
    assert city.find(store, "post:p1").labelled
    assert feed_ids(store) == (["p1"], ["p1"])


def test_a_hidden_comment_loses_its_words_and_removed_it_goes(store, people, said):
    store.comments.create(Comment("c1", "p1", "ana", "Ana", "Acheter ici", NOW))
    store.comments.create(Comment("c2", "p1", "zoe", "Zoé", "Non", LATER, parent_id="c1"))
    decided(store, people, Measure.REMOVAL, "comment:c1")
    hidden, answer = talk.about(store, None, "p1").comments
    assert hidden.comment.moderation is Moderated.HIDDEN
    assert answer.comment.id == "c2"
    posting.remove_due(store, NOW + APPEAL_WITHIN + timedelta(days=1))
    assert store.comments.get("c1").deleted


def test_missions_and_associations_are_hidden_everywhere(store, people):
    store.associations.create(association("a9", owner_id="ana", name="Vélos"))
    starts = NOW + timedelta(days=1)
    store.missions.create(
        mission("m9", association_id="a9", starts=starts, ends=starts + timedelta(hours=2))
    )
    made = decided(store, people, Measure.HIDING, "mission:m9")
    assert made.subject_id == "ana"
    assert not store.missions.page(limit=9).items
    assert not store.missions.page(limit=9, association_id="a9").items
    assert not store.missions.get("m9").takes_applications(NOW)
    assert missions.about(store, people["zoe"], "m9") is None
    assert missions.about(store, people["ana"], "m9").mission.id == "m9"
    case = reported(store, people, "association:a9", request="f9")
    moderation.decide(store, people["mia"], verdict(case, request="d9"), NOW)
    assert city.find(store, "association:a9") is None
    # What is hidden still goes with its association.
    store.deletion.delete("Association", "a9")
    assert store.missions.find("m9") is None


def test_who_is_suspended_writes_nothing_until_it_ends(store, people, said):
    until = NOW + timedelta(days=3)
    made = decided(store, people, Measure.SUSPENSION, "user:ana", days=3)
    suspended = store.users.get("ana")
    assert (suspended.status, suspended.suspended_until) == (Status.SUSPENDED, until)
    assert suspended.session_version == people["ana"].session_version + 1
    with pytest.raises(NotAllowed):
        talk.comment(store, suspended, talk.Draft("c1", "p1", "Coucou"), NOW)
    assert not may(suspended, Action.POST)
    # The reasons are read, and an appeal made, by the key of the e-mail.
    shown = moderation.statement(store, None, made.id, "ana")
    assert moderation.appeal(store, shown, "Ce n'était pas moi", LATER).user_id == "ana"
    posting.remove_due(store, until - timedelta(minutes=1))
    assert store.users.get("ana").status is Status.SUSPENDED
    posting.remove_due(store, until + timedelta(minutes=1))
    assert store.users.get("ana").status is Status.ACTIVE


def test_a_ban_has_no_end_and_an_admin_is_for_admins(store, people):
    decided(store, people, Measure.BAN, "user:ana")
    posting.remove_due(store, NOW + timedelta(days=1000))
    assert store.users.get("ana").status is Status.SUSPENDED
    case = reported(store, people, "user:adam", request="f2")
    with pytest.raises(NotAllowed):
        moderation.decide(store, people["max"], verdict(case, Measure.BAN, "d2"), NOW)


def test_nobody_judges_what_is_their_own(store, people):
    store.posts.create(
        post("p2", association_id=None, association_name="", user_id="max", user_name="Max",
             author_kind=AuthorKind.RESIDENT)
    )  # fmt: skip
    store.associations.create(association("a9", owner_id="ana", editors=frozenset({"max"})))
    for target, request in (("post:p2", "f2"), ("user:max", "f3"), ("association:a9", "f4")):
        case = reported(store, people, target, request=request)
        assert moderation.open_file(store, people["max"], case.id, NOW).mine
        with pytest.raises(NotAllowed):
            moderation.decide(store, people["max"], verdict(case, Measure.NONE), NOW)
        with pytest.raises(NotAllowed):
            moderation.assign(store, people["max"], case, NOW, mine=True)
    with pytest.raises(NotAllowed):
        moderation.decide(store, people["zoe"], verdict(case), NOW)
    with pytest.raises(NotSignedIn):
        moderation.queue(store, None, CaseStatus.OPEN)


def test_of_two_moderators_at_once_one_wins(store, people, said):
    case = reported(store, people)
    outcomes = at_once(
        *(partial(moderation.decide, store, people[one], verdict(case, measure, f"d-{one}"), NOW)
          for one, measure in (("max", Measure.HIDING), ("mia", Measure.LABEL)))
    )  # fmt: skip
    made = [one for one in outcomes if not isinstance(one, Exception)]
    assert len(made) == 1
    assert all(isinstance(one, VersionConflict | WrongState) for one in outcomes if one not in made)
    state = {Measure.HIDING: Moderated.HIDDEN, Measure.LABEL: Moderated.LABELLED}
    assert store.posts.get("p1").moderation is state[made[0].measure]
    (stored,) = store.decisions.of_target("post:p1", limit=9).items
    assert stored == made[0]
    winner = people[made[0].moderator_id]
    again = verdict(case, made[0].measure, made[0].id)
    assert moderation.decide(store, winner, again, LATER) == made[0]


def test_a_case_is_taken_and_given_back(store, people, said):
    case = reported(store, people)
    moderation.assign(store, people["max"], case, NOW, mine=True)
    with pytest.raises(VersionConflict):
        moderation.assign(store, people["mia"], case, NOW, mine=True)
    taken = store.cases.get(case.id)
    assert taken.assigned_to == "max"
    moderation.assign(store, people["max"], taken, NOW, mine=False)
    assert store.cases.get(case.id).assigned_to is None


@pytest.mark.parametrize(
    "changes",
    [
        {"measure": Measure.BAN},
        {"measure": Measure.RESTORATION},
        {"facts": " "},
        {"rule": ""},
        {"explanation": ""},
        {"ground": None},
    ],
)
def test_a_decision_without_reasons_or_off_the_ladder_is_refused(store, people, said, changes):
    case = reported(store, people)
    with pytest.raises(InvalidField):
        moderation.decide(store, people["max"], verdict(case, **changes), NOW)
    assert store.cases.get(case.id).status is CaseStatus.OPEN


def appealed(store, people, measure=Measure.HIDING, by="ana"):
    made = decided(store, people, measure)
    shown = moderation.statement(store, people[by], made.id, None)
    return made, moderation.appeal(store, shown, "Je ne vends rien", LATER)


def test_an_appeal_is_decided_by_somebody_else_and_undoes(store, people, said):
    made, wanted = appealed(store, people)
    shown = moderation.statement(store, people["ana"], made.id, None)
    assert moderation.appeal(store, shown, "Encore", LATER) == wanted
    assert moderation.appeals(store, people["max"]) == [wanted]
    with pytest.raises(NotAllowed):
        moderation.decide_appeal(
            store, people["max"], wanted, LATER, overturned=False, reason="J'avais raison"
        )
    with pytest.raises(NotAllowed):
        moderation.decide_appeal(store, people["zoe"], wanted, LATER, overturned=True, reason="x")
    with pytest.raises(InvalidField):
        moderation.decide_appeal(store, people["mia"], wanted, LATER, overturned=True, reason="")
    overturn = partial(
        moderation.decide_appeal, store, people["mia"], wanted, LATER,
        overturned=True, reason="Elle ne vend rien",
    )  # fmt: skip
    overturn()
    assert store.posts.get("p1").moderation is None
    assert feed_ids(store) == (["p1"], ["p1"])
    assert store.appeals.get(wanted.id).status is AppealStatus.OVERTURNED
    assert Topic.APPEAL_DECIDED in topics(store, "ana")
    with pytest.raises(WrongState):
        overturn()
    assert moderation.figures(store, NOW.date(), LATER.date())["overturned"] == 1
    assert moderation.statement(store, people["ana"], made.id, None).revised


def test_two_decide_on_an_appeal_at_once(store, people, said):
    _, wanted = appealed(store, people)
    outcomes = at_once(
        *(partial(moderation.decide_appeal, store, people[one], wanted, LATER,
                  overturned=turned, reason="Parce que")
          for one, turned in (("mia", True), ("adam", False)))
    )  # fmt: skip
    assert sum(not isinstance(one, Exception) for one in outcomes) == 1
    overturned = store.appeals.get(wanted.id).status is AppealStatus.OVERTURNED
    assert (store.posts.get("p1").moderation is None) == overturned


def test_who_reported_may_appeal_against_inaction(store, people, said):
    _, wanted = appealed(store, people, Measure.NONE, by="zoe")
    assert wanted.against_inaction
    moderation.decide_appeal(
        store, people["mia"], wanted, LATER, overturned=True, reason="À revoir"
    )
    case = store.cases.open_of("post:p1")
    assert (case.assigned_to, case.status) == ("mia", CaseStatus.OPEN)
    moderation.decide(store, people["mia"], verdict(case, request="d2"), LATER)
    assert store.posts.get("p1").moderation is Moderated.HIDDEN


def test_where_nobody_else_is_an_admin_names_a_person(store, people, said):
    _, wanted = appealed(store, people)
    for email in ("max@example.org", "ana@example.org", "nobody@example.org"):
        with pytest.raises(InvalidField):
            moderation.name(store, people["adam"], wanted, email, LATER)
    with pytest.raises(NotAllowed):
        moderation.name(store, people["mia"], wanted, "zoe@example.org", LATER)
    moderation.name(store, people["adam"], wanted, "zoe@example.org", LATER)
    (named,) = moderation.appeals(store, people["zoe"])
    assert moderation.appeals(store, people["ana"]) == []
    moderation.decide_appeal(store, people["zoe"], named, LATER, overturned=False, reason="Si")
    assert store.posts.get("p1").moderation is Moderated.HIDDEN


def test_it_can_be_too_late_to_appeal(store, people, said):
    made = decided(store, people)
    shown = moderation.statement(store, people["ana"], made.id, None)
    with pytest.raises(WrongState):
        moderation.appeal(store, shown, "Hélas", made.created + APPEAL_WITHIN)


def test_keys_are_of_one_decision_and_one_party():
    keys = {key_of(SECRET, d, p) for d in ("d1", "d2") for p in ("ana", "zoe")}
    assert len(keys) == 4
    assert key_of(b"another", "d1", "ana") not in keys


def test_an_account_that_goes_takes_its_name_from_all(store, people, said):
    made, wanted = appealed(store, people)
    store.deletion.delete("User", "ana")
    assert store.decisions.get(made.id).subject_id is None
    assert store.cases.get("f1").subject_id is None
    assert store.appeals.get(wanted.id).user_id is None


def test_hints_only_suggest():
    text = "Montres à vendre sur https://a.example https://b.example www.c.example"
    assert hints(text, [], 0) == (Hint.LINKS,)
    assert hints("Un texte assez long pour compter", ["Un texte assez long pour compter !"], 0) == (
        Hint.SAME,
    )
    assert hints("ACHETEZ TOUT DE SUITE MAINTENANT", [], 12) == (Hint.OFTEN, Hint.CAPITALS)
    assert hints("Bonjour", ["Bonjour"], 0) == ()
