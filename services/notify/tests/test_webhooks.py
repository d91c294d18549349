"""Webhooks against a real HTTP receiver, with the feed of a real event log."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import threading

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from chassis.errors import Problem
from chassis.ids import new_id
from contracts.fields import parse_instant
from services.notify.service import Notify
from services.notify.tests.helpers import Receiver, user
from services.notify.webhook_sending import SCHEDULE, Sender, sign


@pytest.fixture
def receiver(monkeypatch):
    monkeypatch.setenv("GUANXI_EGRESS_OPEN", "127.0.0.0/8")
    made = Receiver()
    yield made
    made.close()


class Shop:
    """A suite with one webhook, its follower and its sender."""

    def __init__(self, suite, receiver) -> None:
        self.suite, self.runtime = suite, suite.runtime("notify")
        self.sender = Sender(Notify.following)
        self.user = user(suite)
        suite.context(user_id=self.user)
        self.url = receiver.url

    def webhook(self, **fields):
        made = {
            "name": "ERP",
            "url": self.url,
            "types": ["customer.account.*"],
            "user_id": self.user,
            "owner_id": self.user,
            **fields,
        }
        self.hook = self.suite.create("notify.webhook", made)
        return self.hook

    def account(self, name="Müller & 李"):
        return self.suite.create("customer.account", {"name": name})

    def deliver(self):
        """Everything that is due now; returns how many were tried."""
        self.suite.settle()
        Notify.following._contexts.clear()
        Notify.following.follow(self.runtime)
        tried = 0
        while self.sender.deliver_next(self.runtime, self.suite.tenant, self.hook["id"]):
            tried += 1
        return tried

    def log(self, **where):
        return self.suite.list("notify.webhook-delivery", ["webhook_id", "eq", self.hook["id"]], sort="occurred_at")

    def state(self):
        return self.suite.get("notify.webhook", self.hook["id"])


@pytest.fixture
def shop(suite_of, receiver):
    suite = suite_of("customer", "eventlog", "notify")
    yield Shop(suite, receiver)
    with suite.work("notify") as work:
        work.sql("UPDATE webhook_positions SET active = false WHERE tenant_id = %s", (suite.tenant,))


def test_the_published_vector_of_standard_webhooks_is_what_we_sign():
    """That of github.com/standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py (Apache-2.0)."""
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    at = dt.datetime.fromtimestamp(1614265330, dt.UTC)
    published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert Webhook(secret).sign(message, at, '{"test": 2432232314}') == published
    body, headers = sign([secret], message, at, {"test": 2432232314})
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (message, "1614265330")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.1614265330.".encode() + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_an_event_arrives_once_signed_and_whole(shop, receiver):
    shop.account("Before")
    shop.suite.settle()
    secret = shop.webhook()["secret"]
    account = shop.account()
    assert shop.deliver() == 1 and shop.deliver() == 0
    ((headers, body),) = receiver.got
    # The receiver's library checks the time as well, which is the test's and so the real one here.
    event = Webhook(secret).verify(body, headers)
    assert (event["type"], event["subject"]) == ("customer.account.created", f"account/{account['id']}")
    assert event["data"]["name"] == "Müller & 李"
    assert headers["webhook-id"] == event["id"] and headers["content-type"] == "application/cloudevents+json"
    (delivery,) = shop.log()
    assert (delivery["status"], delivery["attempts"], delivery["log"][0]["status"]) == ("delivered", 1, 204)
    assert "secret" not in shop.state() or shop.state()["secret"] is None


def test_only_the_chosen_types_are_sent(shop, receiver):
    shop.webhook(types=["customer.account.updated"])
    account = shop.account()
    shop.suite.update("customer.account", account["id"], {"name": "New"})
    shop.deliver()
    assert [event["type"] for event in receiver.events()] == ["customer.account.updated"]


def test_it_sends_what_its_user_may_see_and_nothing_else(shop, receiver):
    grants = {"customer.account": {"read": "own"}}
    shop.hook = shop.suite.create(
        "notify.webhook", {"name": "ERP", "url": shop.url, "user_id": shop.user}, context=shop.suite.context()
    )
    shop.suite.context(user_id=shop.user, grants=grants, masks={"customer.account": {"hidden": ["name"]}})
    mine = shop.suite.create("customer.account", {"name": "Mine", "owner_id": shop.user})
    shop.account("Not mine")
    shop.deliver()
    (event,) = receiver.events()
    assert event["subject"] == f"account/{mine['id']}" and "name" not in event["data"]


def test_a_failure_is_tried_ten_times_over_the_schedule_with_one_id(shop, receiver):
    secret = shop.webhook()["secret"]
    shop.account()
    receiver.answers = [(500, {})] * 10
    began = shop.suite.clock.now()
    shop.deliver()
    for wait in SCHEDULE:
        (delivery,) = shop.log()
        assert delivery["status"] == "pending"
        shop.suite.clock.forward(seconds=wait.total_seconds() - 1)
        # Before its time nothing is sent; an address that fails may rest five minutes longer, no more.
        count = len(receiver.got)
        shop.deliver()
        assert len(receiver.got) == count
        shop.suite.clock.forward(seconds=302)
        if shop.state()["status"] == "disabled":
            break
        shop.deliver()
        assert len(receiver.got) == count + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    for headers, body in receiver.got:
        at = int(headers["webhook-timestamp"])
        signed = Webhook(secret).sign(headers["webhook-id"], dt.datetime.fromtimestamp(at, dt.UTC), body.decode())
        assert headers["webhook-signature"] == signed
    assert shop.suite.clock.now() - began > dt.timedelta(days=3)
    state = shop.state()
    assert state["status"] == "disabled" and "three days" in state["disabled_reason"]
    shop.suite.settle()
    told = [one["title"] for one in shop.suite.list("notify.notification")]
    assert told == ["The webhook ERP was disabled"]


def test_a_receiver_says_when_to_come_again(shop, receiver):
    shop.webhook()
    shop.account()
    receiver.answers = [(429, {"Retry-After": "3600"})]
    shop.deliver()
    (delivery,) = shop.log()
    assert parse_instant(delivery["due_at"]) - shop.suite.clock.now() > dt.timedelta(minutes=59)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
def test_only_2xx_is_success_and_redirects_are_not_followed(shop, receiver, status):
    shop.webhook()
    shop.account()
    receiver.answers = [(status, {"Location": receiver.url})]
    shop.deliver()
    (delivery,) = shop.log()
    assert delivery["status"] == "pending" and len(receiver.got) == 1


def test_410_disables_at_once_and_activating_goes_on_where_it_stopped(shop, receiver):
    shop.webhook()
    shop.account("First")
    receiver.answers = [(410, {})]
    shop.deliver()
    assert shop.state()["status"] == "disabled"
    shop.account("Second")
    assert shop.deliver() == 0
    shop.suite.run("notify.webhook", shop.hook["id"], "activate")
    shop.suite.clock.forward(hours=1)
    shop.deliver()
    assert [event["data"]["name"] for event in receiver.events()] == ["First", "First", "Second"]


def test_a_dead_address_keeps_nobody_else_waiting(shop, receiver):
    shop.webhook()
    good = shop.hook
    dead = shop.webhook(name="Dead", url="http://127.0.0.1:9/")
    shop.account()
    shop.deliver()
    shop.hook = good
    assert shop.deliver() == 1
    shop.hook = dead
    (delivery,) = shop.log()
    assert delivery["log"][0]["error"].startswith("no connection")


def test_after_rotating_both_secrets_verify_for_a_day(shop, receiver):
    old = shop.webhook()["secret"]
    new = shop.suite.run("notify.webhook", shop.hook["id"], "rotate-secret")["secret"]
    assert new != old
    shop.account()
    shop.deliver()
    ((headers, body),) = receiver.got
    Webhook(old).verify(body, headers)
    Webhook(new).verify(body, headers)
    shop.suite.clock.forward(hours=25)
    shop.account()
    shop.deliver()
    headers, body = receiver.got[1]
    assert len(headers["webhook-signature"].split()) == 1
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_no_table_holds_a_secret_and_only_its_own_answer_shows_it(shop):
    old = shop.webhook()["secret"]
    new = shop.suite.run("notify.webhook", shop.hook["id"], "rotate-secret")["secret"]
    assert all(len(base64.b64decode(one.removeprefix("whsec_"))) == 32 for one in (old, new))
    shop.account()
    shop.deliver()
    with shop.suite.work("notify") as work:
        tables = work.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND has_table_privilege(oid, 'SELECT')"
        )
        held = "".join(str(work.rows(f'SELECT t::text FROM "{name}" AS t')) for (name,) in tables)
    assert shop.hook["id"] in held and "webhook_secrets" in str(tables)
    assert old.removeprefix("whsec_") not in held and new.removeprefix("whsec_") not in held
    assert shop.state()["secret"] is None


def test_the_test_button_sends_an_event_of_no_consequence(shop, receiver):
    secret = shop.webhook()["secret"]
    shop.suite.run("notify.webhook", shop.hook["id"], "test")
    shop.deliver()
    ((headers, body),) = receiver.got
    assert Webhook(secret).verify(body, headers)["type"] == "notify.webhook.tested"
    shop.suite.run("notify.webhook", shop.hook["id"], "pause")
    with pytest.raises(Problem) as refused:
        shop.suite.run("notify.webhook", shop.hook["id"], "test")
    assert refused.value.code == "wrong_state"


def test_replaying_sends_again_under_the_same_id(shop, receiver):
    shop.webhook()
    shop.account("One")
    shop.account("Two")
    shop.deliver()
    first = receiver.events()[0]
    shop.suite.run("notify.webhook", shop.hook["id"], "replay", {"event_id": first["id"]})
    shop.deliver()
    assert [event["id"] for event in receiver.events()[2:]] == [first["id"]]
    shop.suite.run("notify.webhook", shop.hook["id"], "replay", {"since": "2020-01-01T00:00:00Z"})
    shop.deliver()
    assert {event["id"] for event in receiver.events()[3:]} == {event["id"] for event in receiver.events()[:2]}
    for body, code in (({"event_id": new_id()}, "nothing_to_replay"), ({}, "invalid")):
        with pytest.raises(Problem) as refused:
            shop.suite.run("notify.webhook", shop.hook["id"], "replay", body)
        assert refused.value.code == code


def test_what_its_user_may_not_see_any_more_is_withheld(shop, receiver):
    shop.webhook()
    shop.account()
    receiver.answers = [(500, {})]
    shop.deliver()
    shop.suite.context(user_id=shop.user, grants={})
    shop.suite.clock.forward(minutes=10)
    shop.deliver()
    (delivery,) = shop.log()
    assert delivery["status"] == "withheld" and len(receiver.got) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "https://169.254.169.254/latest"},
        {"url": "ftp://example.com"},
        {"url": "https://user:pass@example.com"},
        {"types": ["sales.order.plcaed"]},
        {"types": ["nothing.at.all"]},
    ],
)
def test_a_bad_address_or_type_is_refused_by_name(shop, fields):
    with pytest.raises(Problem) as refused:
        shop.webhook(**fields)
    assert refused.value.status == 422
    assert next(iter(refused.value.document()["errors"]))["field"].startswith(next(iter(fields)))


def test_nobody_directs_what_another_may_see(shop):
    """Who may edit webhooks, but not users, cannot send the administrator's view to an address of his own."""
    shop.webhook()
    clerk = shop.suite.context(user_id=new_id(), grants={"notify.webhook": {"*": "all"}})
    with pytest.raises(Problem) as refused:
        shop.suite.update("notify.webhook", shop.hook["id"], {"url": shop.url + "2"}, context=clerk)
    assert refused.value.status == 403


def test_lanes_end_when_nothing_is_due(shop, receiver):
    shop.webhook()
    for number in range(8):
        shop.account(f"No {number}")
    shop.suite.settle()
    Notify.following.follow(shop.runtime)
    assert shop.sender.call(shop.runtime) == 4
    for thread in threading.enumerate():
        if "_lane" in thread.name:
            thread.join(20)
    assert shop.sender.idle()
    assert sorted(event["data"]["name"] for event in receiver.events()) == [f"No {number}" for number in range(8)]
