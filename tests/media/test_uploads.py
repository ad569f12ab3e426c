"""Videos in parts: resumed, checked as they lie in the store, never by a forged ticket."""

from datetime import UTC, datetime, timedelta

import media_files
import pytest
from media_files import mp4, position, webm

from cityverse.data import uploads as module
from cityverse.data.objects import QUARANTINE
from cityverse.data.uploads import PART_BYTES, Ticket, Tickets
from cityverse.domain.media import MediaKind, new_media_id
from cityverse.errors import Conflict, InvalidField, NotFound

NOW = datetime.now(UTC)


def ticket_for(uploads, data, **options):
    return uploads.tickets.read(uploads.mint("u1", len(data), NOW, **options), NOW)


def put_all(uploads, ticket, data, start=0):
    for at in range(start, len(data), PART_BYTES):
        assert uploads.put_part(ticket, at, data[at : at + PART_BYTES]) == min(
            at + PART_BYTES, len(data)
        )


def in_quarantine(uploads):
    return uploads.media.objects.versions(QUARANTINE)[0]


def test_a_film_of_several_parts_is_resumed_and_finished(uploads):
    data = mp4(extra=position(), data=bytes(range(256)) * 80_000)
    ticket = ticket_for(uploads, data)
    assert (ticket.parts(), uploads.offset(ticket)) == (3, 0)
    uploads.put_part(ticket, 0, data[:PART_BYTES])
    with pytest.raises(Conflict):
        uploads.put_part(ticket, 2 * PART_BYTES, data[2 * PART_BYTES :])
    with pytest.raises(Conflict):
        uploads.finish(ticket, NOW)
    assert uploads.offset(ticket) == PART_BYTES
    put_all(uploads, ticket, data, PART_BYTES)
    media = uploads.finish(ticket, NOW)
    assert (media.kind, media.content_type, media.size) == (MediaKind.VIDEO, "video/mp4", len(data))
    assert (media.owner, media.width, media.height) == ("u1", 640, 360)
    stored = uploads.media.read(media)
    assert b"+48.8584" in data
    assert b"+48.8584" not in stored
    assert len(stored) == len(data)
    assert stored[-20_000_000:] == data[-20_000_000:]
    assert in_quarantine(uploads) == []
    assert uploads.finish(ticket, NOW) == media


def test_a_repeated_part_is_no_error(uploads):
    data = webm()
    ticket = ticket_for(uploads, data)
    put_all(uploads, ticket, data)
    put_all(uploads, ticket, data)
    assert uploads.finish(ticket, NOW).content_type == "video/webm"
    assert in_quarantine(uploads) == []


def test_a_private_film_stays_private(uploads):
    data = mp4()
    ticket = ticket_for(uploads, data, public=False)
    put_all(uploads, ticket, data)
    media = uploads.finish(ticket, NOW)
    with pytest.raises(NotFound):
        uploads.media.seen_by(media.id, None)


def test_what_is_refused_is_deleted_at_once(uploads):
    for name, data in media_files.hostile_videos().items():
        if len(data) > 2_000_000 or len(data) < 16:
            continue
        ticket = ticket_for(uploads, data)
        with pytest.raises(InvalidField) as refusal:  # noqa: PT012 - either may refuse
            put_all(uploads, ticket, data)
            uploads.finish(ticket, NOW)
        assert refusal.value.field == "video", name
        assert uploads.media.items.find(ticket.id) is None
    assert in_quarantine(uploads) == []
    assert uploads.media.objects.versions("media-posts/")[0] == []


def test_no_other_parts_than_announced(uploads):
    data = mp4()
    ticket = ticket_for(uploads, data)
    for offset, part in ((0, data[:-1]), (0, data + b"x"), (8, data), (-PART_BYTES, data),
                         (PART_BYTES, data), (0, b"")):  # fmt: skip
        with pytest.raises(InvalidField, match="part"):
            uploads.put_part(ticket, offset, part)
    assert in_quarantine(uploads) == []


def test_a_part_put_after_the_check_is_not_what_is_copied(uploads, monkeypatch):
    data = mp4()
    ticket = ticket_for(uploads, data)
    put_all(uploads, ticket, data)
    real = module.check_video

    def swap(size, fetch):
        video = real(size, fetch)
        evil = data.replace(b"x" * 100, b"<" * 100)
        uploads.put_part(ticket, 0, evil)
        return video

    monkeypatch.setattr(module, "check_video", swap)
    assert uploads.media.read(uploads.finish(ticket, NOW)) == data
    assert in_quarantine(uploads) == []


def test_finishing_twice_at_once_makes_one_file(uploads):
    from concurrent.futures import ThreadPoolExecutor

    data = mp4()
    for _ in range(5):
        ticket = ticket_for(uploads, data)
        put_all(uploads, ticket, data)

        def finish(_, ticket=ticket):
            try:
                return uploads.finish(ticket, NOW)
            except (Conflict, NotFound):  # the other one was through already
                return None

        with ThreadPoolExecutor(4) as pool:
            made = {m.id for m in pool.map(finish, range(4)) if m}
        assert made == {ticket.id}
        assert uploads.media.read(uploads.media.items.get(ticket.id)) == data


def test_a_cancelled_upload_leaves_nothing(uploads):
    data = mp4()
    ticket = ticket_for(uploads, data)
    put_all(uploads, ticket, data)
    uploads.cancel(ticket)
    assert uploads.offset(ticket) == 0
    assert in_quarantine(uploads) == []


def test_tickets_are_bounded(uploads):
    for size in (0, -1, 40_000_001):
        with pytest.raises(InvalidField, match="video"):
            uploads.mint("u1", size, NOW)
    with pytest.raises(InvalidField, match="owner"):
        uploads.mint("", 9, NOW)


def test_a_forged_or_late_ticket_is_none():
    tickets = Tickets(b"one secret")
    ticket = Ticket(new_media_id(), "u1", 9, True, int(NOW.timestamp()) + 60)
    text = tickets.write(ticket)
    assert tickets.read(text, NOW) == ticket
    assert tickets.read(text, NOW + timedelta(seconds=61)) is None
    assert Tickets(b"another secret").read(text, NOW) is None
    for forged in ("", "é", text[:-2], "A" + text[1:], text + "A" * 2000, "%%%", text[::-1]):
        assert tickets.read(forged, NOW) is None


def test_a_cursor_is_no_ticket():
    from cityverse.data.cursors import Cursors, Position

    secret = b"the same secret"
    assert Tickets(secret).read(Cursors(secret).write("a", Position("b", "next")), NOW) is None


def test_a_ticket_never_fills_more_than_its_size(uploads):
    data = mp4(data=b"x" * 50_000)
    ticket = ticket_for(uploads, data)
    for _ in range(5):
        put_all(uploads, ticket, data)
    assert len(in_quarantine(uploads)) == 1


def test_what_was_erased_does_not_come_back_by_its_ticket(uploads):
    data = mp4()
    ticket = ticket_for(uploads, data)
    put_all(uploads, ticket, data)
    media = uploads.finish(ticket, NOW)
    uploads.media.erase(media)
    with pytest.raises(Conflict):
        uploads.put_part(ticket, 0, data)
    with pytest.raises(Conflict):
        uploads.finish(ticket, NOW)
    assert uploads.media.items.find(media.id) is None


def sent_past_us(uploads, ticket, data, number=0):
    """As a browser does with a signed address."""
    uploads.media.objects.put(ticket.part_key(number), data, "application/octet-stream")


@pytest.mark.parametrize("act", ["offset", "finish"])
def test_more_than_was_announced_ends_the_upload(uploads, act):
    data = mp4()
    for n, sent in enumerate(
        ([data + b"x"], [data[:-1]], [data, b"x" * PART_BYTES], [data] * 3 + [bytes(PART_BYTES)])
    ):
        ticket = ticket_for(uploads, data)
        for part in sent:
            sent_past_us(uploads, ticket, part)
        with pytest.raises(InvalidField, match="more was sent"):
            uploads.finish(ticket, NOW) if act == "finish" else uploads.offset(ticket)
        assert in_quarantine(uploads) == [], n
        with pytest.raises(Conflict, match="ended"):
            uploads.put_part(ticket, 0, data)


def test_a_part_that_is_none_of_it_ends_the_upload(uploads):
    data = mp4()
    ticket = ticket_for(uploads, data)
    put_all(uploads, ticket, data)
    sent_past_us(uploads, ticket, b"x", number=1)
    with pytest.raises(InvalidField, match="more was sent"):
        uploads.finish(ticket, NOW)
    assert in_quarantine(uploads) == []


def test_a_part_sent_without_end_ends_the_upload(uploads):
    data = mp4(data=bytes(PART_BYTES))
    ticket = ticket_for(uploads, data)
    for _ in range(3):
        sent_past_us(uploads, ticket, data[:PART_BYTES])
    assert uploads.offset(ticket) == PART_BYTES
    sent_past_us(uploads, ticket, data[:PART_BYTES])
    with pytest.raises(InvalidField, match="more was sent"):
        uploads.offset(ticket)
    assert in_quarantine(uploads) == []


def test_a_ticket_is_good_for_six_hours_whichever_instance_reads_it(uploads):
    data = mp4(data=bytes(PART_BYTES))
    text = uploads.mint("u1", len(data), NOW)
    ticket = uploads.tickets.read(text, NOW + timedelta(hours=5, minutes=59))
    uploads.put_part(ticket, 0, data[:PART_BYTES])
    assert uploads.tickets.read(text, NOW + timedelta(hours=6)) is None
    other = module.Uploads(uploads.media, Tickets(b"a secret of the tests, 32 bytes."), 40_000_000)
    assert other.offset(other.tickets.read(text, NOW)) == PART_BYTES


def test_a_film_of_an_account_that_is_gone_is_refused_and_leaves_nothing(uploads, store):
    data = mp4()
    ticket = ticket_for(uploads, data)
    put_all(uploads, ticket, data)
    store.dynamo.delete("User", {"id": "u1"})
    with pytest.raises(InvalidField, match="owner"):
        uploads.finish(ticket, NOW)
    with pytest.raises(Conflict, match="ended"):
        uploads.finish(ticket, NOW)
    assert in_quarantine(uploads) == []
    assert uploads.media.objects.versions("media-posts/")[0] == []
