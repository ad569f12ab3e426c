"""Amazon SES, which delivers e-mails."""

from __future__ import annotations

import os
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import boto3
from botocore.config import Config

from cityverse.data.client import mapped
from cityverse.errors import CityVerseError, MailError
from cityverse.settings import Settings

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra="cityverse",
)


class SimpleEmailService:
    """Sends by SES in the region and with the keys of the settings."""

    def __init__(self, settings: Settings) -> None:
        lent = os.environ.get("AWS_SESSION_TOKEN") if settings.aws_access_key_id else None
        self._client: Any = boto3.session.Session().client(
            "sesv2",
            region_name=settings.aws_region,
            aws_access_key_id=settings.aws_access_key_id or None,
            aws_secret_access_key=settings.aws_secret_access_key or None,
            aws_session_token=lent,
            config=_CONFIG,
        )

    def send(self, message: EmailMessage) -> None:
        """Hand a message over; raises MailError."""
        try:
            self._send(message)
        except CityVerseError as error:
            raise MailError(f"SES: {error}") from error

    @mapped
    def _send(self, message: EmailMessage) -> None:
        self._client.send_email(
            FromEmailAddress=str(message["From"]),
            Destination={"ToAddresses": [str(message["To"])]},
            Content={"Raw": {"Data": message.as_bytes(policy=SMTP)}},
        )
