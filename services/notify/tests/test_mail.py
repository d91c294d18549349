import datetime as dt
import socket

import pytest
from aiosmtpd.controller import Controller

from services.notify import mail, settings
from services.notify.deliveries import MAX_ATTEMPTS, send_due
from services.notify.tests.helpers import publish, user


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Sink:
    """A real SMTP server that keeps what it gets, and refuses with `answer` when it is set."""

    def __init__(self):
        self.messages, self.answer, self.recipient_answer = [], None, None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.answer:
            return self.answer
        self.messages.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def sink(monkeypatch):
    handler, port = Sink(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("GUANXI_SMTP_URL", f"smtp://127.0.0.1:{port}")
    monkeypatch.setenv("GUANXI_SMTP_FROM", "Guanxi <crm@example.com>")
    yield handler
    controller.stop()


@pytest.fixture
def suite(suite_of):
    made = suite_of("notify")
    # Deliveries of earlier tests wait in the same database for a server that is gone.
    with made.runtime("notify").database.operations() as connection:
        connection.exec_driver_sql("DELETE FROM delivery_queue")
    return made


def confirmed(suite, owner, number="SO-1"):
    publish(suite, "sales.order.confirmed", {"number": number, "owner_id": owner})


def only(suite):
    (delivery,) = suite.list("notify.delivery")
    return delivery


def test_a_notification_is_mailed_once_to_its_user(suite, sink):
    confirmed(suite, user(suite))
    queued = only(suite)
    assert (queued["status"], queued["to"], queued["attempts"]) == ("queued", "nancy@example.com", 0)
    assert send_due(suite.runtime("notify")) == 1
    assert send_due(suite.runtime("notify")) == 0
    (message,) = sink.messages
    assert "To: nancy@example.com" in message
    assert "From: Guanxi <crm@example.com>" in message
    assert "Subject: Order SO-1 was confirmed" in message
    assert f"Message-ID: <{queued['id']}@example.com>" in message
    sent = only(suite)
    assert (sent["status"], sent["attempts"], sent["sent_at"] is not None) == ("sent", 1, True)
    suite.settle()
    assert [one["data"]["status"] for one in suite.events("notify.delivery.sent")] == ["sent"]


def test_a_notification_that_somebody_makes_is_mailed_too(suite, sink):
    nancy = user(suite)
    context = suite.context(user_id=nancy)
    suite.create("notify.notification", {"user_id": nancy, "title": "Call Bo", "body": "今天"}, context=context)
    send_due(suite.runtime("notify"))
    assert len(sink.messages) == 1


def test_without_a_mail_server_nothing_is_queued(suite, monkeypatch):
    monkeypatch.delenv("GUANXI_SMTP_URL", raising=False)
    confirmed(suite, user(suite))
    assert len(suite.list("notify.notification")) == 1
    assert suite.list("notify.delivery") == []
    assert send_due(suite.runtime("notify")) == 0


def test_who_is_inactive_gets_no_mail(suite, sink):
    confirmed(suite, user(suite, status="inactive"))
    assert suite.list("notify.delivery") == []


def test_a_failed_delivery_waits_longer_each_time_and_is_sent_with_the_same_message_id(suite, sink):
    confirmed(suite, user(suite))
    runtime, queued = suite.runtime("notify"), only(suite)
    sink.answer = "451 later"
    assert send_due(runtime) == 1
    assert (only(suite)["status"], only(suite)["attempts"]) == ("queued", 1)
    assert "451" in only(suite)["error"]
    assert send_due(runtime) == 0
    suite.clock.forward(seconds=61)
    assert send_due(runtime) == 1
    suite.clock.forward(seconds=61)
    assert send_due(runtime) == 0
    sink.answer = None
    suite.clock.forward(seconds=60)
    assert send_due(runtime) == 1
    sent = only(suite)
    assert (sent["status"], sent["attempts"], sent["error"]) == ("sent", 3, None)
    assert queued["id"] in sink.messages[0]


def test_after_eight_attempts_a_delivery_has_failed(suite, sink):
    confirmed(suite, user(suite))
    sink.answer = "451 later"
    for _ in range(MAX_ATTEMPTS):
        assert send_due(suite.runtime("notify")) == 1
        suite.clock.forward(hours=3)
    assert (only(suite)["status"], only(suite)["attempts"]) == ("failed", 8)
    assert send_due(suite.runtime("notify")) == 0
    suite.settle()
    assert len(suite.events("notify.delivery.delayed")) == 7
    assert len(suite.events("notify.delivery.failed")) == 1


def test_an_address_that_the_server_refuses_for_good_is_not_tried_again(suite, sink):
    confirmed(suite, user(suite))
    sink.recipient_answer = "550 no such mailbox"
    send_due(suite.runtime("notify"))
    assert (only(suite)["status"], only(suite)["attempts"]) == ("failed", 1)


def test_a_server_out_of_reach_costs_one_attempt_per_round(suite, sink, monkeypatch):
    nancy = user(suite)
    for number in ("SO-1", "SO-2", "SO-3"):
        confirmed(suite, nancy, number)
    monkeypatch.setenv("GUANXI_SMTP_URL", f"smtp://127.0.0.1:{free_port()}")
    assert send_due(suite.runtime("notify")) == 1
    assert sorted(one["attempts"] for one in suite.list("notify.delivery")) == [0, 0, 1]


def test_a_sender_that_died_in_the_middle_is_followed_by_another_try(suite, sink):
    from services.notify import deliveries

    confirmed(suite, user(suite))
    runtime = suite.runtime("notify")
    assert deliveries._claim(runtime) is not None
    assert send_due(runtime) == 0
    suite.clock.forward(minutes=3)
    assert send_due(runtime) == 1
    assert len(sink.messages) == 1


def test_a_title_cannot_add_headers(suite, sink):
    publish(suite, "customer.account.transferred", {"name": "Bo\r\nBcc: all@example.com\n\n", "owner_id": user(suite)})
    send_due(suite.runtime("notify"))
    (message,) = sink.messages
    head = message.split("\r\n\r\n")[0]
    assert not any(line.lower().startswith("bcc") for line in head.split("\r\n"))


def test_a_subject_is_one_line_whatever_is_in_it():
    smtp = settings.Smtp("127.0.0.1", 25, "", "", False, "crm@example.com")
    made = mail.compose(smtp, "1", "a@example.com", "Hi\r\nBcc: b@example.com\0", "y", dt.datetime.now(dt.UTC))
    assert made["Subject"] == "Hi Bcc: b@example.com"
    assert made["Bcc"] is None


def test_an_address_with_a_line_break_is_refused():
    smtp = settings.Smtp("127.0.0.1", 25, "", "", False, "crm@example.com")
    with pytest.raises(mail.Refused):
        mail.compose(smtp, "1", "a@example.com\r\nBcc: b@example.com", "x", "y", dt.datetime.now(dt.UTC))


@pytest.mark.parametrize(
    ("url", "sender"), [("http://mail", "crm@example.com"), ("smtp://mail", "nobody"), ("smtp://", "crm@example.com")]
)
def test_settings_that_cannot_work_are_refused(monkeypatch, url, sender):
    monkeypatch.setenv("GUANXI_SMTP_URL", url)
    monkeypatch.setenv("GUANXI_SMTP_FROM", sender)
    with pytest.raises(ValueError):
        settings.smtp()
