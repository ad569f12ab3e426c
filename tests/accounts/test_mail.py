"""Messages: written whole, handed over by each of the ways, tried again, never waited for."""

import datetime as dt
import email
import email.policy
import ipaddress
import re
import socket
import ssl
import stat
import threading

import boto3
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from helpers import settings_for
from moto import mock_aws

from cityverse.accounts import mail
from cityverse.accounts.letter import catalogue, letter
from cityverse.accounts.mail import Background, Outbox, SmtpServer, message
from cityverse.errors import MailError, StoreMisconfigured, StoreThrottled

FROM = "CityVerse <city@example.org>"


def a_message(to="ada@example.org", subject="Bonjour été"):
    return message(FROM, to, subject, "Ouvrez ce lien :\nhttps://example.org/é\n")


def read(data):
    return email.message_from_bytes(data, policy=email.policy.default)


class TestMessages:
    def test_a_message_reads_back(self):
        made = read(a_message().as_bytes())
        assert made["From"] == FROM
        assert made["To"] == "ada@example.org"
        assert made["Subject"] == "Bonjour été"
        assert "https://example.org/é" in made.get_content()
        assert made["Message-ID"]
        assert made["Date"]
        assert made["Auto-Submitted"] == "auto-generated"

    @pytest.mark.parametrize("to", ["a@example.org\r\nBcc: b@example.org", "no address", "", "a@"])
    def test_what_is_no_address_is_refused(self, to):
        with pytest.raises(MailError):
            a_message(to)

    def test_a_subject_stays_one_line(self):
        made = a_message(subject="a\r\nBcc: b@example.org")
        assert made["Subject"] == "a Bcc: b@example.org"
        assert made["Bcc"] is None

    def test_languages_have_the_same_letters_and_placeholders(self):
        french, english = catalogue("fr"), catalogue("en")
        assert french.keys() == english.keys()
        for name, words in french.items():
            if isinstance(words, dict):
                assert words.keys() == english[name].keys(), name
                for part, text in words.items():
                    blanks = set(re.findall(r"{[a-z_]+}", text))
                    assert blanks == set(re.findall(r"{[a-z_]+}", english[name][part])), name

    def test_an_unknown_language_gets_french(self):
        assert (
            letter("../../etc", "reset", "", link="x")[0] == letter("fr", "reset", "", link="x")[0]
        )

    def test_braces_in_a_name_are_text(self):
        assert "Hello {link} {0}," in letter("en", "reset", "{link} {0}", link="x")[1]


class TestOutbox:
    def test_messages_are_files_that_only_the_owner_reads(self, tmp_path):
        outbox = Outbox(tmp_path / "outbox")
        for _ in range(2):
            outbox.send(a_message())
        files = sorted((tmp_path / "outbox").iterdir())
        assert [file.suffix for file in files] == [".eml"] * 2
        assert stat.S_IMODE((tmp_path / "outbox").stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert read(files[0].read_bytes())["To"] == "ada@example.org"

    def test_an_address_of_any_script_is_written(self, tmp_path):
        Outbox(tmp_path).send(a_message("élodie@example.org"))
        (file,) = tmp_path.iterdir()
        assert read(file.read_bytes())["To"] == "élodie@example.org"

    def test_a_folder_that_cannot_be_written_is_said(self, tmp_path):
        (tmp_path / "outbox").write_text("a file")
        with pytest.raises(MailError):
            Outbox(tmp_path / "outbox").send(a_message())


class Kept:
    """Takes messages of a mail server."""

    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if "full@example.org" in envelope.rcpt_tos:
            return "452 no room"
        self.envelopes.append((envelope, session.ssl is not None, session.auth_data))
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 and its key, in files."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


@pytest.fixture
def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.fixture
def trusting(certificate):
    return ssl.create_default_context(cafile=str(certificate / "cert.pem"))


@pytest.fixture
def smtp():
    """Starts a mail server on loopback; answers with its port and what it took."""
    running = []

    def begin(**options):
        kept = Kept()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        one = Controller(kept, hostname="127.0.0.1", port=port, **options)
        one.start()
        running.append(one)
        return port, kept

    yield begin
    for one in running:
        one.stop()


class TestSmtp:
    def test_a_message_is_handed_over(self, smtp):
        port, kept = smtp()
        SmtpServer("127.0.0.1", port, "none", "", "").send(a_message())
        ((envelope, encrypted, _),) = kept.envelopes
        assert envelope.rcpt_tos == ["ada@example.org"]
        assert envelope.mail_from == "city@example.org"
        assert read(envelope.content)["Subject"] == "Bonjour été"
        assert not encrypted

    def test_starttls_and_a_name(self, smtp, server_context, trusting, monkeypatch):
        def known(server, session, envelope, mechanism, data):
            right = (data.login, data.password) == (b"city", b"secret")
            return AuthResult(success=right, auth_data=data.login)

        port, kept = smtp(
            tls_context=server_context,
            authenticator=known,
            auth_require_tls=True,
            auth_required=True,
        )
        SmtpServer("127.0.0.1", port, "starttls", "city", "secret", trusting).send(a_message())
        ((_, encrypted, who),) = kept.envelopes
        assert encrypted
        assert who == b"city"
        # This server lets whoever named a wrong password wait for the answer to the farewell.
        monkeypatch.setattr(mail, "_SMTP_SECONDS", 1)
        with pytest.raises(MailError):
            SmtpServer("127.0.0.1", port, "starttls", "city", "wrong", trusting).send(a_message())

    def test_tls_from_the_first_byte(self, smtp, server_context, trusting):
        port, kept = smtp(ssl_context=server_context)
        SmtpServer("127.0.0.1", port, "tls", "", "", trusting).send(a_message())
        assert len(kept.envelopes) == 1

    def test_a_certificate_nobody_vouches_for_is_refused(self, smtp, server_context):
        port, kept = smtp(tls_context=server_context)
        with pytest.raises(MailError):
            SmtpServer("127.0.0.1", port, "starttls", "", "").send(a_message())
        assert not kept.envelopes

    def test_a_server_without_tls_gets_nothing(self, smtp):
        port, kept = smtp()
        with pytest.raises(MailError):
            SmtpServer("127.0.0.1", port, "starttls", "", "").send(a_message())
        assert not kept.envelopes

    def test_a_refusal_and_nobody_there_are_said(self, smtp):
        port, _ = smtp()
        with pytest.raises(MailError):
            SmtpServer("127.0.0.1", port, "none", "", "").send(a_message("full@example.org"))
        with pytest.raises(MailError):
            SmtpServer("127.0.0.1", 1, "none", "", "").send(a_message())


class TestSes:
    @pytest.fixture
    def settings(self, tmp_path):
        return settings_for(
            tmp_path,
            CITYVERSE_MAIL="ses",
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",
        )

    def test_a_message_is_handed_over(self, settings):
        with mock_aws():
            client = boto3.client(
                "sesv2", "eu-west-3", aws_access_key_id="testing", aws_secret_access_key="testing"
            )
            client.create_email_identity(EmailIdentity="city@example.org")
            mail.sender(settings).send(a_message())
            from moto.core import DEFAULT_ACCOUNT_ID
            from moto.ses.models import ses_backends

            (sent,) = ses_backends[DEFAULT_ACCOUNT_ID]["eu-west-3"].sent_messages
            assert "ada@example.org" in str(sent.destinations)
            client.close()

    def test_a_refusal_is_said(self, settings):
        with mock_aws(), pytest.raises(MailError):
            mail.sender(settings).send(a_message())


def test_the_sender_is_the_one_of_the_settings(tmp_path):
    assert mail.sender(settings_for(tmp_path)) == Outbox(tmp_path / "outbox")
    smtp = mail.sender(
        settings_for(tmp_path, CITYVERSE_MAIL="smtp", CITYVERSE_SMTP_HOST="mail.example.org")
    )
    assert (smtp.host, smtp.port, smtp.security) == ("mail.example.org", 587, "starttls")
    with pytest.raises(StoreMisconfigured):
        mail.sender(settings_for(tmp_path, CITYVERSE_MAIL="smtp"))


class TestBackground:
    @pytest.fixture(autouse=True)
    def no_pause(self, monkeypatch):
        monkeypatch.setattr(mail, "_PAUSES", (0.0, 0.0, 0.0))

    def test_a_task_is_tried_three_times(self):
        tried = []

        def fails():
            tried.append(1)
            raise MailError("away")

        background = Background()
        background(fails)
        background.close()
        assert len(tried) == 3

    def test_a_task_that_succeeds_is_done_once(self):
        tried = []
        background = Background()
        background(lambda: tried.append(1))
        background.close()
        assert tried == [1]

    def test_what_nobody_expected_stops_nothing(self):
        done = []
        background = Background()
        background(lambda: 1 / 0)
        background(lambda: done.append(1))
        background.close()
        assert done == [1]

    def test_too_many_waiting_are_refused(self, monkeypatch):
        monkeypatch.setattr(mail, "_WAITING_MOST", 3)
        go = threading.Event()
        background = Background()
        try:
            for _ in range(3):
                background(lambda: go.wait(30))
            with pytest.raises(StoreThrottled):
                background(lambda: None)
        finally:
            go.set()
            background.close()
