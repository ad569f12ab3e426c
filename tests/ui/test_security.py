"""What every answer carries, and what nobody outside is answered."""

import asyncio
import base64
import hashlib
import re
import tomllib
from pathlib import Path

import httpx
import pytest
from helpers import settings_for
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from cityverse.data.objects import connect as connect_objects
from cityverse.data.registry import BUCKETS
from cityverse.ui import server
from cityverse.ui.security import content_policy, inline_scripts

ROOT = Path(__file__).parents[2]
PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body></body></html>"


def app(settings):
    def page(request):
        return HTMLResponse(PAGE, headers={"ETag": "x", "Accept-Ranges": "bytes"})

    async def parts():
        for part in (PAGE[:20], PAGE[20:]):
            yield part

    routes = [
        Route("/", page),
        Route("/parts", lambda request: StreamingResponse(parts(), media_type="text/html")),
        Route("/own", lambda _: PlainTextResponse("x", headers={"Referrer-Policy": "no-referrer"})),
        Route("/{rest:path}", lambda request: PlainTextResponse("inner")),
    ]
    return Starlette(routes=routes, middleware=server.middleware(settings))


def ask(settings, path, client=("198.51.100.1", 1), method="GET", **headers):
    async def once():
        transport = httpx.ASGITransport(app(settings), client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://city") as browser:
            return await browser.request(method, path, headers=headers)

    return asyncio.run(once())


def rules(settings):
    parts = (rule.split() for rule in content_policy(settings).split(";"))
    return {name: set(sources) for name, *sources in parts}


def test_every_answer_carries_the_headers(tmp_path):
    for path in ("/", "/anything", "/_stcore/metrics"):
        headers = ask(settings_for(tmp_path), path).headers
        assert headers["content-security-policy"] == content_policy(settings_for(tmp_path))
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in headers
    own = ask(settings_for(tmp_path), "/own").headers
    assert own.get_list("referrer-policy") == ["no-referrer"]


def test_under_tls_browsers_are_told_to_stay_with_it(tmp_path):
    settings = settings_for(tmp_path, CITYVERSE_PUBLIC_URL="https://city.example.org/")
    assert "max-age=31536000" in ask(settings, "/").headers["strict-transport-security"]


def test_the_policy_is_narrow(tmp_path):
    policy = content_policy(settings_for(tmp_path))
    assert "unsafe-eval" not in policy
    assert "*" not in policy
    assert "http" not in policy
    found = rules(settings_for(tmp_path))
    assert found["default-src"] == {"'self'"}
    assert found["script-src"] == {"'self'", "blob:", *inline_scripts()}
    assert found["object-src"] == found["frame-ancestors"] == {"'none'"}


def test_the_hashes_are_those_of_the_installed_page_and_our_script(tmp_path):
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    scripts += re.findall(r"<script>(.*?)</script>", ask_page(tmp_path).text)
    assert len(scripts) >= 2
    for text in scripts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in inline_scripts()


def ask_page(tmp_path, path="/", **headers):
    return ask(settings_for(tmp_path), path, Accept="text/html,*/*", **headers)


@pytest.mark.parametrize("path", ["/", "/parts"])
def test_a_page_begins_with_our_script_and_is_whole(tmp_path, path):
    answer = ask_page(tmp_path, path, **{"Accept-Encoding": "gzip", "If-None-Match": "x"})
    assert answer.status_code == 200
    script = "<script>delete window.WebAssembly;</script>"
    assert answer.text == PAGE.replace("<head>", f"<head>{script}")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "etag" not in answer.headers


def test_what_is_no_page_stays_as_it_is(tmp_path):
    assert ask(settings_for(tmp_path), "/").text == PAGE
    assert ask(settings_for(tmp_path), "/x", Accept="text/html").text == "inner"
    assert ask(settings_for(tmp_path), "/", method="HEAD", Accept="text/html").content == b""


def test_configured_origins_are_named_where_they_are_used_and_nowhere_else(tmp_path):
    settings = settings_for(
        tmp_path,
        CITYVERSE_MEDIA_ORIGINS="https://cdn.example.org",
        CITYVERSE_TILE_ORIGINS="https://tiles.example.org, https://tiles2.example.org:8443",
    )
    found = rules(settings)
    cdn, tiles = "https://cdn.example.org", "https://tiles2.example.org:8443"
    assert {name for name, sources in found.items() if cdn in sources} == {
        "img-src",
        "media-src",
        "connect-src",
    }
    assert {name for name, sources in found.items() if tiles in sources} == {
        "img-src",
        "connect-src",
    }


@pytest.mark.parametrize("region", ["eu-west-3", "us-east-1"])
def test_on_aws_the_buckets_are_named(tmp_path, region):
    settings = settings_for(
        tmp_path,
        CITYVERSE_STORE="aws",
        AWS_DEFAULT_REGION=region,
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
    )
    objects = connect_objects(settings)
    sources = rules(settings)["img-src"]
    try:
        for bucket in BUCKETS:
            for prefix in bucket.prefixes:
                address = objects.presigned(f"{prefix}x", 60).partition("?")[0]
                assert any(address.startswith(source) for source in sources), address
    finally:
        objects.client.close()
    assert sum(source.startswith("http") for source in sources) == len(BUCKETS)


INNER = [
    "/_stcore/metrics",
    "/_stcore/metrics/",
    "http://city//_stcore/metrics",
    "/_stcore//metrics",
    "/_stcore/./metrics",
    "/x/../_stcore/metrics",
    "/_stcore/%6Detrics",
]


@pytest.mark.parametrize("path", INNER)
@pytest.mark.parametrize("client", [("198.51.100.1", 1), ("127.0.0.1", 1), None])
def test_metrics_are_refused(tmp_path, path, client):
    assert ask(settings_for(tmp_path), path, client).status_code == 404


def test_metrics_are_for_whom_the_settings_name(tmp_path):
    settings = settings_for(tmp_path, CITYVERSE_METRICS_FROM="10.0.0.0/8 2001:db8::/32")
    assert ask(settings, "/_stcore/metrics", ("10.1.2.3", 1)).text == "inner"
    assert ask(settings, "/_stcore/metrics", ("2001:db8::1", 1)).text == "inner"
    assert ask(settings, "/_stcore/metrics", ("198.51.100.1", 1)).status_code == 404
    assert ask(settings, "/_stcore/metrics", ("unix", 1)).status_code == 404


@pytest.mark.parametrize("path", ["agent/interact", "agent/openapi.json", "agent/mcp", "agent"])
def test_the_agent_is_refused_to_everybody(tmp_path, path):
    settings = settings_for(tmp_path, CITYVERSE_METRICS_FROM="0.0.0.0/0 ::/0")
    assert ask(settings, f"/_stcore/{path}").status_code == 404
    assert ask(settings, "/_stcore/health").text == "inner"


def test_cors_and_xsrf_protection_are_on():
    configured = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]
    assert configured["enableCORS"] is True
    assert configured["enableXsrfProtection"] is True
    assert "enableAgentApi" not in configured


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CITYVERSE_PUBLIC_URL", "javascript:alert(1)"),
        ("CITYVERSE_PUBLIC_URL", "https://city.example.org/below"),
        ("CITYVERSE_MEDIA_ORIGINS", "https://*.example.org"),
        ("CITYVERSE_MEDIA_ORIGINS", "cdn.example.org"),
        ("CITYVERSE_TILE_ORIGINS", "https://x;script-src"),
        ("CITYVERSE_TRUSTED_PROXIES", "proxy"),
        ("CITYVERSE_METRICS_FROM", "10.0.0.1/8"),
    ],
)
def test_a_setting_that_would_widen_the_policy_is_refused(tmp_path, name, value):
    from cityverse.errors import InputError

    with pytest.raises(InputError, match=name):
        settings_for(tmp_path, **{name: value})
