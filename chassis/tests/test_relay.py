"""The relay is fair between tenants, sends nothing twice but what was interrupted, and shows what waits for it. One
leader of a service does it."""

from __future__ import annotations

import select
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from chassis import leader, relay
from chassis.bus.ports import Outcome, Outgoing
from chassis.database import Database
from chassis.ids import new_id
from suite.measurements import measure


class Broker:
    """Counts how often each message came; what `answer` says becomes of a whole window."""

    def __init__(self, answer: Callable[[int], Outcome] = lambda window: Outcome.CONFIRMED) -> None:
        self.came: Counter[str] = Counter()
        self.windows: list[list[str]] = []
        self._answer = answer
        self._changed = threading.Condition()

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        with self._changed:
            self.came.update(item.id for item in batch)
            self.windows.append([item.id for item in batch])
            self._changed.notify_all()
        return [self._answer(len(self.windows))] * len(batch)

    def close(self) -> None:
        pass

    def wait_for(self, ids: Sequence[str]) -> None:
        """Until these came. Fails when they do not."""
        with self._changed:
            assert self._changed.wait_for(lambda: set(ids) <= set(self.came), 30), "they did not come"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


@pytest.fixture
def database(suite: Any) -> Database:
    """With nothing in its outbox."""
    database: Database = suite.runtime("customer").database
    send(database, Broker())
    return database


def send(database: Database, broker: Broker) -> None:
    while relay.publish_once(database, "customer", broker) != (0, 0):
        pass


def queue(database: Database, tenant: str, messages: int) -> list[str]:
    """Messages of a tenant behind everything that waits already."""
    ids = [new_id() for _ in range(messages)]
    with database.operations() as connection:
        connection.exec_driver_sql(
            "INSERT INTO unsent (tenant_id, message_id, service, body)"
            " SELECT %s::uuid, id, 'sales', '{}' FROM unnest(%s::uuid[]) WITH ORDINALITY AS one (id, turn)"
            " ORDER BY turn",
            (tenant, ids),
        )
    return ids


def test_a_tenant_with_little_does_not_wait_for_one_with_much(database: Database) -> None:
    much, little = queue(database, new_id(), 1000), queue(database, new_id(), 3)
    broker = Broker()
    relay.publish_once(database, "customer", broker)
    assert set(little) <= set(broker.windows[0])
    assert len(set(much) & set(broker.windows[0])) == relay.WINDOW - len(little)


def test_within_a_tenant_the_order_is_that_of_the_writes(database: Database) -> None:
    ids = queue(database, new_id(), 600)
    broker = Broker()
    send(database, broker)
    assert [one for window in broker.windows for one in window] == ids


def test_an_interruption_repeats_each_row_at_most_once(database: Database) -> None:
    ids = queue(database, new_id(), 600)
    broker = Broker(lambda window: Outcome.FAILED if window == 2 else Outcome.CONFIRMED)
    send(database, broker)
    assert set(broker.came) == set(ids)
    assert set(broker.came.values()) == {1, 2}
    assert {one for one, times in broker.came.items() if times == 2} == set(broker.windows[1])


def test_what_waits_and_for_how_long_is_measured(suite: Any, database: Database) -> None:
    queue(database, new_id(), 7)
    with database.operations() as connection:
        connection.exec_driver_sql("UPDATE unsent SET queued_at = clock_timestamp() - interval '90 s'")
    bus = SimpleNamespace(blocked=lambda: True, connected=lambda: True)
    host: Any = SimpleNamespace(runtimes=suite.bus.runtimes, transport=bus, leading=lambda: {"customer": True})
    lines = dict(line.rsplit(" ", 1) for line in measure(host).decode().splitlines() if line[0] != "#")
    assert float(lines['guanxi_unsent{service="customer"}']) == 7
    assert float(lines['guanxi_unsent_age_seconds{service="customer"}']) >= 90
    assert float(lines["guanxi_broker_blocked"]) == 1
    send(database, Broker())


class Relays:
    """Processes of the kind `relay`, as threads: `start` begins one, which leads or waits until it may."""

    def __init__(self, runtime: Any, url: str) -> None:
        self._runtime, self._url = runtime, url
        self.started: list[leader.Leader] = []

    def start(self) -> tuple[leader.Leader, Broker]:
        broker = Broker()
        one = leader.Leader(self._runtime, broker, self._url)
        one.start()
        self.started.append(one)
        return one, broker


@pytest.fixture
def relays(suite: Any, database: Database, databases: Any) -> Iterator[Relays]:
    made = Relays(suite.runtime("customer"), databases.url("customer", "ops"))
    yield made
    for one in made.started:
        one.ask_to_stop()
    for one in made.started:
        one.stop()


def test_one_leader_publishes_and_the_next_one_when_it_ends(relays: Relays, database: Database) -> None:
    first, broker = relays.start()
    broker.wait_for(queue(database, new_id(), 3))
    second, other = relays.start()
    broker.wait_for(queue(database, new_id(), 600))
    assert first.leading and not second.leading and not other.came
    first.stop()
    other.wait_for(queue(database, new_id(), 3))
    assert second.leading


def test_a_leader_whose_connection_breaks_does_not_lead_until_it_has_the_lock_again(
    relays: Relays, database: Database, databases: Any
) -> None:
    _, broker = relays.start()
    broker.wait_for(queue(database, new_id(), 1))
    engine = create_engine(databases.server)
    with engine.connect() as connection:
        ended = connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database AS d ON d.oid = database"
            " WHERE locktype = 'advisory' AND granted AND datname = %s",
            (f"{databases.name}_customer",),
        ).all()
    engine.dispose()
    assert len(ended) == 1, "there is one lock, and it belongs to the leader"
    broker.wait_for(queue(database, new_id(), 1))


def test_a_leader_is_woken_by_what_is_committed_and_need_not_look(
    relays: Relays, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*waits: Any) -> Any:
        return select.select(*waits[:3], 3600)

    monkeypatch.setattr(leader, "select", SimpleNamespace(select=told))
    _, broker = relays.start()
    for _ in range(5):
        broker.wait_for(queue(database, new_id(), 1))
