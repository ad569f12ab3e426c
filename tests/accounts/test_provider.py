"""Signing in by OpenID Connect, at a provider on loopback: what is right, and each wrong answer."""

import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pyotp
import pytest
from accounts_helpers import HERE, PASSWORD, Browser
from starlette.applications import Starlette

from cityverse.accounts import http
from cityverse.accounts.provider import BACK, Provider
from cityverse.accounts.second_factor import new_secret
from cityverse.accounts.tokens import new_proof
from cityverse.domain.people import Role, Status
from cityverse.errors import (
    AccountInactive,
    AccountNeeded,
    CodeNeeded,
    InputError,
    InvalidField,
    PasswordNeeded,
    SignInFailed,
    StepExpired,
)
from cityverse.settings import read

SCRIPT = Path(__file__).parents[1] / "oidc_provider.py"
HOST = "city.example.org"
ADA = "ada@example.org"
COOKIE, PROOF = "cityverse_session", "cityverse_provider"
OURS = {
    "Origin": f"http://{HOST}",
    "Host": HOST,
    "Content-Type": "application/json",
    "X-CityVerse": "1",
}


@pytest.fixture(scope="module")
def issuer():
    if find_spec("oidc_provider_mock") is None:
        pytest.skip("oidc-provider-mock is not installed: it is in requirements-dev.txt")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{address}/jwks")
            break
        except httpx.TransportError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(30)


@pytest.fixture
def known(issuer):
    """Says what the provider knows of somebody, and what is wrong with its next answer."""

    def say(wrong=None, **claims):
        said = {"email": ADA, "email_verified": True, "given_name": "Ada"} | claims
        httpx.put(f"{issuer}/users/ada", json={k: v for k, v in said.items() if v is not None})
        httpx.put(f"{issuer}/next", json=wrong or {})

    say()
    return say


@pytest.fixture
def accounts(accounts, issuer):
    chosen = read(
        {
            "CITYVERSE_OIDC_ISSUER": issuer,
            "CITYVERSE_OIDC_CLIENT_ID": "cityverse",
            "CITYVERSE_OIDC_CLIENT_SECRET": "a secret",
            "CITYVERSE_OIDC_ALLOW_PRIVATE": "true",
            "CITYVERSE_PUBLIC_URL": f"http://{HOST}",
            "CITYVERSE_DATA_DIR": str(accounts.settings.data_dir),
        }
    )
    return replace(accounts, settings=chosen, provider=Provider(chosen))


@pytest.fixture
def browser(accounts):
    return new_browser(accounts)


def new_browser(accounts):
    app = Starlette(routes=http.routes(accounts.settings, lambda: accounts))
    return Browser(app, f"http://{HOST}")


def begun(browser):
    answer = browser.post(http.PROVIDER, json={"ticket": "/Feed"}, headers=OURS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["next"]


def agreed(address, action="ada"):
    """Where the provider sends the browser of somebody who agrees, or denies."""
    form = {"action": "deny"} if action == "deny" else {"sub": action}
    answer = httpx.post(address, data=form)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def came_back(browser, location):
    parts = urlsplit(location)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"http://{HOST}{BACK}"
    return browser.get(f"{parts.path}?{parts.query}")


def proven(browser):
    """The cookie of a proof."""
    answer = came_back(browser, agreed(begun(browser)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/SignIn")
    return answer.cookies[PROOF]


def told(answer):
    """Why a sign-in came to nothing, as the page is told; and that no proof came of it."""
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    parts = urlsplit(answer.headers["location"])
    assert parts.path == "/SignIn"
    return parse_qs(parts.query)["provider"][0]


def test_a_proof_opens_the_account_of_its_e_mail(accounts, browser, known, somebody):
    somebody()
    known(email="ADA@Example.org")
    answer = browser.post(http.PROVIDER, json={"ticket": "/Feed"}, headers=OURS)
    begun_by = answer.headers["set-cookie"].lower()
    assert "httponly" in begun_by
    assert "samesite=lax" in begun_by
    asked = dict(parse_qsl(urlsplit(answer.json()["next"]).query))
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"http://{HOST}{BACK}"
    back = came_back(browser, agreed(answer.json()["next"]))
    assert "samesite=strict" in back.headers["set-cookie"].lower()
    proof = back.cookies[PROOF]
    assert accounts.proven(proof).next_path == "/Feed"
    assert accounts.session(proof) is None  # it is no session
    started = browser.post(http.START, json={"ticket": accounts.enter_by(proof)}, headers=OURS)
    assert accounts.session(started.cookies[COOKIE]).user.email == ADA
    assert PROOF not in browser.cookies
    with pytest.raises(StepExpired):
        accounts.enter_by(proof)


def past(minutes):
    return int(time.time()) - 60 * minutes


@pytest.mark.parametrize(
    ("why", "wrong", "claims"),
    [
        ("refused", {"claims": {"nonce": "another"}}, {}),
        ("refused", {"claims": {"nonce": None}}, {}),
        ("refused", {"claims": {"iss": "https://evil.example.org"}}, {}),
        ("refused", {"claims": {"aud": "somebody-else"}}, {}),
        ("refused", {"claims": {"aud": ["cityverse", "somebody-else"]}}, {}),
        ("refused", {"claims": {"azp": "somebody-else"}}, {}),
        ("refused", {"claims": {"exp": past(5)}}, {}),
        ("refused", {"claims": {"exp": None}}, {}),
        ("refused", {"claims": {"iat": None}}, {}),
        ("refused", {"alg": "none"}, {}),
        ("refused", {"alg": "HS256"}, {}),
        ("refused", {"alg": "foreign"}, {}),
        ("unavailable", {"away": True}, {}),
        ("unverified", {}, {"email_verified": False}),
        ("unverified", {}, {"email_verified": None}),
        ("unverified", {}, {"email_verified": "true"}),
        ("unverified", {}, {"email": "no e-mail"}),
        ("unverified", {}, {"email": None}),
    ],
)
def test_a_wrong_answer_proves_nothing(browser, known, somebody, why, wrong, claims):
    somebody()
    known(wrong, **claims)
    assert told(came_back(browser, agreed(begun(browser)))) == why


def test_only_the_browser_that_began_comes_back_and_once(accounts, browser, known):
    location = agreed(begun(browser))
    flow = browser.cookies[PROOF]
    other = new_browser(accounts)
    assert told(came_back(other, location)) == "refused"
    begun(other)  # a flow of its own, and so another state
    assert told(came_back(other, location)) == "refused"
    for change in ({"state": "x"}, {"iss": "https://evil.example.org"}, {"code": ""}):
        parts = urlsplit(location)
        said = urlencode(dict(parse_qsl(parts.query)) | change)
        assert told(came_back(browser, parts._replace(query=said).geturl())) == "refused"
    assert told(came_back(browser, location + "&state=x")) == "refused"
    assert came_back(browser, location).headers["location"] == "/SignIn"
    browser.cookies.set(PROOF, flow, domain=HOST)
    assert told(came_back(browser, location)) == "refused"


def test_a_code_is_good_for_its_own_sign_in_alone(browser, known):
    first = dict(parse_qsl(urlsplit(agreed(begun(browser))).query))
    second = dict(parse_qsl(urlsplit(begun(browser)).query))
    query = urlencode({"state": second["state"], "code": first["code"]})
    assert told(came_back(browser, f"http://{HOST}{BACK}?{query}")) == "refused"


def test_who_denies_is_told_so(browser, known):
    address = begun(browser)
    state = dict(parse_qsl(urlsplit(address).query))["state"]
    query = urlencode({"state": state, "error": "access_denied"})
    assert told(browser.get(f"{BACK}?{query}")) == "cancelled"


def test_a_provider_that_is_not_there_or_in_a_private_network_is_said(accounts, known):
    for changes in ({"oidc_issuer": "http://127.0.0.1:9"}, {"oidc_allow_private": False}):
        settings = replace(accounts.settings, **changes)
        browser = new_browser(replace(accounts, settings=settings, provider=Provider(settings)))
        assert begun(browser) == "/SignIn?provider=unavailable"
        assert PROOF not in browser.cookies


@pytest.mark.parametrize("header", ["Origin", "X-CityVerse", "Content-Type"])
def test_another_site_begins_nothing(browser, header):
    headers = OURS | {header: "text/plain"}
    assert browser.post(http.PROVIDER, json={"ticket": "/"}, headers=headers).status_code == 403
    assert browser.get(http.PROVIDER, headers=OURS).status_code == 405


def test_without_a_provider_there_are_no_routes(accounts):
    off = read({"CITYVERSE_PUBLIC_URL": f"http://{HOST}"})
    assert {route.path for route in http.routes(off, lambda: accounts)} == {http.START, http.END}


# Whose account it is: the store alone, and proofs as ``end_provider`` makes them.


def proof_of(accounts, email=ADA, first_name="Ada"):
    now = datetime.now(UTC)
    return accounts.keys.proof(new_proof(email, first_name, "", "/", now), now)


def test_an_account_that_was_never_confirmed_asks_for_its_password(accounts, form):
    accounts.sign_up(form(), HERE)
    proof = proof_of(accounts)
    with pytest.raises(PasswordNeeded):
        accounts.enter_by(proof)
    with pytest.raises(SignInFailed):
        accounts.join(proof, "guessed by somebody", HERE)
    ticket = accounts.join(proof, PASSWORD, HERE)
    assert accounts.exchange(ticket, None)
    assert accounts.store.users.find_by_email(ADA).verified_at
    with pytest.raises(StepExpired):
        accounts.join(proof, PASSWORD, HERE)


def test_an_account_without_a_password_is_confirmed_by_the_proof(accounts, somebody):
    user = somebody()
    accounts.store.users.replace(user, replace(user, password_hash=None, verified_at=None))
    proof = proof_of(accounts)
    accounts.enter_by(proof)
    assert accounts.store.users.find_by_email(ADA).verified_at
    with pytest.raises(StepExpired):
        accounts.enter_by(proof)


def test_somebody_new_gives_names_role_and_consent(accounts, form):
    proof = proof_of(accounts)
    with pytest.raises(AccountNeeded):
        accounts.enter_by(proof)
    mine = form("eve@example.org", password="", role=Role.CREATOR)
    with pytest.raises(InvalidField):
        accounts.sign_up_by(proof, replace(mine, consents=False), HERE)
    with pytest.raises(InvalidField):
        accounts.sign_up_by(proof, replace(mine, role=Role.ADMIN), HERE)
    cookie, _ = accounts.exchange(accounts.sign_up_by(proof, mine, HERE), None)
    user = accounts.session(cookie).user
    assert (user.email, user.role, user.password_hash) == (ADA, Role.CREATOR, None)
    assert user.consents
    with pytest.raises(StepExpired):
        accounts.sign_up_by(proof, mine, HERE)
    with pytest.raises(SignInFailed):
        accounts.sign_in(ADA, "", HERE)


def test_second_factor_and_suspension_hold(accounts, somebody):
    user, secret = somebody(), new_secret()
    code = pyotp.TOTP(secret).now()
    _, codes = accounts.switch_on(user, secret, PASSWORD, code, HERE)
    with pytest.raises(CodeNeeded) as needed:
        accounts.enter_by(proof_of(accounts))
    assert accounts.exchange(accounts.enter_code(needed.value.step, codes[0], HERE), None)
    user = accounts.store.users.find_by_email(ADA)
    accounts.store.users.replace(user, replace(user, status=Status.SUSPENDED))
    with pytest.raises(AccountInactive):
        accounts.enter_by(proof_of(accounts))
    with pytest.raises(AccountInactive):
        accounts.join(proof_of(accounts), PASSWORD, HERE)


def test_other_tokens_are_no_proof_and_a_proof_is_nothing_else(accounts, somebody):
    somebody()
    ticket = accounts.sign_in(ADA, PASSWORD, HERE)
    for text in (ticket, accounts.keys.step("x", 1, datetime.now(UTC)), "", None, "x.y.z"):
        with pytest.raises(StepExpired):
            accounts.enter_by(text)
    proof = proof_of(accounts)
    assert accounts.exchange(proof, None) is None
    assert accounts.keys.read_flow(proof) is None


@pytest.mark.parametrize("issuer", ["http://login.example.org", "login.example.org", "https://x?y"])
def test_an_issuer_is_asked_by_tls(issuer):
    with pytest.raises(InputError):
        read({"CITYVERSE_OIDC_ISSUER": issuer, "CITYVERSE_OIDC_CLIENT_ID": "x"})


def test_an_issuer_alone_is_not_enough():
    with pytest.raises(InputError, match="CLIENT_ID"):
        read({"CITYVERSE_OIDC_ISSUER": "https://login.example.org"})
