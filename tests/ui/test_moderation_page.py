"""A resident reports, a manager hides with reasons, the author appeals, another one decides."""

from datetime import UTC, datetime

import pytest
from helpers import post
from people_helpers import user

from cityverse.accounts.tokens import Keys, new_session
from cityverse.domain.community import AuthorKind
from cityverse.domain.moderation import CaseStatus, Measure, Moderated, Reason
from cityverse.domain.people import Role
from cityverse.ui import signed_in

PAGE = "pages/Moderation.py"


@pytest.fixture
def become(store, settings, monkeypatch):
    """Be somebody, who comes into being where needed, or nobody."""

    def become(name, **fields):
        cookie = None
        if name is not None:
            known = store.users.find(name)
            who = known or store.users.create(user(name, **fields))
            now, keys = datetime.now(UTC), Keys.of(settings)
            cookie = keys.session(new_session(who.id, who.session_version, now, 1), now)
        monkeypatch.setattr(signed_in, "_cookie", lambda: cookie)

    return become


@pytest.fixture
def said(store):
    author = store.users.create(user("ana"))
    return store.posts.create(
        post(
            "p1", association_id=None, association_name="", author_kind=AuthorKind.RESIDENT,
            user_id=author.id, user_name="Ana", text="Montres <b>pas chères</b>",
            created=datetime.now(UTC),
        )
    )  # fmt: skip


def fill(parts, label, value):
    next(one for one in parts if one.label == label).set_value(value)


def report(app):
    test = app.open(item="post:p1").test
    fill(test.selectbox, "Motif", Reason.SPAM)
    fill(test.checkbox, "Je crois de bonne foi que ce que j'écris est exact et complet.", True)
    app.button("Envoyer le signalement").click()
    app.run()


def test_from_the_report_to_the_appeal(app, store, said, become):
    become("zoe")
    app.open(item="post:p1")
    app.button("Envoyer le signalement").click()
    app.run()
    assert "Choisissez un motif" in app.said()
    report(app)
    assert "Votre signalement est reçu" in app.said()
    become("max", role=Role.MANAGER)
    app.open(PAGE)
    test = app.test
    app.button("Ouvrir le dossier").click()
    app.run()
    assert "Montres &lt;b&gt;pas chères" in app.html()
    test.radio[0].set_value(Measure.HIDING)
    app.button("Décider").click()
    app.run()
    assert "Dites ce qui s'est passé" in app.said()
    fill(test.text_area, "Faits constatés", "Une annonce de montres")
    fill(test.text_input, "Règle ou article de loi", "Pas de publicité")
    fill(test.text_area, "Pourquoi la règle n'est pas respectée", "C'est une annonce")
    app.button("Décider").click()
    app.run()
    assert "communiquée" in app.said()
    assert store.posts.get("p1").moderation is Moderated.HIDDEN
    (decision,) = store.decisions.of_target("post:p1", limit=9).items
    become("ana")
    app.open(PAGE, decision=decision.id)
    assert "Une annonce de montres" in app.html()
    fill(app.test.text_area, "Pourquoi contestez-vous cette décision ?", "Je ne vends rien")
    app.button("Contester la décision").click()
    app.run()
    assert "attend une autre personne" in app.said()
    judged_by_another(app, store, become)


def judged_by_another(app, store, become):
    app.test.query_params.clear()
    become("max", role=Role.MANAGER)
    app.open(PAGE, view="appeals")
    assert "attend quelqu'un d'autre que vous" in app.said()
    become("mia", role=Role.MANAGER)
    app.open(PAGE, view="appeals")
    fill(app.test.text_area, "Réponse motivée", "Elle a raison")
    app.button("Annuler la décision contestée").click()
    app.run()
    assert store.posts.get("p1").moderation is None


def test_who_is_not_signed_in_reports_and_reads_the_public_log(app, store, said, become):
    become(None)
    report(app)
    (case,) = store.cases.queue(CaseStatus.OPEN, limit=9).items
    assert (case.target, case.reports) == ("post:p1", 1)
    app.test.query_params.clear()
    app.open(PAGE)
    assert "Signalements reçus" in app.html()
    assert not any("Ouvrir le dossier" in one.label for one in app.test.button)
    app.open(PAGE, decision="nothing", party="ana", key="wrong")
    assert "concerne quelqu'un d'autre" in app.said()
