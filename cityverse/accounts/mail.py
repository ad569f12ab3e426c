"""E-mails: what is sent, by whom, and that nobody waits for it.

A page hands a letter over and goes on; it is made and sent in the background. So an
answer comes as fast for an address that has an account as for one that has none.
"""

from __future__ import annotations

import logging
import os
import secrets
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Protocol

from cityverse.data.ses import SimpleEmailService
from cityverse.errors import CityVerseError, MailError, StoreMisconfigured, StoreThrottled
from cityverse.settings import Settings

log = logging.getLogger(__name__)

OUTBOX = "outbox"
_SMTP_SECONDS = 20.0
_PAUSES = (0.0, 2.0, 10.0)
_WAITING_MOST = 200


class Sender(Protocol):
    """Whoever takes messages and delivers them."""

    def send(self, message: EmailMessage) -> None:
        """Hand a message over; raises MailError."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """A folder of messages, for a machine without a mail server; only its owner reads it."""

    folder: Path

    def send(self, message: EmailMessage) -> None:
        """Write the message as a file of its own."""
        name = f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-{secrets.token_hex(4)}.eml"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.folder / f".{name}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(message.as_bytes(policy=SMTP))
            draft.rename(self.folder / name)
        except OSError as error:
            raise MailError(f"cannot write to {self.folder}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server; its certificate is checked unless security is ``none``."""

    host: str
    port: int
    security: str
    user: str
    password: str
    context: ssl.SSLContext | None = None

    def send(self, message: EmailMessage) -> None:
        """Hand a message over, within 20 seconds for each answer."""
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            raise MailError(f"{self.host}:{self.port}: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        context = self.context or ssl.create_default_context()
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=_SMTP_SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=_SMTP_SECONDS)
        if self.security == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


def sender(settings: Settings) -> Sender:
    """Who delivers, by the settings; raises StoreMisconfigured."""
    if settings.mail == "smtp":
        if not settings.smtp_host:
            raise StoreMisconfigured("CITYVERSE_MAIL=smtp needs CITYVERSE_SMTP_HOST")
        return SmtpServer(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security,
            settings.smtp_user,
            settings.smtp_password,
        )
    if settings.mail == "ses":
        return SimpleEmailService(settings)
    return Outbox(settings.data_dir / OUTBOX)


def message(sender_line: str, to: str, subject: str, text: str) -> EmailMessage:
    """A message of plain text; raises MailError where an address cannot stand in a header."""
    made = EmailMessage()
    name, address = parseaddr(sender_line)
    try:
        local, _, domain = to.rpartition("@")
        if not local or not domain:
            raise ValueError("there is no @ in it, or nothing beside it")
        made["From"] = Address(name, addr_spec=address)
        made["To"] = Address(username=local, domain=domain)
        made["Subject"] = " ".join(subject.split())
    except (ValueError, IndexError) as error:
        raise MailError(f"an address cannot be written to: {error}") from error
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = make_msgid(domain=address.rpartition("@")[2] or "localhost")
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text)
    return made


class Background:
    """Does tasks one after the other beside the pages, and tries each a few times."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="mail")
        self._room = threading.BoundedSemaphore(_WAITING_MOST)

    def __call__(self, task: Callable[[], None]) -> None:
        """Have a task done; raises StoreThrottled when too many are waiting."""
        if not self._room.acquire(blocking=False):
            raise StoreThrottled("too many messages are waiting")
        self._pool.submit(self._do, task)

    def _do(self, task: Callable[[], None]) -> None:
        try:
            for pause in _PAUSES:
                time.sleep(pause)
                try:
                    return task()
                except CityVerseError as error:
                    log.warning("a message could not be sent: %s", error)
            log.error("a message was given up")
        except Exception:
            log.exception("a message could not be made")
        finally:
            self._room.release()

    def close(self) -> None:
        """Finish what is waiting, and take nothing more."""
        self._pool.shutdown()
