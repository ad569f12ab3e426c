"""A digest as an e-mail: plain text and HTML from one template a language.

Nothing of an article is markup in it. ``List-Unsubscribe`` and its companion let a mail
program stop the digests by one click (RFC 8058).
"""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from html import escape
from urllib.parse import quote, urlencode

from cityverse.accounts import mail
from cityverse.accounts.letter import catalogue
from cityverse.community import digests
from cityverse.community.city import CityItem
from cityverse.data import store as stores
from cityverse.domain.digests import Digest
from cityverse.domain.people import User
from cityverse.settings import Settings

STOP = "/digest/stop"
_EXCERPT = 200


def deliverer(
    settings: Settings, sender: mail.Sender
) -> Callable[[User, Digest, list[CityItem]], None]:
    """What sends a digest to a person; raises MailError."""
    secret = stores.secret(settings)

    def deliver(user: User, digest: Digest, news: list[CityItem]) -> None:
        sender.send(message(settings, secret, user, digest, news))

    return deliver


def message(
    settings: Settings, secret: bytes, user: User, digest: Digest, news: list[CityItem]
) -> EmailMessage:
    """The e-mail of a digest; raises MailError where an address cannot be written to."""
    letter = catalogue(digest.language)
    words: dict[str, str] = letter["digest"]
    stop = settings.address + STOP + "?" + _query(secret, user, digest)
    names = {"name": _line(user.first_name), "address": settings.address, "stop": stop}
    greeting = letter["greeting"] if user.first_name else letter["stranger"]
    rows = [_row(settings, item) for item in news]
    text = [greeting.format(**names), "", words[f"intro_{digest.pace}"]]
    text += [words["item"].format(**row) for row in rows]
    text.append(words["ending"].format(**names))
    made = mail.message(
        settings.mail_from,
        user.email or "",
        words["subject"].format(title=rows[0]["title"]),
        "\n".join(text),
    )
    safe = {name: escape(value) for name, value in names.items()}
    body = [words["html_begin"].format(greeting=escape(greeting.format(**names)))]
    body.append(f"<p>{escape(words[f'intro_{digest.pace}'])}</p>")
    body += [
        words["html_item"].format(**{name: escape(value) for name, value in row.items()})
        for row in rows
    ]
    body.append(words["html_ending"].format(**safe))
    made.add_alternative("\n".join(body), subtype="html")
    made["List-Unsubscribe"] = f"<{stop}>"
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return made


def _query(secret: bytes, user: User, digest: Digest) -> str:
    key = digests.key_of(secret, user.id)
    return urlencode({"who": user.id, "key": key, "lang": digest.language})


def _row(settings: Settings, item: CityItem) -> dict[str, str]:
    place = "" if item.location is None else f" · {item.location.place}"
    excerpt = _line(item.text)
    if len(excerpt) > _EXCERPT:
        excerpt = excerpt[:_EXCERPT].rsplit(" ", 1)[0] + " …"
    return {
        "title": _line(item.title),
        "excerpt": excerpt,
        "by": _line(item.by + place),
        # Our own address: there stands where it is and why, and the link to the original.
        "link": f"{settings.address}/?item={quote(item.key)}",
    }


def _line(text: str) -> str:
    """A text as one line, so that it cannot look like the lines around it."""
    return " ".join(text.split())
