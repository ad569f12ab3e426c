"""The two routes of the session: only our own pages, whole requests, one use of a ticket."""

import json
from dataclasses import replace

import pytest
from accounts_helpers import HERE, PASSWORD, Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from people_helpers import rows
from starlette.applications import Starlette

from cityverse.accounts import http
from cityverse.accounts.provider import BACK, Provider
from cityverse.errors import StoreUnavailable
from cityverse.settings import read

ADA = "ada@example.org"
HOST = "city.example.org"
OURS = {
    "Origin": f"http://{HOST}",
    "Host": HOST,
    "Content-Type": "application/json",
    "X-CityVerse": "1",
}
COOKIE = "cityverse_session"


@pytest.fixture
def client(accounts):
    app = Starlette(routes=http.routes(accounts.settings, lambda: accounts))
    return Browser(app, f"http://{HOST}")


@pytest.fixture
def ticket(accounts, somebody):
    somebody()
    return accounts.sign_in(ADA, PASSWORD, HERE)


def start(client, ticket, **headers):
    return client.post(http.START, json={"ticket": ticket}, headers=OURS | headers)


def test_a_ticket_becomes_a_cookie_that_scripts_cannot_read(client, accounts, ticket):
    answer = start(client, ticket)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert "path=/" in said
    assert "secure" not in said
    assert "domain" not in said
    assert accounts.session(answer.cookies[COOKIE]).user.email == ADA


def test_under_tls_the_cookie_is_for_this_host_and_tls_alone(accounts, ticket):
    under_tls = read({"CITYVERSE_PUBLIC_URL": f"https://{HOST}"})
    app = Starlette(routes=http.routes(under_tls, lambda: accounts))
    client = Browser(app, f"https://{HOST}")
    answer = start(client, ticket, Origin=f"https://{HOST}")
    said = answer.headers["set-cookie"]
    assert said.startswith("__Host-cityverse_session=")
    assert "Secure" in said
    ended = client.post(http.END, headers=OURS | {"Origin": f"https://{HOST}"})
    assert "Secure" in ended.headers["set-cookie"]


def test_a_ticket_is_used_up(client, ticket):
    assert start(client, ticket).status_code == 200
    client.cookies.clear()
    replayed = start(client, ticket)
    assert replayed.status_code == 401
    assert "set-cookie" not in replayed.headers


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Origin", "http://evil.example.org"),
        ("Origin", "null"),
        ("Origin", ""),
        ("Origin", f"http://{HOST}.evil.example.org"),
        ("Origin", f"http://{HOST}:8501"),
        ("Origin", "http://[::1"),
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-CityVerse", "0"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_what_is_not_from_our_pages_is_refused(client, accounts, ticket, header, value):
    assert start(client, ticket, **{header: value}).status_code == 403
    assert client.post(http.END, headers=OURS | {header: value}).status_code == 403
    assert start(client, ticket).status_code == 200  # the ticket was not used up


def test_a_missing_header_is_refused(client, ticket):
    for name in ("Origin", "Content-Type", "X-CityVerse"):
        headers = {k: v for k, v in OURS.items() if k != name}
        answer = client.post(
            http.START, content=json.dumps({"ticket": ticket}).encode(), headers=headers
        )
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"ticket": 7}', b'{"ticket": null}', b"\xff\xfe", b"[" * 4000],
)
def test_what_is_no_ticket_is_refused(client, body):
    assert client.post(http.START, content=body, headers=OURS).status_code == 400


def test_a_large_body_is_refused(client, ticket):
    body = json.dumps({"ticket": ticket, "more": "x" * 5000}).encode()
    assert client.post(http.START, content=body, headers=OURS).status_code == 403
    assert start(client, ticket).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_none(client, method):
    for path in (http.START, http.END):
        assert client.request(method, path, headers=OURS).status_code == 405


def test_the_end_revokes_and_drops_the_cookie(client, accounts, ticket):
    cookie = start(client, ticket).cookies[COOKIE]
    answer = client.post(http.END, headers=OURS)
    assert answer.status_code == 200
    assert 'cityverse_session=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert accounts.session(cookie) is None
    assert client.post(http.END, headers=OURS).status_code == 200  # ending twice is no error


def test_a_store_that_is_away_is_said(client, accounts, ticket, monkeypatch):
    def away(*_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(type(accounts.store.revoked), "revoke", away)
    assert start(client, ticket).status_code == 503


def test_a_request_shows_whose_it_is(client, accounts, ticket):
    viewer = http.viewer_of(accounts.settings, lambda: accounts)

    class Request:
        def __init__(self, cookies):
            self.cookies = cookies

    cookie = start(client, ticket).cookies[COOKIE]
    shown = [{}, {COOKIE: cookie}, {COOKIE: cookie[:-2]}, {COOKIE: ""}]
    seen = [viewer(Request(cookies)) for cookies in shown]
    ada = accounts.store.users.find_by_email(ADA).id
    assert seen == [None, ada, None, None]


# Random requests: never an error of ours, and nothing changes.

_WORDS = st.one_of(
    st.sampled_from([*OURS.values(), "null", "", "text/html", "*", "same-origin", "cross-site"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
_HEADERS = st.dictionaries(
    st.sampled_from(
        [*OURS, "Cookie", "Sec-Fetch-Site", "Content-Encoding", "X-Forwarded-For", "Accept"]
    ),
    _WORDS,
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
_BODIES = st.one_of(
    st.binary(max_size=6000),
    _JSON.map(lambda said: json.dumps(said).encode()),
    st.text(max_size=300).map(lambda text: json.dumps({"ticket": text}).encode()),
)
_METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "HEAD", "DELETE", "OPTIONS"])
_COOKIES = st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200)


SESSION_ROUTES = (http.START, http.END)
SIGN_INS = ("User", "Blacklist", "Link")


def random_requests(client, dynamo, examples, paths=SESSION_ROUTES, usual=(200,), more="Throttle"):
    tables = [*SIGN_INS, *([more] if more else ())]
    before = [rows(dynamo, table) for table in tables]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        _METHODS,
        st.sampled_from(paths),
        st.one_of(_HEADERS, _HEADERS.map(lambda extra: extra | OURS)),
        _BODIES,
        _COOKIES,
    )
    def ask(method, path, headers, body, cookie):
        client.cookies.clear()
        if cookie is not None:
            headers = headers | {"Cookie": f"{COOKIE}={cookie}"}
        answer = client.request(method, path, headers=headers, content=body)
        assert answer.status_code in {*usual, 400, 401, 403, 405}
        assert "max-age=1" not in answer.headers.get("set-cookie", "").lower()

    ask()
    assert [rows(dynamo, table) for table in tables] == before


def test_random_requests_change_nothing(client, dynamo, somebody):
    somebody()
    random_requests(client, dynamo, 400)


def test_random_requests_on_the_way_to_a_provider_and_back_sign_nobody_in(accounts, dynamo):
    # Nothing listens there: the provider is away, which is said in words.
    closed = {"ISSUER": "http://127.0.0.1:9", "CLIENT_ID": "city", "CLIENT_SECRET": "secret"}
    words = {f"CITYVERSE_OIDC_{name}": word for name, word in closed.items()}
    words |= {"CITYVERSE_OIDC_ALLOW_PRIVATE": "true", "CITYVERSE_PUBLIC_URL": f"http://{HOST}"}
    chosen = read(words | {"CITYVERSE_DATA_DIR": str(accounts.settings.data_dir)})
    asked = replace(accounts, settings=chosen, provider=Provider(chosen))
    browser = Browser(Starlette(routes=http.routes(chosen, lambda: asked)), f"http://{HOST}")
    # Whoever begins is counted, so that nobody begins without end.
    random_requests(browser, dynamo, 200, (http.PROVIDER, BACK), usual=(200, 303), more="")


@pytest.mark.slow
def test_ten_thousand_random_requests_change_nothing(client, dynamo, somebody):
    somebody()
    random_requests(client, dynamo, 10_000)
