"""Reports and decisions: a queue by status, one pending report a person, decisions that stay."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import NOW, stand_in
from people_helpers import all_pages, decision, nobody, report, rows

from cityverse.data.reports import DECIDED_AT_ONCE_MOST, DecisionRepository
from cityverse.domain.moderation import Ground, Measure, Reason, ReportStatus
from cityverse.errors import AlreadyExists, InvalidField, NotFound, Taken, VersionConflict


@pytest.fixture
def people(dynamo):
    people = nobody(dynamo)
    stand_in(dynamo, "User", *(f"u{n}" for n in range(50)))
    return people


def queue(people, status=ReportStatus.OPEN):
    return [r.id for r in people.reports.queue(status, limit=100).items]


def test_a_person_has_one_pending_report_on_an_item(people):
    first = people.reports.create(report("r1"))
    with pytest.raises(Taken):
        people.reports.create(report("r2"))
    people.reports.create(report("r2", target="post:p2"))
    people.reports.create(report("r3", reporter_id="u2"))
    people.reports.create(report("r4", reporter_id=None))
    people.reports.create(report("r5", reporter_id=None))
    reviewed = people.reports.replace(first, replace(first, status=ReportStatus.IN_REVIEW))
    with pytest.raises(Taken):
        people.reports.create(report("r6"))
    people.reports.replace(reviewed, replace(reviewed, status=ReportStatus.WITHDRAWN))
    people.reports.create(report("r6"))


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_the_queue_runs_from_the_oldest_and_an_item_from_the_newest(people, limit):
    for n in (3, 1, 4, 0, 2):
        at = NOW + timedelta(minutes=n)
        people.reports.create(report(f"r{n}", reporter_id=f"u{n}", created=at))
    people.reports.create(report("other", target="post:p2"))
    forward, backward = all_pages(lambda **p: people.reports.queue(ReportStatus.OPEN, **p), limit)
    assert [r.id for r in forward] == ["other", "r0", "r1", "r2", "r3", "r4"]
    assert backward == forward
    forward, backward = all_pages(lambda **p: people.reports.of_target("post:p1", **p), limit)
    assert [r.id for r in forward] == ["r4", "r3", "r2", "r1", "r0"]
    assert backward == forward


def test_a_report_moves_from_queue_to_queue(people):
    first = people.reports.create(report())
    assert queue(people) == ["r1"]
    second = people.reports.replace(
        first, replace(first, status=ReportStatus.IN_REVIEW, assigned_to="manager")
    )
    assert (queue(people), queue(people, ReportStatus.IN_REVIEW)) == ([], ["r1"])
    third = people.reports.replace(second, replace(second, status=ReportStatus.OPEN))
    with pytest.raises(InvalidField):
        people.reports.replace(
            third, replace(third, status=ReportStatus.DECIDED, decision_id="no-such-decision")
        )
    gone = people.reports.replace(third, replace(third, status=ReportStatus.WITHDRAWN))
    with pytest.raises(InvalidField):
        people.reports.replace(gone, replace(gone, status=ReportStatus.OPEN))
    assert queue(people) == []


def test_a_decision_closes_its_reports(people):
    reports = [people.reports.create(report(f"r{n}", reporter_id=f"u{n}")) for n in range(3)]
    made = people.decisions.decide(decision(), reports[:2])
    assert people.decisions.get("d1") == made
    assert queue(people) == ["r2"]
    closed = people.reports.get("r0")
    assert (closed.status, closed.decision_id) == (ReportStatus.DECIDED, "d1")
    # The person may report the item again, should it come back.
    people.reports.create(report("r9", reporter_id="u0"))
    for status in set(ReportStatus) - {ReportStatus.DECIDED}:
        with pytest.raises(InvalidField):
            people.reports.replace(closed, replace(closed, status=status, decision_id=None))


def test_as_many_reports_as_allowed_are_decided_at_once(people):
    reports = [
        people.reports.create(report(f"r{n}", reporter_id=f"u{n}"))
        for n in range(DECIDED_AT_ONCE_MOST + 1)
    ]
    with pytest.raises(InvalidField):
        people.decisions.decide(decision(), reports)
    people.decisions.decide(decision(), [reports[0], *reports[:-1]])
    assert queue(people) == [reports[-1].id]


def test_a_decision_repeated_or_too_late_changes_nothing(people):
    first = people.reports.create(report())
    people.decisions.decide(decision("d1"), [first])
    with pytest.raises(AlreadyExists):
        people.decisions.decide(decision("d1", facts="Something else"))
    with pytest.raises(VersionConflict):
        people.decisions.decide(decision("d2"), [first])
    decided = people.reports.get("r1")
    with pytest.raises(InvalidField):
        people.decisions.decide(decision("d2"), [decided])
    with pytest.raises(InvalidField):
        people.reports.replace(decided, replace(decided, decision_id="d2"))
    other = people.reports.create(report("r2", target="post:p2"))
    with pytest.raises(InvalidField):
        people.decisions.decide(decision("d2"), [other])
    assert people.reports.get("r1").decision_id == "d1"
    assert people.decisions.get("d1") == decision("d1")
    assert [row["id"] for row in rows(people.store.dynamo, "Decision")] == ["d1"]
    with pytest.raises(NotFound):
        people.decisions.get("d2")


def test_decisions_can_only_be_added():
    writing = {name for name in dir(DecisionRepository) if not name.startswith("_")}
    adding = {"decide", "adding", "record"}
    reading = {"table", "get", "find", "of_target", "of_subject", "of_month"}
    # The person whose item it was is taken from a decision with their account.
    assert writing == adding | reading | {"disown"}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_what_was_decided_on_an_item_is_listed_from_the_newest(people, limit):
    for n in range(3):
        people.decisions.decide(decision(f"d{n}", created=NOW + timedelta(minutes=n)))
    restored = decision(
        "d9", created=NOW + timedelta(days=1), measure=Measure.RESTORATION, revises="d2",
        ground=None, rule="", explanation="", redress="",
    )  # fmt: skip
    people.decisions.decide(restored)
    forward, backward = all_pages(lambda **p: people.decisions.of_target("post:p1", **p), limit)
    assert [d.id for d in forward] == ["d9", "d2", "d1", "d0"]
    assert forward[0] == restored
    assert backward == forward


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": "p1"}, "target"),
        ({"target": "poem:p1"}, "target"),
        ({"target": "post:"}, "target"),
        ({"target": 7}, "target"),
        ({"reason": "dull"}, "reason"),
        ({"reason": Reason.OTHER}, "text"),
        ({"text": "x" * 10_000}, "text"),
        ({"status": ReportStatus.DECIDED}, "decision_id"),
        ({"decision_id": "d1"}, "decision_id"),
        ({"status": "done"}, "status"),
        ({"reporter_id": ""}, "reporter_id"),
    ],
)
def test_bad_reports_are_refused_by_name(changes, field):
    with pytest.raises(InvalidField) as refused:
        report(**changes).check()
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"facts": ""}, "facts"),
        ({"ground": None}, "ground"),
        ({"ground": "taste"}, "ground"),
        ({"measure": "exile"}, "measure"),
        ({"rule": ""}, "rule"),
        ({"explanation": " "}, "explanation"),
        ({"redress": ""}, "redress"),
        ({"until": NOW}, "until"),
        ({"moderator_id": ""}, "moderator_id"),
        ({"revises": ""}, "revises"),
        ({"target": "p1"}, "target"),
    ],
)
def test_a_decision_without_its_reasons_is_refused_by_name(changes, field):
    assert decision(ground=Ground.LAW).check() is None
    with pytest.raises(InvalidField) as refused:
        decision(**changes).check()
    assert refused.value.field == field
