"""One e-mail to the mail server (SMTP, RFC 5321; messages as RFC 5322)."""

from __future__ import annotations

import datetime as dt
import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from services.notify.settings import Smtp

TIMEOUT = 10


class Refused(Exception):
    """The server will never take this message; trying again is in vain."""


class Unreachable(Exception):
    """The server could not be spoken to at all, so it need not be asked about other messages now."""


def clean(text: str) -> str:
    """One line: line breaks and control characters, which could add headers, become spaces."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def compose(smtp: Smtp, delivery_id: str, to: str, subject: str, body: str, at: dt.datetime) -> EmailMessage:
    """The message; its Message-ID follows from the delivery, so that a repeated one is known as such.

    Raises Refused for an address that is none.
    """
    name, sender = parseaddr(smtp.sender)
    message = EmailMessage()
    try:
        message["From"] = Address(name, addr_spec=sender)
        message["To"] = Address(addr_spec=to)
    except (ValueError, IndexError, MessageError) as error:
        raise Refused(f"not an e-mail address: {to!r}") from error
    message["Subject"] = clean(subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{delivery_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def send(smtp: Smtp, message: EmailMessage) -> None:
    """Hand the message over. Raises Refused, Unreachable, or smtplib's and the system's errors for what may pass."""
    secure = ssl.create_default_context()
    try:
        if smtp.tls:
            client: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=TIMEOUT, context=secure)
        else:
            client = smtplib.SMTP(smtp.host, smtp.port, timeout=TIMEOUT)
    except (OSError, smtplib.SMTPException) as error:
        raise Unreachable(f"the mail server did not answer: {error}") from error
    with client:
        if not smtp.tls:
            client.ehlo()
            if client.has_extn("starttls"):
                client.starttls(context=secure)
        if smtp.user:
            client.login(smtp.user, smtp.password)
        try:
            client.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, reason = next(iter(error.recipients.values()))
            if code >= 500:
                raise Refused(f"{code} {reason.decode(errors='replace')}") from error
            raise
