"""Accounts in a real browser: from signing up to being refused."""

import email
import email.policy
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from cityverse.ui.shell import PAGES

pytestmark = pytest.mark.slow

PASSWORD = "tomate courge poireau"
COOKIE = "cityverse_session"
WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (e) => refused.push(
  `${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
window.seen = [];
new MutationObserver(() => {
  if ([...document.querySelectorAll("[data-testid=stSidebar] a")].some(
    (link) => link.getAttribute("href")?.endsWith("/SignIn"))) seen.push("signed out");
}).observe(document, { childList: true, subtree: true });
"""


def until(condition, within=60):
    """Poll what another process does, of which nothing tells us."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come about in time")


def link_to(folder, address):
    """The link of the newest message to somebody."""

    def newest():
        files = sorted(folder.glob("outbox/*.eml"), key=lambda file: file.stat().st_mtime_ns)
        for file in reversed(files):
            read = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            if read["To"] == address:
                return re.search(r"http\S+/SignIn(\?link=\S+)", read.get_content())[1]
        return None

    return until(newest)


def signed_up(reader, city_folder, address):
    """A browser in which somebody has just signed up and confirmed."""
    one = reader()
    one.context.add_init_script(WATCH)
    one.page.goto(one.address + "/SignIn")
    one.page.get_by_role("radio", name="Créer un compte").click()
    one.page.get_by_label("Prénom").fill("Ada")
    one.page.get_by_label("Nom", exact=True).fill("Lovelace")
    one.page.get_by_label("E-mail").fill(address)
    one.page.get_by_label("Mot de passe", exact=True).fill(PASSWORD)
    one.page.get_by_label("Mot de passe, encore une fois").fill(PASSWORD)
    one.page.get_by_text("J'accepte").click()
    one.page.get_by_role("button", name="Créer mon compte").click()
    expect(one.page.get_by_text("Regardez vos messages")).to_be_visible()
    expect(one.page.get_by_text("outbox")).to_be_visible()
    one.page.goto(one.address + "/SignIn" + link_to(city_folder, address))
    one.page.get_by_label("Mot de passe").fill(PASSWORD)
    one.page.get_by_role("button", name="Confirmer").click()
    is_in(one.page)
    return one


def sign_in(one, address):
    one.page.goto(one.address + "/SignIn")
    give_password(one.page, address)
    is_in(one.page)


def give_password(page, address):
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("Mot de passe", exact=True).fill(PASSWORD)
    page.locator("[data-testid=stForm]").get_by_role("button", name="Se connecter").click()


def is_in(page):
    expect(page.get_by_role("button", name="Se déconnecter", exact=True)).to_be_visible()


def is_out(page):
    link = page.locator("[data-testid=stSidebar]").get_by_role("link", name="Se connecter")
    expect(link).to_be_visible()


def cookie_of(one):
    return next(cookie for cookie in one.context.cookies() if cookie["name"] == COOKIE)


def server_pid(address):
    """The process of the dashboard that listens here."""
    port = str(urlsplit(address).port)
    listed = subprocess.run(
        ["ps", "-axwwo", "pid=,command="], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if "streamlit run app.py" in command and f"--server.port {port}" in command:
            return int(pid)
    return None


def healthy(address):
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_a_session_lasts_and_ends_as_it_should(reader, city_folder):
    one = signed_up(reader, city_folder, "ada@example.org")
    cookie = cookie_of(one)
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert COOKIE not in one.page.evaluate("document.cookie")
    one.page.goto(one.address + "/Profile")
    expect(one.page.get_by_role("heading", name="Mon compte")).to_be_visible()
    one.page.reload()
    expect(one.page.get_by_role("heading", name="Mon compte")).to_be_visible()
    assert one.page.evaluate("seen") == []  # no flash of the signed-out page
    other = one.new_page()
    other.goto(one.address + "/Feed")
    is_in(other)

    # A restart of the server: the open page works on, a reload finds the session.
    before = server_pid(one.address)
    os.kill(before, signal.SIGTERM)
    until(lambda: server_pid(one.address) not in {None, before} and healthy(one.address))
    other.reload()
    is_in(other)
    is_in(one.page)

    # Signing out in one tab: the other one is refused at its next click.
    other.get_by_role("button", name="Se déconnecter", exact=True).click()
    is_out(other)
    assert COOKIE not in {cookie["name"] for cookie in one.context.cookies()}
    one.page.get_by_label("Prénom").fill("Eve")
    names = one.page.get_by_test_id("stForm").filter(has=one.page.get_by_label("Prénom"))
    names.get_by_role("button", name="Enregistrer").click()
    expect(one.page.get_by_text("Connectez-vous pour faire cela")).to_be_visible()

    # The cookie that was copied before opens nothing any more.
    thief = reader()
    thief.context.add_cookies([{k: cookie[k] for k in ("name", "value", "domain", "path")}])
    thief.page.goto(one.address + "/Profile")
    expect(thief.page.get_by_text("Connectez-vous pour faire cela")).to_be_visible()
    is_out(thief.page)

    sign_in(one, "ada@example.org")
    one.page.goto(one.address + "/Profile")
    expect(one.page.get_by_label("Prénom")).to_have_value("Ada")
    assert not one.outside


def test_a_session_id_of_streamlit_opens_nothing(reader, city_folder):
    one = signed_up(reader, city_folder, "eve@example.org")
    ids = []

    def look(frame):
        if isinstance(frame, bytes):
            message = ForwardMsg()
            message.ParseFromString(frame)
            if message.WhichOneof("type") == "new_session":
                ids.append(message.new_session.initialize.session_id)

    one.page.on("websocket", lambda socket: socket.on("framereceived", look))
    one.page.goto(one.address + "/Profile")
    expect(one.page.get_by_role("heading", name="Mon compte")).to_be_visible()
    is_in(one.page)
    assert ids
    host = urlsplit(one.address).netloc
    rerun = BackMsg()
    rerun.rerun_script.query_string = ""
    rerun.rerun_script.page_name = "Profile"
    for connected in (True, False):
        if not connected:
            one.context.close()
        with connect(
            f"ws://{host}/_stcore/stream",
            origin=one.address,
            subprotocols=["streamlit", "x", ids[-1]],
            max_size=None,
            proxy=None,
        ) as socket:
            socket.send(rerun.SerializeToString())
            said = b""
            while b"script_finished" not in said:
                frame = socket.recv(timeout=60)
                message = ForwardMsg()
                message.ParseFromString(frame)
                said += frame
                if message.WhichOneof("type") == "script_finished" and b"SignIn" in said:
                    break
        assert b"Lovelace" not in said
        assert b"eve@example.org" not in said
        assert b"Se connecter" in said


@pytest.mark.parametrize("signed_in", [False, True])
def test_the_policy_refuses_nothing_on_any_page(reader, city_folder, signed_in):
    if signed_in:
        one = signed_up(reader, city_folder, "policy@example.org")
    else:
        one = reader()
        one.context.add_init_script(WATCH)
    for page in PAGES:
        with one.page.expect_response(one.address + page.path) as answer:
            one.page.goto(one.address + page.path)
        assert "unsafe-eval" not in answer.value.headers["content-security-policy"]
        expect(one.page.locator("select[name=language]")).to_be_visible()
        if page.path == "/":
            one.page.wait_for_selector("button[data-kind]")
            one.page.wait_for_selector("[data-testid=stDeckGlJsonChart] canvas")
        one.page.wait_for_load_state("networkidle")
        assert one.page.evaluate("refused") == [], page.path
    assert not one.faults
    assert not one.outside


def test_an_address_that_a_client_makes_up_is_not_believed(reader, city_folder, dashboard):
    """Limits count by the address of the connection, whatever a header says."""
    request = urllib.request.Request(
        f"{dashboard}/session/start",
        data=json.dumps({"ticket": "x"}).encode(),
        headers={
            "Content-Type": "application/json",
            "X-CityVerse": "1",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "203.0.113.9",
            "Origin": dashboard,
        },
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 401
    refused.value.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (1100, "dark")])
def test_forms_fit_and_keep_what_was_typed(reader, width, scheme):
    one = reader(viewport={"width": width, "height": 844}, color_scheme=scheme)
    one.page.goto(one.address + "/SignIn")
    one.page.get_by_label("E-mail").fill("nobody@example.org")
    one.page.get_by_label("Mot de passe", exact=True).fill("wrong")
    one.page.locator("[data-testid=stForm]").get_by_role("button", name="Se connecter").click()
    expect(one.page.get_by_text("le mot de passe est faux")).to_be_visible()
    expect(one.page.get_by_label("E-mail")).to_have_value("nobody@example.org")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_second_factor_from_switching_on_to_a_recovery_code(reader, city_folder):
    one = signed_up(reader, city_folder, "second@example.org")
    page = one.page
    page.goto(one.address + "/Profile")
    page.get_by_role("button", name="Activer le second facteur").click()
    part = page.locator(".st-key-second_factor")
    picture = part.locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    secret = part.locator("code").inner_text().replace(" ", "")
    used = pyotp.TOTP(secret).now()
    part.get_by_label("Code à six chiffres").fill(used)
    part.get_by_label("Mot de passe actuel").fill(PASSWORD)
    before = cookie_of(one)["value"]
    part.get_by_role("button", name="Activer", exact=True).dblclick()
    expect(page.get_by_role("heading", name="Vos codes de secours")).to_be_visible()
    codes = page.locator("code").inner_text().split()
    go_on = page.get_by_role("button", name="Je les ai notés : continuer")
    expect(go_on).to_be_visible()
    assert cookie_of(one)["value"] != before
    go_on.click()
    expect(page.get_by_text("Codes de secours restants : 10.")).to_be_visible()
    is_in(page)
    page.get_by_role("button", name="Se déconnecter", exact=True).click()
    is_out(page)

    # The password alone opens nothing: not in this tab, not in another, not by going back.
    page.goto(one.address + "/SignIn")
    give_password(page, "second@example.org")
    field = page.get_by_label("Code à six chiffres, ou code de secours")
    expect(field).to_be_visible()
    assert COOKIE not in {cookie["name"] for cookie in one.context.cookies()}
    other = one.new_page()
    other.goto(one.address + "/Profile")
    expect(other.get_by_text("Connectez-vous pour faire cela")).to_be_visible()
    send = page.locator("[data-testid=stForm]").get_by_role("button", name="Se connecter")
    field.fill(used)
    send.click()
    expect(page.get_by_text("Ce code est faux")).to_be_visible()
    field.fill(codes[0])
    send.dblclick()
    is_in(page)
    page.goto(one.address + "/Profile")
    expect(page.get_by_text("Codes de secours restants : 9.")).to_be_visible()
    assert page.evaluate("refused") == []
    assert not one.outside
