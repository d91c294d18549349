import threading

import pytest

from chassis.ids import new_id
from services.eventlog import log
from services.eventlog.tests.helpers import deliver, event, feed, orders


@pytest.fixture
def suite(suite_of):
    return suite_of("eventlog")


def positions(suite):
    with suite.work("eventlog") as work:
        return [
            row.position
            for row in work.sql("SELECT position FROM events WHERE tenant_id = %s ORDER BY position", (suite.tenant,))
        ]


def test_positions_begin_at_one_and_have_no_gaps(suite):
    deliver(suite, *orders(suite, 3))
    deliver(suite, *orders(suite, 2))
    assert [item["position"] for item in feed(suite)["items"]] == [1, 2, 3, 4, 5]


def test_a_repeated_batch_changes_nothing(suite):
    batch = orders(suite, 4)
    deliver(suite, *batch)
    before = feed(suite)
    deliver(suite, *batch, *batch)
    assert feed(suite) == before


def test_only_the_new_ones_of_a_mixed_batch_get_positions(suite):
    known, fresh = orders(suite, 3), orders(suite, 2)
    deliver(suite, *known)
    deliver(suite, known[0], fresh[0], known[1], fresh[1], fresh[0])
    assert [item["id"] for item in feed(suite)["items"]] == [one["id"] for one in known + fresh]
    assert positions(suite) == [1, 2, 3, 4, 5]


def test_each_tenant_counts_for_itself(suite):
    other = new_id()
    deliver(suite, *orders(suite, 2), event(suite, "sales.order.placed", tenant=other), *orders(suite, 1))
    assert [item["position"] for item in feed(suite)["items"]] == [1, 2, 3]
    theirs = feed(suite, context=suite.context(tenant=other))
    assert [(item["position"], item["tenant"]) for item in theirs["items"]] == [(1, other)]


def test_concurrent_batches_leave_no_gaps_and_nothing_appears_behind_a_served_position(suite):
    batches = [orders(suite, 7) for _ in range(24)]
    runtime = suite.runtime("eventlog")
    failures, done = [], threading.Event()

    def write(mine):
        for batch in mine:
            try:
                log.append(runtime, batch)
            except Exception as error:
                failures.append(error)

    # Neighbours overlap, so that every batch is written twice, by two threads at about the same time.
    writers = [
        threading.Thread(target=write, args=(batches[start : start + 6] + batches[:3],)) for start in range(0, 24, 3)
    ]
    seen, after = [], 0
    for writer in writers:
        writer.start()
    watcher = threading.Thread(target=lambda: ([writer.join() for writer in writers], done.set()))
    watcher.start()
    finished = False
    while True:
        page = feed(suite, after, limit=20)
        seen += [(item["position"], item["id"]) for item in page["items"]]
        if finished and page["next"] == after:
            break
        finished, after = done.is_set(), page["next"]
    watcher.join()
    assert failures == []
    assert [position for position, _ in seen] == list(range(1, 24 * 7 + 1))
    assert {one for _, one in seen} == {one["id"] for batch in batches for one in batch}


def test_personal_fields_stand_apart_and_are_in_what_is_served(suite):
    contact = event(
        suite,
        "customer.contact.updated",
        name="Ana Trujillo",
        version=2,
        email="ana@example.com",
        title="Owner",
        changed=["email", "title"],
        previous={"email": "old@example.com", "title": "Clerk"},
    )
    deliver(suite, contact)
    with suite.work("eventlog") as work:
        row = work.sql(
            "SELECT envelope::text AS envelope, private FROM events WHERE tenant_id = %s", (suite.tenant,)
        ).one()
    assert "example.com" not in row.envelope
    assert "Clerk" in row.envelope
    assert row.private["previous"] == {"email": "old@example.com"}
    (item,) = feed(suite)["items"]
    assert item == {**contact, "position": 1}


def test_of_a_record_that_is_not_known_here_everything_may_be_personal(suite):
    deliver(suite, event(suite, "future.person.created", nickname="Bo"))
    with suite.work("eventlog") as work:
        envelope = work.sql("SELECT envelope::text FROM events WHERE tenant_id = %s", (suite.tenant,)).scalar_one()
    assert "Bo" not in envelope
    assert feed(suite)["items"][0]["data"]["nickname"] == "Bo"


@pytest.mark.parametrize(
    "broken", [{"id": "1"}, {"data": {}}, {"data": None}, {"time": "yesterday"}, {"tenant": "everybody"}]
)
def test_what_is_no_event_is_set_aside_and_holds_up_nothing(suite, broken):
    good, bad = event(suite, "sales.order.placed"), event(suite, "sales.order.placed")
    deliver(suite, {**bad, **broken}, good)
    assert [item["id"] for item in feed(suite)["items"]] == [good["id"]]
    with suite.runtime("eventlog").database.operations() as connection:
        raw = connection.exec_driver_sql("SELECT raw FROM dead_letters ORDER BY id DESC LIMIT 1").scalar_one()
    assert bad["correlationid"].encode() in bytes(raw)


def test_the_service_itself_cannot_change_the_log(suite):
    deliver(suite, *orders(suite, 1))
    for statement in ("UPDATE events SET position = 2", "DELETE FROM events"):
        with pytest.raises(Exception, match="permission denied"), suite.work("eventlog") as work:
            work.sql(statement)


def test_users_are_known_from_their_events(suite):
    user = new_id()
    deliver(suite, event(suite, "identity.user.updated", id=user, version=2, name="Nancy", status="active"))
    deliver(suite, event(suite, "identity.user.created", id=user, name="Nan", status="active"))
    with suite.work("eventlog") as work:
        copy = work.sql("SELECT version, data FROM copies WHERE tenant_id = %s", (suite.tenant,)).one()
    assert (copy.version, copy.data["name"]) == (2, "Nancy")
