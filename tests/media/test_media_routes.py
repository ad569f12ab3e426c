"""The routes: who sees what, ranges, headers, and uploads that stay within bounds."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import media_files
import pytest
from helpers import stand_in
from media_files import mp4, pdf, picture
from starlette.applications import Starlette

from cityverse.data import objects
from cityverse.data import store as stores
from cityverse.data.uploads import PART_BYTES, Tickets, Uploads
from cityverse.domain.media import MediaPlace, new_media_id
from cityverse.ui import media as routes

HERE = {"Origin": "http://testserver"}


class Browser:
    """Asks the application itself, without a server between."""

    def __init__(self, settings, *viewer_of):
        self.app = Starlette(routes=routes.routes(settings, *viewer_of))

    def request(self, method, url, **options):
        async def ask():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://testserver"
            ) as client:
                return await client.request(method, url, **options)

        return asyncio.run(ask())

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def head(self, url):
        return self.request("HEAD", url)

    def post(self, url, **options):
        return self.request("POST", url, **options)

    def put(self, url, **options):
        return self.request("PUT", url, **options)

    def delete(self, url, **options):
        return self.request("DELETE", url, **options)


@pytest.fixture
def client(settings, media_store):
    return Browser(settings, lambda request: request.headers.get("x-viewer"))


@pytest.fixture
def minted(settings, media_store):
    uploads = Uploads(media_store, Tickets(stores.secret(settings)), 200_000_000)
    return lambda size, owner="u1", **options: uploads.mint(
        owner, size, datetime.now(UTC), **options
    )


@pytest.fixture
def film(media_store, minted, client):
    data = mp4(data=bytes(range(256)) * 40)
    url = f"/upload/{minted(len(data))}"
    assert put(client, url, data).status_code == 200
    answer = client.post(url, headers=HERE)
    assert answer.status_code == 201
    return answer.json()["url"], data


def put(client, url, data, at=0, size=None, **headers):
    part = data[at : at + PART_BYTES]
    span = f"bytes {at}-{at + len(part) - 1}/{len(data) if size is None else size}"
    return client.put(url, content=part, headers={"Content-Range": span, **HERE, **headers})


def test_an_image_is_shown_safely(client, media_store):
    media = media_store.add_image("u1", MediaPlace.POST, picture((900, 600)))
    answer = client.get(f"/m/{media.id}")
    assert answer.status_code == 200
    assert answer.content == media_store.read(media)
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"].startswith("public")
    again = client.get(f"/m/{media.id}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    small = client.get(f"/m/{media.id}?size=400")
    assert small.content == media_store.read(media, thumbnail=True)
    assert small.headers["etag"] != answer.headers["etag"]


def test_head_says_the_same_without_a_body(client, film):
    url, data = film
    head = client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(data))
    assert head.headers["content-type"] == "video/mp4"
    assert head.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-99", 206, 0, 100),
        ("bytes=100-", 206, 100, None),
        ("bytes=-50", 206, -50, None),
        ("bytes=0-99999999", 200, 0, None),
        ("bytes=-99999999", 200, 0, None),
        ("bytes=5-5", 206, 5, 6),
        ("bytes=0-1,5-6", 200, 0, None),
        ("bytes=9-3", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=1-2", 200, 0, None),
        ("bytes=x-y", 200, 0, None),
        ("bytes=0-" + "9" * 400, 200, 0, None),
    ],
)
def test_ranges(client, film, asked, status, start, end):
    url, data = film
    answer = client.get(url, headers={"Range": asked})
    assert answer.status_code == status
    assert answer.content == data[start:end]
    if status == 206:
        first = start if start >= 0 else len(data) + start
        last = (len(data) if end is None else end) - 1
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_range_outside_is_416(client, film, asked):
    url, data = film
    answer = client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(data)}"


def test_a_range_of_an_older_file_is_answered_with_the_whole(client, film):
    url, data = film
    answer = client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (answer.status_code, len(answer.content)) == (200, len(data))


def test_a_document_is_downloaded_under_its_name(client, media_store):
    media = media_store.add_pdf("u1", "fête.pdf", pdf())
    answer = client.get(f"/m/{media.id}")
    assert answer.content == pdf()
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"document.pdf\"; filename*=UTF-8''f%C3%AAte.pdf"
    )


def test_not_there_and_not_allowed_look_the_same(client, media_store):
    private = media_store.add_image("u1", MediaPlace.POST, picture(), public=False)
    gone = media_store.remove(media_store.add_image("u1", MediaPlace.POST, picture()))
    answers = [
        client.get(f"/m/{media_id}", headers={"Range": "bytes=0-5"})
        for media_id in (private.id, gone.id, new_media_id(), "x", "m" + "g" * 32, "a" * 4000)
    ]
    assert {(a.status_code, a.content) for a in answers} == {(404, b"no such file")}
    assert len({tuple(sorted(a.headers.items())) for a in answers}) == 1
    mine = client.get(f"/m/{private.id}", headers={"x-viewer": "u1"})
    assert mine.status_code == 200
    assert mine.headers["cache-control"] == "private, no-store"


def test_nobody_is_signed_in_by_default(settings, media_store):
    private = media_store.add_image("u1", MediaPlace.POST, picture(), public=False)
    answer = Browser(settings).get(f"/m/{private.id}", headers={"x-viewer": "u1"})
    assert answer.status_code == 404


def test_a_file_whose_object_is_lost_is_404(client, media_store):
    media = media_store.add_image("u1", MediaPlace.POST, picture())
    media_store.objects.purge(media.key)
    assert client.get(f"/m/{media.id}").status_code == 404


def test_without_a_store_it_says_later_and_recovers(settings, tmp_path, media_store):
    away = dataclasses.replace(settings, data_dir=tmp_path / "nothing")
    client = Browser(away)
    assert client.get(f"/m/{new_media_id()}").status_code == 503
    away.data_dir.symlink_to(settings.data_dir)
    assert client.get(f"/m/{new_media_id()}").status_code == 404


def test_on_aws_the_browser_is_sent_to_a_signed_address(settings, media_store, monkeypatch):
    media = media_store.add_pdf("u1", "plan.pdf", pdf())
    aws = dataclasses.replace(settings, store="aws", aws_access_key_id="a",
                              aws_secret_access_key="b")  # fmt: skip
    monkeypatch.setattr(routes.media_store, "connect", lambda _: media_store)
    client = Browser(aws)
    answer = client.get(f"/m/{media.id}")
    assert answer.status_code == 302
    assert "Signature=" in answer.headers["location"]
    assert "Expires=300" in answer.headers["location"]
    assert "response-content-type=application%2Fpdf" in answer.headers["location"]
    assert client.get(f"/m/{new_media_id()}").status_code == 404
    uploads = Uploads(media_store, Tickets(stores.secret(aws)), 10**8)
    state = client.get(f"/upload/{uploads.mint('u1', 500, datetime.now(UTC))}").json()
    assert "Signature=" in state["put"]
    assert "content-length" in state["put"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-west-3"])
def test_a_signed_part_is_of_its_size_in_every_region(settings, region):
    """Some regions still default to signatures that leave out the size."""
    aws = dataclasses.replace(settings, store="aws", aws_region=region, aws_access_key_id="a",
                              aws_secret_access_key="b")  # fmt: skip
    found = objects.connect(aws)
    for url in (
        found.presigned_put("quarantine/m/0", 500, 300),
        found.presigned_put("quarantine/m/0", PART_BYTES, 300),
    ):
        asked = parse_qs(urlsplit(url).query)
        assert asked["X-Amz-SignedHeaders"] == ["content-length;host"]
        assert asked["X-Amz-Expires"] == ["300"]
    found.client.close()


def test_an_upload_tells_how_far_it_is(client, minted):
    data = mp4(data=bytes(PART_BYTES))
    url = f"/upload/{minted(len(data))}"
    state = client.get(url)
    assert state.json() == {"offset": 0, "size": len(data), "part": PART_BYTES, "put": url}
    after = put(client, url, data)
    assert after.json()["offset"] == PART_BYTES
    assert client.head(url).headers["upload-offset"] == str(PART_BYTES)
    assert client.post(url, headers=HERE).status_code == 409
    put(client, url, data, PART_BYTES)
    done = client.post(url, headers=HERE)
    assert done.status_code == 201
    assert client.get(done.json()["url"]).content == data
    assert client.post(url, headers=HERE).json() == done.json()


def test_an_upload_is_cancelled(client, minted):
    data = mp4()
    url = f"/upload/{minted(len(data))}"
    put(client, url, data)
    assert client.delete(url, headers=HERE).status_code == 204
    assert client.get(url).json()["offset"] == 0


def test_another_site_may_not_upload(client, minted):
    data = mp4()
    url = f"/upload/{minted(len(data))}"
    for origin in ("https://evil.example", "null", "http://testserver.evil.example", ""):
        assert put(client, url, data, **{"Origin": origin}).status_code == 403
        assert client.post(url, headers={"Origin": origin}).status_code == 403
        assert client.delete(url, headers={"Origin": origin}).status_code == 403
    assert client.post(url).status_code == 403


def test_a_forged_ticket_is_404(client, minted):
    url = f"/upload/{minted(100)}"
    for forged in (url[:-3], "/upload/x", "/upload/" + "A" * 3000):
        assert client.get(forged).status_code == 404
        assert put(client, forged, mp4()).status_code == 404


def test_parts_are_bounded_while_they_arrive(client, minted):
    data = mp4()
    url = f"/upload/{minted(len(data))}"
    sent = []

    async def endless():
        while True:
            sent.append(1)
            yield b"x" * 1000

    span = f"bytes 0-{len(data) - 1}/{len(data)}"
    answer = client.put(url, content=endless(), headers={"Content-Range": span, **HERE})
    assert answer.status_code == 413
    for wrong in ("", "bytes 5-9/20", f"bytes 0-9/{len(data) + 1}", "bytes 9-0/10", "bytes */9"):
        answer = client.put(url, content=b"x" * 10, headers={"Content-Range": wrong, **HERE})
        assert answer.status_code in {400, 413}
    assert client.get(url).json()["offset"] == 0


def test_a_body_longer_than_it_said_is_refused(settings, media_store, minted):
    """The server below may not enforce Content-Length, so the route does."""
    data = mp4()
    app = Starlette(routes=routes.routes(settings))
    for body, ends in ((data + b"x", True), (data[:-1], True), (data[:5], False)):
        parts = [{"type": "http.request", "body": body, "more_body": not ends}]
        parts.append({"type": "http.disconnect"})
        sent = []

        async def receive(parts=parts):
            return parts.pop(0)

        async def send(message, sent=sent):
            sent.append(message)

        path = f"/upload/{minted(len(data))}"
        scope = {
            "type": "http", "method": "PUT", "path": path, "raw_path": path.encode(),
            "query_string": b"", "scheme": "http", "http_version": "1.1",
            "headers": [
                (b"host", b"here"), (b"origin", b"http://here"),
                (b"content-length", str(len(data)).encode()),
                (b"content-range", f"bytes 0-{len(data) - 1}/{len(data)}".encode()),
            ],
        }  # fmt: skip
        asyncio.run(app(scope, receive, send))
        assert sent[0]["status"] in {400, 413}


def test_a_hostile_video_is_refused_with_its_reason(client, minted):
    data = media_files.hostile_videos()["Apple ProRes"]
    url = f"/upload/{minted(len(data))}"
    assert put(client, url, data).status_code == 200
    answer = client.post(url, headers=HERE)
    assert answer.status_code == 422
    assert "apcn" in answer.json()["problem"]
    picture_instead = picture() + bytes(1000)
    url = f"/upload/{minted(len(picture_instead))}"
    assert put(client, url, picture_instead).status_code == 422


class Slow:
    """Requests whose bodies stop after their first bytes until they are let go."""

    def __init__(self, app):
        self.browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://testserver"
        )
        self.go = asyncio.Event()
        self.begun = asyncio.Semaphore(0)

    async def put(self, url, data):
        async def body():
            yield data[:20]
            self.begun.release()
            await self.go.wait()
            yield data[20:]

        span = f"bytes 0-{len(data) - 1}/{len(data)}"
        headers = {"Content-Range": span, "Content-Length": str(len(data)), **HERE}
        answer = await self.browser.put(url, content=body(), headers=headers)
        if answer.status_code == 503:
            self.begun.release()
        return answer.status_code


def test_a_part_that_does_not_come_is_given_up(client, minted, monkeypatch):
    monkeypatch.setattr(routes, "_PART_SECONDS", 0.05)
    data = mp4()

    async def try_it():
        slow = Slow(client.app)
        async with slow.browser:
            assert await slow.put(f"/upload/{minted(len(data))}", data) == 408
            # Its place is free again.
            slow.go.set()
            monkeypatch.setattr(routes, "_PART_SECONDS", 60)
            for _ in range(3):
                assert await slow.put(f"/upload/{minted(len(data))}", data) == 200

    asyncio.run(try_it())


def test_one_person_holds_two_parts_at_once_and_all_together_eight(client, minted, store):
    stand_in(store.dynamo, "User", "u0")
    data = mp4()

    async def try_it():
        slow = Slow(client.app)
        urls = [f"/upload/{minted(len(data), owner=f'u{n // 2}')}" for n in range(8)]
        mine = f"/upload/{minted(len(data), owner='u0')}"
        another = f"/upload/{minted(len(data), owner='u9')}"
        async with asyncio.TaskGroup() as group, slow.browser:
            first = [group.create_task(slow.put(url, data)) for url in urls[:2]]
            for _ in first:
                await slow.begun.acquire()
            # The third of one person, part or check; others go on.
            assert await slow.put(mine, data) == 503
            answer = await slow.browser.post(mine, headers=HERE)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert (await slow.browser.post(another, headers=HERE)).status_code == 409
            await slow.begun.acquire()
            rest = [group.create_task(slow.put(url, data)) for url in urls[2:]]
            for _ in rest:
                await slow.begun.acquire()
            assert await slow.put(another, data) == 503
            assert (await slow.browser.post(another, headers=HERE)).status_code == 503
            assert (await slow.browser.get(another)).status_code == 200
            slow.go.set()
            assert [await one for one in (*first, *rest)] == [200] * 8
            assert (await slow.browser.post(urls[0], headers=HERE)).status_code == 201
            assert await slow.put(another, data) == 200

    asyncio.run(try_it())
