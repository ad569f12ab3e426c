"""Both languages say everything, and nothing that no page says."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest

from cityverse import errors
from cityverse.community.campaigns import CSV_COLUMNS
from cityverse.community.city import Period
from cityverse.community.moderation import COUNTED
from cityverse.domain.applications import ApplicationState, Presence, Refusal
from cityverse.domain.associations import Activity
from cityverse.domain.community import (
    MissionDuration,
    MissionStatus,
    MissionType,
    Qualification,
)
from cityverse.domain.digests import Pace
from cityverse.domain.giving import CampaignStatus, ContributionState, PaymentMethod
from cityverse.domain.kinds import Kind
from cityverse.domain.missions import TRANSITIONS as OF_MISSIONS
from cityverse.domain.missions import Rhythm
from cityverse.domain.moderation import (
    AppealStatus,
    CaseStatus,
    Ground,
    Hint,
    Measure,
    Moderated,
    Reason,
)
from cityverse.domain.news import TopicName
from cityverse.domain.notifications import Topic
from cityverse.domain.people import GOALS, Role
from cityverse.domain.places import Precision
from cityverse.domain.tax_receipts import Eligibility
from cityverse.domain.teams import Standing
from cityverse.ui import (
    association_form,
    associations,
    buildings,
    campaign_team,
    composer,
    item,
    lists,
    moderating,
    sources,
    tax_receipt,
    video,
)
from cityverse.ui.texts import LANGUAGES, Texts, catalogue

ROOT = Path(__file__).parents[2]
# The fields whose rule a page tells.
FIELDS = (
    "verification_reason",
    *("email", "password", "first_name", "last_name", "consent", "role"),
    *("title", "ends", "places", "reason", "times"),
    *("image", "pdf", "media", "links", "text", "due", "location"),
    *("name", "description", "website", "rna"),
    *("proposal", "alias"),
    *("facts", "ground", "rule", "explanation", "measure", "until"),
    *("cents", "goal", "donor", "donor_name", "donor_address", "siren", "purpose"),
    *("signatory", "receipt_address", "link", "received", "tax_eligible"),
)
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def test_languages_have_the_same_keys():
    assert catalogue("fr").keys() == catalogue("en").keys()


def test_placeholders_agree():
    for key, text in catalogue("fr").items():
        assert _placeholders(text) == _placeholders(catalogue("en")[key]), key


def _placeholders(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_text_is_used_and_every_used_text_is_there():
    used = _used_in_code() | _used_by_enumerations()
    assert used == set(catalogue("fr"))


def _used_in_code():
    sources = [
        *(ROOT / "cityverse" / "ui").glob("*.py"),
        *(ROOT / "pages").glob("*.py"),
        ROOT / "Home.py",
    ]
    code = "\n".join(path.read_text() for path in sources)
    keys = set(catalogue("fr"))
    quoted = set(re.findall(r"[\"']([a-z_]+(?:\.[a-z_]+)+)[\"']", code))
    counted = {
        key for key in keys if key.rpartition(".")[0] in quoted and key.endswith((".one", ".other"))
    }
    return (quoted & keys) | counted


def _used_by_enumerations():
    kinds = {f"kind.{kind}.{form}" for kind in Kind for form in ("one", "other")}
    periods = {f"period.{period}" for period in Period}
    precisions = {f"precision.{precision}" for precision in Precision}
    languages = {f"preferences.languages.{code}" for code in LANGUAGES}
    themes = {f"preferences.themes.{name}" for name in ("system", "light", "dark")}
    fields = {f"field.{name}" for name in FIELDS}
    chosen = {
        f"{prefix}.{one}"
        for prefix, choices in {
            "mission_status": MissionStatus,
            "mission_do": [s for s in MissionStatus if any(s in to for to in OF_MISSIONS.values())],
            "mission_type": MissionType,
            "mission_duration": MissionDuration,
            "qualification": Qualification,
            "rhythm": Rhythm,
            "application_state": [*ApplicationState, "accepted"],
            "application": ["pending", "approved", "refused"],
            "refusal": Refusal,
            "presence": Presence,
            "team": ["applications", "edit", "status"],
            "topic": Topic,
            "report_reason": Reason,
            "target": moderating.kinds(),
            "case_status": CaseStatus,
            "measure": Measure,
            "measure_help": [one for one in Measure if one is not Measure.RESTORATION],
            "ground": Ground,
            "hint": Hint,
            "appeal_status": AppealStatus,
            "act": ["assign", "unassign", "decide", "restore", "overturn", "uphold", "name"],
            "moderation.view": ["queue", "appeals", "log", "mine", "audit"],
            "moderation.against": ["decision", "inaction"],
            "moderation_figure": COUNTED,
            "about": TopicName,
            "digest": ["never", *Pace],
            "campaign_status": CampaignStatus,
            "campaign_team": campaign_team.SECTIONS,
            "gift_state": ContributionState,
            "gift_do": campaign_team.ACTS,
            "payment": PaymentMethod,
            "csv": CSV_COLUMNS,
            "eligibility": Eligibility,
            "tax": tax_receipt.COLUMNS,
            "calendar": ["week", "month"],
            "certificate": ["association", "mission", "day", "hours"],
        }.items()
        for one in choices
    }
    roles = {f"role.{role}" for role in Role}
    reasons = {f"reason.{word}" for word in sources.REASONS}
    uploads = {f"upload.{name}" for name in video._WORDS}
    certainty = {f"certainty.{word}" for word, _ in item.CERTAINTY}
    sets = {f"buildings.set_{name}" for name in buildings.KNOWN}
    tools = {f"post.tool.{name}" for name in composer.TOOLS}
    attached = {f"attached.{name}.{form}" for name in lists.ATTACHED for form in ("one", "other")}
    bodies = {
        *(f"association.view.{name}" for name in associations.VIEWS),
        *(f"association.{name}" for name in ("website", *association_form.NETWORKS)),
        *(f"association.{name}" for name in ("profile", "banner", *Moderated)),
        *(f"activity.{one}" for one in Activity),
        *(f"goal.{number}" for number in GOALS),
        *(f"members.standing.{one}" for one in Standing),
        *("members.you_invited", "members.you_offered"),
    }
    return (
        reasons
        | sets
        | chosen
        | bodies
        | tools
        | attached
        | certainty
        | uploads
        | fields
        | roles
        | kinds
        | periods
        | precisions
        | languages
        | themes
        | {error.key for error in _errors()}
    )


def _errors(base=errors.CityVerseError):
    return [
        base,
        *(
            e
            for child in base.__subclasses__()
            for e in _errors(child)
            if e.__module__ == errors.__name__
        ),
    ]


def test_every_error_has_a_text():
    assert {error.key for error in _errors()} <= set(catalogue("fr"))


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [("fr", 0, "0 élément"), ("fr", 2, "2 éléments"), ("en", 0, "0 items"), ("en", 1, "1 item")],
)
def test_plural(language, number, expected):
    assert Texts(language).count("list.count", number) == expected


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [("fr", 1, "1er"), ("fr", 18, "18e"), ("en", 1, "1st"), ("en", 2, "2nd"), ("en", 3, "3rd"),
     ("en", 11, "11th"), ("en", 12, "12th"), ("en", 13, "13th"), ("en", 20, "20th")],
)  # fmt: skip
def test_ordinal(language, number, expected):
    assert Texts(language).ordinal(number) == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (NOW - timedelta(hours=2), "il y a 2 heures"),
        (NOW + timedelta(hours=3), "aujourd'hui à 17:00"),
        (NOW + timedelta(days=1), "demain à 14:00"),
        (NOW - timedelta(days=1), "hier à 14:00"),
        (NOW + timedelta(days=3), "jeudi 18 juin, 14:00"),
        (NOW - timedelta(days=40), "6 mai 2026"),
    ],
)
def test_moments_are_said_as_people_say_them(when, expected):
    assert Texts("fr").moment(when, NOW) == expected
