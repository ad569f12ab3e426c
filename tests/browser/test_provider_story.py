"""Signing in by OpenID Connect in a real browser, at a provider on loopback."""

import json
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import HEART, Reader, free_port, started
from playwright.sync_api import expect

from cityverse.map.build import build

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parents[1] / "oidc_provider.py"


@pytest.fixture(scope="module")
def provider():
    """A provider that knows Ada; gives its address."""
    if find_spec("oidc_provider_mock") is None:
        pytest.skip("oidc-provider-mock is not installed: it is in requirements-dev.txt")
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(port)], **quiet)
    ada = {"email": "ada@example.org", "email_verified": True, "given_name": "Ada"}
    known = urllib.request.Request(
        f"http://127.0.0.1:{port}/users/ada",
        method="PUT",
        data=json.dumps(ada | {"family_name": "Byron"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        ends = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(known, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < ends
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def address(provider, chromium_path, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("provided"), free_port()
    build("sample", folder / "tiles" / "sample.mbtiles", bbox=HEART)
    settings = {
        "CITYVERSE_OIDC_ISSUER": provider,
        "CITYVERSE_OIDC_CLIENT_ID": "city",
        "CITYVERSE_OIDC_CLIENT_SECRET": "secret",
        "CITYVERSE_OIDC_NAME": "Loopback",
        "CITYVERSE_OIDC_ALLOW_PRIVATE": "true",
        "CITYVERSE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CITYVERSE_DEMO": "false",
    }
    with started(folder, port=port, **settings) as found:
        yield found


def test_a_resident_signs_up_and_in_by_a_provider(chromium, address):
    reader = Reader(chromium, address)
    page = reader.page
    # The provider's own page decorates itself from elsewhere.
    page.route("**/cdn.jsdelivr.net/**", lambda route: route.abort())
    out = page.get_by_role("button", name="Se déconnecter", exact=True)

    def to_provider_and_back():
        page.goto(f"{address}/SignIn")
        page.get_by_role("button", name="Continuer avec").click()
        page.wait_for_url("**/oauth2/authorize**")
        page.locator("input[name=sub]").fill("ada")
        page.get_by_role("button", name="Authorize").click()

    to_provider_and_back()
    page.get_by_text("J'accepte").click()
    expect(page.get_by_label("Nom", exact=True)).to_have_value("Byron")
    page.get_by_role("button", name="Créer mon compte").click()
    expect(out).to_be_visible()
    (kept,) = (one for one in reader.context.cookies() if one["name"] == "cityverse_session")
    assert (kept["httpOnly"], kept["sameSite"]) == (True, "Strict")

    out.click()
    sidebar = page.locator("[data-testid=stSidebar]")
    sidebar.get_by_role("link", name="Se connecter").wait_for()
    to_provider_and_back()
    expect(out).to_be_visible()
    names = {one["name"] for one in reader.context.cookies(address)}
    assert "cityverse_provider" not in names
    reader.context.close()
