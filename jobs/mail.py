"""Mail by SMTP, as the settings say."""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from fer_core.errors import SatisfaceError
from settings import Settings

_TIMEOUT_S: Final = 60.0
_TAKING_S: Final = 300.0
"""A server may look through attachments before it takes a mail (RFC 5321, 4.5.3.2.6)."""

_TYPES: Final = {
    ".pdf": ("application", "pdf"),
    ".xlsx": ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ".csv": ("text", "csv"),
}


class MailError(SatisfaceError):
    """A mail could not be sent; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Mail:
    """``key``: the same for the same mail, whoever sends it how often; where a mail comes twice
    because a worker died in between, programs can tell. ``sent_at``: aware."""

    key: str
    subject: str
    text: str
    recipients: Sequence[str]
    sent_at: datetime
    attachments: Sequence[Path] = ()


def message(mail: Mail, sender: str) -> EmailMessage:
    """The mail as it goes out. Everybody sees to whom it went."""
    made = EmailMessage()
    made["From"] = sender
    made["To"] = ", ".join(mail.recipients)
    # A line break in a name would begin a header of its own.
    made["Subject"] = " ".join(mail.subject.split())
    made["Date"] = format_datetime(mail.sent_at)
    made["Message-ID"] = f"<{mail.key}@{sender.rpartition('@')[2].strip('> ') or 'satisface'}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(mail.text)
    for file in mail.attachments:
        main, sub = _TYPES.get(file.suffix, ("application", "octet-stream"))
        made.add_attachment(file.read_bytes(), maintype=main, subtype=sub, filename=file.name)
    return made


def send(mail: Mail, settings: Settings) -> list[str]:
    """Send it; returns whom the server refused, where it took the mail for others.

    Raises MailError where it went to nobody.
    """
    if not settings.smtp_host or not settings.smtp_from:
        raise MailError(
            "No mail server is set. The administrator sets SATISFACE_SMTP_HOST and "
            "SATISFACE_SMTP_FROM."
        )
    server = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with closing(_connected(settings)) as smtp:
            if settings.smtp_user:
                smtp.login(settings.smtp_user, settings.smtp_password)
            if smtp.sock is not None:
                smtp.sock.settimeout(_TAKING_S)
            refused = smtp.send_message(message(mail, settings.smtp_from))
            # It has the mail: whatever it says to the farewell, the mail is not to be sent again.
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
    except UnicodeEncodeError as error:
        # smtplib writes user names and passwords in ASCII only.
        raise MailError(
            "The user name and password of the mail server can hold plain English letters, "
            "figures and signs only."
        ) from error
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(
            f"The mail server {server} did not accept the user name and password. Check "
            "SATISFACE_SMTP_USER and SATISFACE_SMTP_PASSWORD."
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        refused_all = ", ".join(error.recipients)
        raise MailError(
            f"The mail server {server} refused every address: {refused_all}."
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(
            f"The mail server {server} cannot do what is asked: {error}. Check "
            "SATISFACE_SMTP_SECURITY."
        ) from error
    except ssl.SSLError as error:
        raise MailError(
            f"The connection to the mail server {server} could not be made safe: "
            f"{error.reason or error}. Check SATISFACE_SMTP_SECURITY and the server's certificate."
        ) from error
    except smtplib.SMTPException as error:
        raise MailError(f"The mail server {server} did not take the mail: {error}.") from error
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
        raise MailError(
            f"The mail server {server} cannot be reached: {why}. Check SATISFACE_SMTP_HOST and "
            "SATISFACE_SMTP_PORT."
        ) from error
    return list(refused)


def _connected(settings: Settings) -> smtplib.SMTP:
    """Encrypted as the settings ask, before anything is said."""
    address = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(*address, timeout=_TIMEOUT_S, context=ssl.create_default_context())
    smtp = smtplib.SMTP(*address, timeout=_TIMEOUT_S)
    if settings.smtp_security == "starttls":
        try:
            smtp.starttls(context=ssl.create_default_context())
        except BaseException:
            smtp.close()
            raise
    return smtp
