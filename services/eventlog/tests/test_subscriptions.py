import pytest

from chassis.bus.ports import Outcome
from chassis.errors import Problem
from chassis.ids import new_id
from services.eventlog.publishing import Outside
from services.eventlog.tests.helpers import deliver, event, feed, orders

RECORD = "eventlog.event-subscription"


class Recorder:
    """Stands where the broker's publisher does, in the tests that are about what is handed to it."""

    def __init__(self):
        self.taken, self.failing_from = [], None

    def publish(self, batch):
        outcomes = []
        for item in batch:
            failed = self.failing_from is not None and len(self.taken) >= self.failing_from
            if not failed:
                self.taken.append(item)
            outcomes.append(Outcome.FAILED if failed else Outcome.UNROUTABLE)
        return outcomes


@pytest.fixture
def suite(suite_of, monkeypatch):
    for name in ("GUANXI_BROKER_MANAGEMENT_URL", "GUANXI_BROKER_URL", "GUANXI_BUS"):
        monkeypatch.delenv(name, raising=False)
    made = suite_of("identity", "eventlog")
    made.runtime("eventlog").publisher = Recorder()
    return made


def integration_user(suite, grants, masks=None):
    role = suite.create("identity.role", {"name": f"R {new_id()}", "grants": grants, "masks": masks or {}})
    data = {"name": "ERP", "email": f"{new_id()}@example.com", "role_ids": [role["id"]]}
    return suite.create("identity.user", data)["id"]


def subscribe(suite, grants=None, **data):
    user = data.pop("user_id", None) or integration_user(suite, grants or {"sales.order": {"read": "all"}})
    return suite.create(RECORD, {"name": "ERP", "user_id": user, **data})


def publish(suite):
    """One round of a leader that has just begun; returns the events that were taken."""
    recorder = suite.runtime("eventlog").publisher
    before = len(recorder.taken)
    Outside().publish(suite.runtime("eventlog"))
    return [one.id for one in recorder.taken[before:]]


def ids(events):
    return [one["id"] for one in events]


def test_without_a_broker_a_subscription_exists_to_be_pulled(suite):
    made = subscribe(suite)
    assert (made["amqp_url"], made["status"]) == (None, "active")
    assert made["exchange"] == f"feed.{suite.tenant}.{made['id']}"
    assert made["amqp_user"] == f"feed-{made['id']}"


@pytest.mark.parametrize("kind", ["*", "sales", "sales.order", "sales.ordre.placed", "nobody.*"])
def test_a_type_that_brings_nothing_is_refused(suite, kind):
    with pytest.raises(Problem) as refused:
        subscribe(suite, types=[kind])
    assert refused.value.status == 422


def test_a_subscription_of_a_user_whom_nobody_knows_is_refused(suite):
    with pytest.raises(Problem) as refused:
        subscribe(suite, user_id=new_id())
    assert refused.value.code == "unknown_reference"


def test_only_who_manages_users_subscribes_for_others(suite):
    mine, other = integration_user(suite, {}), integration_user(suite, {"*": {"*": "all"}})
    grants = {RECORD: {"*": "all"}, "identity.user": {"read": "all"}}
    context = suite.context(user_id=mine, grants=grants)
    suite.create(RECORD, {"name": "Mine", "user_id": mine}, context=context)
    with pytest.raises(Problem) as refused:
        suite.create(RECORD, {"name": "Everything", "user_id": other}, context=context)
    assert refused.value.status == 403
    theirs = suite.create(RECORD, {"name": "Theirs", "user_id": other})
    suite.run(RECORD, theirs["id"], "pause")
    with pytest.raises(Problem) as again:
        suite.run(RECORD, theirs["id"], "activate", context=context)
    assert again.value.status == 403


def test_what_the_user_may_see_is_published_once_in_order(suite):
    subscribe(suite)
    batch = [*orders(suite, 3), event(suite, "customer.account.created"), *orders(suite, 2)]
    deliver(suite, *batch)
    assert publish(suite) == ids(batch[:3] + batch[4:])
    assert publish(suite) == []
    more = orders(suite, 600)
    deliver(suite, *more)
    assert publish(suite) == ids(more)


def test_only_the_chosen_types_are_published(suite):
    subscribe(suite, types=["sales.order.confirmed"])
    confirmed = event(suite, "sales.order.confirmed")
    deliver(suite, *orders(suite, 2), confirmed)
    assert publish(suite) == [confirmed["id"]]


def test_another_tenant_is_never_published(suite):
    subscribe(suite, {"*": {"*": "all"}}, types=["sales.*"])
    deliver(suite, event(suite, "sales.order.placed", tenant=new_id()))
    assert publish(suite) == []


def test_masks_apply_to_what_is_published(suite):
    user = integration_user(
        suite, {"customer.contact": {"read": "all"}}, {"customer.contact": {"hidden": ["email", "phone"]}}
    )
    subscribe(suite, user_id=user)
    deliver(suite, event(suite, "customer.contact.created", name="Ana", email="ana@example.com"))
    assert len(publish(suite)) == 1
    (taken,) = suite.runtime("eventlog").publisher.taken
    assert b"Ana" in taken.body
    assert b"ana@example.com" not in taken.body


def test_a_right_that_was_withdrawn_ends_what_is_published(suite):
    user = integration_user(suite, {"sales.order": {"read": "all"}})
    subscribe(suite, user_id=user)
    suite.update("identity.user", user, {"role_ids": []})
    deliver(suite, *orders(suite, 2))
    assert publish(suite) == []


def test_an_inactive_user_is_waited_for_and_others_go_on(suite):
    user = integration_user(suite, {"sales.order": {"read": "all"}})
    subscribe(suite, user_id=user)
    suite.run("identity.user", user, "deactivate")
    batch = orders(suite, 2)
    subscribe(suite)
    deliver(suite, *batch)
    assert publish(suite) == ids(batch)
    suite.run("identity.user", user, "activate")
    assert publish(suite) == ids(batch)


def test_a_subscription_begins_with_the_next_event_and_replays_the_past_when_asked(suite):
    before, after = orders(suite, 2), orders(suite, 1)
    deliver(suite, *before)
    made = subscribe(suite)
    assert publish(suite) == []
    deliver(suite, *after)
    assert publish(suite) == ids(after)
    suite.run("eventlog.event-subscription", made["id"], "replay")
    assert publish(suite) == ids([*before, *after])


def test_what_the_broker_did_not_take_is_published_again_from_there(suite):
    subscribe(suite)
    batch = orders(suite, 5)
    deliver(suite, *batch)
    recorder = suite.runtime("eventlog").publisher
    recorder.failing_from = 2
    assert publish(suite) == ids(batch[:2])
    recorder.failing_from = None
    assert publish(suite) == ids(batch[2:])


def test_the_position_is_shown_as_it_is_now_and_makes_no_version(suite):
    made = subscribe(suite)
    deliver(suite, *orders(suite, 3))
    publish(suite)
    shown = suite.get(RECORD, made["id"])
    assert (shown["position"], shown["version"]) == (3, 1)
    assert suite.list(RECORD)[0]["position"] == 3


def test_a_replay_publishes_everything_again(suite):
    made = subscribe(suite)
    batch = orders(suite, 3)
    deliver(suite, *batch)
    publish(suite)
    suite.run(RECORD, made["id"], "replay")
    assert suite.get(RECORD, made["id"])["position"] == 0
    assert publish(suite) == ids(batch)
    suite.settle()
    assert len(suite.events(f"{RECORD}.replayed")) == 1


def test_a_replay_in_the_middle_of_a_round_is_not_lost(suite):
    made = subscribe(suite)
    batch = orders(suite, 3)
    deliver(suite, *batch)
    recorder = suite.runtime("eventlog").publisher
    deliver(suite, *batch)
    publish(suite)
    more = orders(suite, 1)
    deliver(suite, *more)
    take = recorder.publish

    def replayed_meanwhile(items):
        recorder.publish = take
        suite.run(RECORD, made["id"], "replay")
        return take(items)

    recorder.publish = replayed_meanwhile
    assert publish(suite) == ids(more)
    assert publish(suite) == ids(batch + more)


def test_a_paused_subscription_goes_on_from_where_it_stood(suite):
    made = subscribe(suite)
    first, second = orders(suite, 2), orders(suite, 2)
    deliver(suite, *first)
    publish(suite)
    assert suite.run(RECORD, made["id"], "pause")["status"] == "paused"
    with pytest.raises(Problem) as refused:
        suite.run(RECORD, made["id"], "pause")
    assert refused.value.code == "wrong_state"
    deliver(suite, *second)
    assert publish(suite) == []
    suite.run(RECORD, made["id"], "activate")
    assert publish(suite) == ids(second)


def test_a_deleted_subscription_is_published_no_more_until_it_is_restored(suite):
    made = subscribe(suite)
    suite.call("eventlog", "record.delete", {"record": RECORD, "id": made["id"]})
    batch = orders(suite, 1)
    deliver(suite, *batch)
    assert publish(suite) == []
    suite.call("eventlog", "record.restore", {"record": RECORD, "id": made["id"]})
    assert publish(suite) == ids(batch)


def test_its_own_events_are_in_the_feed_without_the_address(suite):
    subscribe(suite)
    suite.settle()
    page = feed(suite, types=[f"{RECORD}.*"])
    assert [item["type"] for item in page["items"]] == [f"{RECORD}.created"]
    assert page["items"][0]["data"]["amqp_url"] is None


def test_only_services_ask_what_a_user_may_do(suite):
    user = integration_user(suite, {"sales.order": {"read": "all"}})
    with pytest.raises(Problem) as refused:
        suite.call("identity", "identity.context_of", {"user_id": user})
    assert refused.value.status == 403
    context = suite.runtime("eventlog").principal(suite.tenant, "request")
    found = suite.call("identity", "identity.context_of", {"user_id": user}, context=context)
    assert (found["user_id"], found["grants"]) == (user, {"sales.order": {"read": "all"}})
    with pytest.raises(Problem) as unknown:
        suite.call("identity", "identity.context_of", {"user_id": new_id()}, context=context)
    assert unknown.value.status == 404
