import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.mail import Mail, MailError, message, send
from settings import Settings
from tests.made_mail_server import mail_server

MAIL = Mail(
    key="satisface-1-20261102",
    subject="Satisface: Köln\r\nBcc: x@example.org",
    text="Index 57.4\nÄrger: 3%\n.\n",
    recipients=("ada@example.org", "bob@example.org"),
    sent_at=datetime(2026, 11, 2, 7, 0, tzinfo=UTC),
)


def settings_for(port: int, **values: object) -> Settings:
    return Settings.model_validate(
        {
            "smtp_host": "localhost",
            "smtp_port": port,
            "smtp_security": "none",
            "smtp_from": "Satisface <reports@example.org>",
        }
        | values
    )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with key and certificate for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate, and is not installed")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    options = (
        "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        ["openssl", "req", *options.split(), "-keyout", file, "-out", file.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


def test_a_mail_arrives_with_its_attachment(tmp_path: Path) -> None:
    attached = tmp_path / "report.pdf"
    attached.write_bytes(b"%PDF-\x00\xff\r\n.\r\n")
    mail = Mail(MAIL.key, "Report", MAIL.text, MAIL.recipients, MAIL.sent_at, [attached])
    with mail_server() as server:
        assert send(mail, settings_for(server.port)) == []
    (received,) = server.mails
    assert server.recipients == [["ada@example.org", "bob@example.org"]]
    assert received["To"] == "ada@example.org, bob@example.org"
    assert received["From"] == "Satisface <reports@example.org>"
    assert received["Message-ID"] == "<satisface-1-20261102@example.org>"
    body = received.get_body()
    assert body is not None
    assert body.get_content().splitlines() == MAIL.text.splitlines()
    (part,) = received.iter_attachments()
    assert part.get_filename() == "report.pdf"
    assert part.get_content_type() == "application/pdf"
    assert part.get_payload(decode=True) == attached.read_bytes()


def test_a_line_break_begins_no_header_of_its_own() -> None:
    made = message(MAIL, "reports@example.org")
    assert made["Bcc"] is None
    assert made["Subject"] == "Satisface: Köln Bcc: x@example.org"


def test_it_logs_in_over_starttls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    with mail_server(context=context, user="reports", password="pa ss") as server:
        known = {"smtp_security": "starttls", "smtp_user": "reports"}
        send(MAIL, settings_for(server.port, **known, smtp_password="pa ss"))
        with pytest.raises(MailError, match="did not accept the user name and password"):
            send(MAIL, settings_for(server.port, **known, smtp_password="wrong"))
    assert server.encrypted == [True]


def test_a_server_that_nobody_vouches_for_is_told_nothing(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with mail_server(context=context) as server, pytest.raises(MailError, match="made safe"):
        send(MAIL, settings_for(server.port, smtp_security="starttls"))
    assert server.mails == []


def test_without_starttls_nothing_is_sent_in_the_clear() -> None:
    with mail_server() as server, pytest.raises(MailError, match="SATISFACE_SMTP_SECURITY"):
        send(MAIL, settings_for(server.port, smtp_security="starttls"))
    assert server.mails == []


def test_who_is_refused_is_told() -> None:
    with mail_server(refused={"bob@example.org"}) as server:
        assert send(MAIL, settings_for(server.port)) == ["bob@example.org"]
        server.refused.add("ada@example.org")
        with pytest.raises(MailError, match="refused every address"):
            send(MAIL, settings_for(server.port))
    assert server.recipients == [["ada@example.org"]]


@pytest.mark.parametrize("farewell", ["421 in a hurry", "250 whatever", "???"])
def test_a_mail_that_was_taken_was_sent_whatever_the_farewell(farewell: str) -> None:
    with mail_server(farewell=farewell) as server:
        assert send(MAIL, settings_for(server.port)) == []
    assert len(server.mails) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    with mail_server() as server:
        port = server.port
    with pytest.raises(MailError, match=f"localhost:{port} cannot be reached"):
        send(MAIL, settings_for(port))


def test_without_a_server_it_says_what_to_set() -> None:
    with pytest.raises(MailError, match="SATISFACE_SMTP_HOST"):
        send(MAIL, settings_for(25, smtp_host=""))


def test_a_password_that_the_protocol_cannot_carry_is_said_so() -> None:
    with mail_server(user="reports", password="x") as server:
        settings = settings_for(server.port, smtp_user="reports", smtp_password="pässwort")
        with pytest.raises(MailError, match="plain English letters"):
            send(MAIL, settings)
