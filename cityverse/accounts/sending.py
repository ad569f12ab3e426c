"""Sends the letters that the store holds; for the worker."""

from __future__ import annotations

import logging
from datetime import datetime
from urllib.parse import urlencode

from cityverse.accounts.letter import DEFAULT, letter
from cityverse.accounts.mail import Sender, message
from cityverse.data.letters import Letter
from cityverse.data.store import Store, secret
from cityverse.domain.moderation import key_of
from cityverse.errors import MailError
from cityverse.settings import Settings

log = logging.getLogger(__name__)


def send_due(store: Store, settings: Settings, sender: Sender, now: datetime) -> int:
    """Send what is due; answers with how many letters. What fails is tried again later."""
    sent = 0
    for one in store.letters.due(now):
        if not store.letters.take(one, now):
            continue  # another worker has it
        try:
            sent += _send(store, settings, sender, one)
        except MailError as error:
            log.warning("letter %s could not be sent: %s", one.id, error)
            continue
        store.letters.sent(one)
    return sent


def _send(store: Store, settings: Settings, sender: Sender, one: Letter) -> int:
    address, first_name = one.address, ""
    if one.user_id is not None:
        user = store.users.find(one.user_id)
        if user is None or user.email is None:
            return 0  # the account is gone, and so is who would read it
        address, first_name = user.email, user.first_name
    if address is None:
        return 0
    words = letter(DEFAULT, one.name, first_name, link=_link(settings, one))
    sender.send(message(settings.mail_from, address, *words))
    return 1


def _link(settings: Settings, one: Letter) -> str:
    """The way to what a letter is about, for who reads it and nobody else."""
    if not one.about:
        return ""
    key = key_of(secret(settings), one.about, one.party)
    asked = urlencode({"decision": one.about, "party": one.party, "key": key})
    return f"{settings.address}/Moderation?{asked}"
