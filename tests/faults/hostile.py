"""Faults that come as input: unreadable messages, repeats, half an import; a process that hardly runs; a campaign."""

from __future__ import annotations

import hashlib
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import amqp
from amqp import spec

from chassis.bus import wire
from chassis.bus.rabbit import link
from chassis.context import EVERYTHING, Context, Signer
from contracts.registry import SERVICES
from suite import northwind
from tests.faults.history import Effect, Operation
from tests.faults.schedules import REFUSAL, Run
from tests.integration.support import GUANXI, environment, until

JSON = dict[str, Any]
REPEATS, WINDOW = 5, 1_000
PATIENCE = 60.0
"""Seconds for which a stranger waits for the broker: sixteen megabytes take a busy machine some time."""
CAMPAIGN_EVENTS, CAMPAIGN_ROUNDS = 100_000, 4
CAMPAIGN_SECONDS, CATCH_UP = 1_200.0, 300.0
"""How long a campaign may take to its last kill, and the suite then to everything that was accepted."""
BULK = 250
HUGE = b"x" * 16 * 1024 * 1024
DEEP = b"[" * 10_000 + b"]" * 10_000


@contextmanager
def broker(run: Run) -> Iterator[Any]:
    """A connection of somebody who has a broker user and no manners."""
    connection = link.connect(run.stack.broker.url, "a stranger")
    connection.transport.sock.settimeout(PATIENCE)
    connection.transport.reader.settimeout(PATIENCE)
    try:
        yield connection
    finally:
        connection.close()


def send(channel: Any, exchange: str, key: str, message: Any) -> None:
    """Publish, and wait until the broker has it: what never arrived could not be missed."""
    channel.confirm_select()
    link.publish(channel, exchange, key, message)
    outcome = []
    channel.wait([spec.Basic.Ack, spec.Basic.Nack], callback=lambda method, *_: outcome.append(method))
    assert outcome == [spec.Basic.Ack], f"the broker refused a message for {key}"


def letters(run: Run, service: str) -> Counter[tuple[str, int]]:
    """The unreadable messages that a service has kept: queue and number of bytes, as often as there are."""
    rows = run.stack.rows(service, "SELECT queue, length(raw) FROM dead_letters")
    return Counter((queue, size) for queue, size in rows)


def poison(run: Run) -> None:
    """F14: unreadable, forged and misaddressed messages in every queue"""
    queues = set(run.stack.broker.ctl("-p", "guanxi", "list_queues", "name").split())
    good = {"content_type": "application/json", "correlation_id": "1"}
    call = {
        **good,
        "reply_to": "amq.rabbitmq.reply-to.nobody",
        "application_headers": {"deadline": time.time() + 60},
    }
    unreadable = (b"{", b"\xff\xfe", b'{"a": NaN}', DEEP)
    missing: dict[str, Counter[tuple[str, int]]] = {}
    begin = run.history.now()
    with broker(run) as connection:
        channel = connection.channel()
        for service in SERVICES:
            messages: list[tuple[str, bytes, JSON]] = []
            for prefix, properties in (("rpc", call), ("evt", good), ("cmd", good)):
                queue = f"{prefix}-{service}"
                if queue in queues:
                    messages += [(queue, body, properties) for body in unreadable]
                    if service == "marketing":
                        messages.append((queue, HUGE, properties))
                    messages.append((queue, b"{}", {**properties, "content_type": "application/x-python-serialize"}))
            messages.append((f"rpc-{service}", b"{ }", {**good, "application_headers": {"deadline": time.time() + 60}}))
            if f"cmd-{service}" in queues:
                identity = {"id": str(uuid.uuid4()), "tenant": str(uuid.uuid4()), "record_id": str(uuid.uuid4())}
                forged = {**identity, "kind": "ask", "name": "x", "saga": "s", "context": "e30.e30.e30", "body": {}}
                messages.append((f"cmd-{service}", wire.encode(forged), good))
            for queue, body, properties in messages:
                send(channel, "", queue, amqp.Message(body, **properties))
            missing[service] = Counter((queue, len(body)) for queue, body, _ in messages)

    def kept() -> bool:
        return all(not sent - letters(run, service) for service, sent in missing.items())

    began = time.monotonic()
    with suppress(AssertionError):
        until(kept, 60, what="every message is a dead letter")
    for service, sent in missing.items():
        found = letters(run, service)
        if found != sent:
            run.fault(f"{service} did not keep {dict(sent - found)}, and kept too often {dict(found - sent)}")
    sent_all = sum(sum(sent.values()) for sent in missing.values())
    run.figures["dead letters"] = sent_all
    run.figures["kept in"] = round(time.monotonic() - began, 1)
    run.wait(5)
    run.must_live(begin, run.history.now() - REFUSAL, lambda kind: True)
    run.await_recovery()
    # They are there, as they must be; from here on the check is to find nothing else.
    for service in SERVICES:
        connection = run.stack.connect(service)
        connection.cursor().execute("DELETE FROM dead_letters")
        connection.close()


def repeat_events(run: Run) -> None:
    """F15: every event five times more and out of order, and calls past their deadline"""
    with broker(run) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        for service in SERVICES:
            channel.queue_bind(queue, f"{service}.events", "#")
        _call_too_late(run, channel)
        run.wait(60 if run.long else 20)
        run.load.stop()
        run.load.resolve()
        until(lambda: not run.stack.unsettled() and not _waiting(run, queue), 90, every=0.3, what="all is quiet")
        before = state(run)
        events = []
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            events.append((message.delivery_info["exchange"], message.delivery_info["routing_key"], message))
        for start in range(0, len(events), WINDOW):
            again = events[start : start + WINDOW] * REPEATS
            random.shuffle(again)
            for exchange, key, message in again:
                send(channel, exchange, key, amqp.Message(message.body, **message.properties))
    run.figures["repeated"] = REPEATS * len(events)
    until(lambda: not run.stack.queued() and not run.stack.unsettled(), 120, every=0.3, what="the repeats are read")
    after = state(run)
    for name in before.keys() | after.keys():
        if before.get(name) != after.get(name):
            run.fault(f"repeated events changed {name}")
    run.figures["tables compared"] = len(before)


def _waiting(run: Run, captured: str) -> dict[str, int]:
    return {name: count for name, count in run.stack.queued().items() if name != captured}


def _call_too_late(run: Run, channel: Any) -> None:
    """A write whose caller has given up: it must never run, and nobody sends it but we, so a mark shows it."""
    mark = f"stale-{uuid.uuid4()}"
    slug, tenant = next(iter(run.stack.tenant_ids.items()))
    late = time.time() - 1
    context = Context(tenant=tenant, actor="service:gateway", grants=EVERYTHING, deadline=late)
    request = {
        "method": "record.create",
        "context": Signer(run.stack.direct["GUANXI_CONTEXT_KEY"]).sign(context),
        "params": {"record": "customer.account", "data": {"name": mark}},
    }
    message = amqp.Message(
        wire.encode(request),
        content_type="application/json",
        reply_to="amq.rabbitmq.reply-to.nobody",
        correlation_id="1",
        application_headers={"deadline": late},
    )
    send(channel, "", "rpc-customer", message)
    effect = Effect("customer", "customer.account.created", "name", mark)
    # It was never acknowledged, so an effect of it is unexpected.
    run.history.add(Operation(-1, "call too late", slug, "POST", "", None, mark, effect, resolve=False))


# Written by timers, as the clock goes: how far the index is known to have come, and what was compared when.
BY_THE_CLOCK = {("search", "positions"), ("search", "sweeps")}


def state(run: Run) -> dict[str, str]:
    """A digest of every table that only writes and events change, by service and name."""
    found = {}
    for service in SERVICES:
        tables = run.stack.rows(
            service,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition",
        )
        for (table,) in tables:
            if (service, table) in BY_THE_CLOCK:
                continue
            rows = run.stack.rows(service, f'SELECT t::text FROM "{table}" AS t ORDER BY 1')
            found[f"{service}.{table}"] = hashlib.sha256("\n".join(row[0] for row in rows).encode()).hexdigest()
    return found


def kill_import(run: Run) -> None:
    """F19: an import is killed half-way, with the service that it writes to, and started again"""
    slug = f"north-{uuid.uuid4().hex[:6]}"
    printed = run.stack.command("tenant", "create", slug, "--name", "North", "--email", f"ada@{slug}.example")
    token = re.findall(r"gx_\S+", printed)[0]
    run.stack.tokens[slug] = token
    tenant = run.stack.api(slug).get("/v1/me")["tenant"]["id"]
    arguments = (
        "import",
        "northwind",
        str(Path(northwind.__file__).parent / "data" / "northwind"),
        "--url",
        f"http://127.0.0.1:{run.stack.port}",
        "--api-key",
        token,
    )

    def made(service: str, kind: str) -> int:
        statement = "SELECT count(*) FROM changes WHERE tenant_id = %s AND type = %s"
        return int(run.stack.rows(service, statement, (tenant, kind))[0][0])

    def orders() -> int:
        return made("sales", "sales.order.created") + made("sales", "sales.order.imported")

    with tempfile.TemporaryFile("w+") as output:
        importing = subprocess.Popen([GUANXI, *arguments], env=environment(), stdout=output, stderr=output)
        until(lambda: orders() >= 400 or importing.poll() is not None, 240, every=0.1, what="half the orders are there")
        importing.kill()
        if importing.wait() != -signal.SIGKILL:
            output.seek(0)
            raise AssertionError(f"the import ended before it was killed: {output.read()}")
    half = orders()
    run.kill("sales-rpc")
    run.kill("customer")
    run.await_recovery()
    run.stack.command(*arguments, timeout=400)
    said = run.stack.command(*arguments, timeout=400)
    if "Nothing changed" not in said:
        run.fault(f"a third import was not without effect: {said}")
    found = {
        "orders": orders(),
        "products": made("inventory", "inventory.product.created"),
        "accounts": made("customer", "customer.account.created"),
    }
    if found != {"orders": 830, "products": 77, "accounts": 91}:
        run.fault(f"the import made {found}")
    run.figures["orders when it was killed"] = half


def starve(run: Run) -> None:
    """F22: one service gets a tenth of a processor; nobody may take it for dead"""
    name = "inventory"
    stop = threading.Event()

    def throttle() -> None:
        while not stop.is_set():
            run.stack.signal(name, signal.SIGSTOP)
            stop.wait(0.09)
            run.stack.signal(name, signal.SIGCONT)
            stop.wait(0.01)

    slow = threading.Thread(target=throttle)
    begin = run.history.now()
    slow.start()
    slowest = 0.0
    try:
        end = time.monotonic() + (60 if run.long else 15)
        while time.monotonic() < end:
            asked = time.monotonic()
            # Kubernetes asks every ten seconds, waits five, and gives up after six misses in a row.
            if not run.stack.ready_at(run.stack.probes[name], "/livez"):
                run.fault("the starved service did not say that it lives")
            slowest = max(slowest, time.monotonic() - asked)
            run.wait(0.5)
        run.must_live(begin, run.history.now() - REFUSAL, lambda kind: "stock" not in kind and "products" not in kind)
    finally:
        stop.set()
        slow.join()
    run.figures["slowest livez"] = round(slowest, 2)
    run.await_recovery()


def campaign(run: Run) -> None:
    """campaign: SIGKILL of one part after the other, broker and database too, while imports run without a pause"""
    chance = random.Random(run.load.seed)
    stop = threading.Event()
    writers = [threading.Thread(target=_import, args=(run, stop, number)) for number in range(2)]
    parts = [*sorted(run.stack.supervisor.pids()), "broker", "database"]
    wanted, rounds = (CAMPAIGN_EVENTS, CAMPAIGN_ROUNDS) if run.long else (2_000, 1)
    kills = 0
    first, began = _logged(run), time.monotonic()
    for writer in writers:
        writer.start()
    try:
        while kills < rounds * len(parts) or _logged(run) - first < wanted:
            if time.monotonic() - began > CAMPAIGN_SECONDS:
                run.fault(f"only {kills} kills and {_logged(run) - first} events within {CAMPAIGN_SECONDS:g} s")
                break
            if kills % len(parts) == 0:
                chance.shuffle(parts)
            _kill_any(run, parts[kills % len(parts)], chance)
            kills += 1
            run.wait(chance.uniform(2, 8))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    run.load.stop()
    run.load.resolve()
    ended = time.monotonic()
    until(lambda: not run.stack.unsettled() and not run.stack.queued(), CATCH_UP, every=0.5, what="the rest is read")
    caught_up = time.monotonic() - ended
    run.figures |= {"kills": kills, "events": _logged(run) - first, "caught up in": f"{caught_up:.0f} s"}


def _logged(run: Run) -> int:
    """How many events are in the log."""
    return int(run.stack.rows("eventlog", "SELECT count(*) FROM events")[0][0])


def _kill_any(run: Run, part: str, chance: random.Random) -> None:
    if part == "broker":
        run.stack.broker.kill()
        run.wait(chance.uniform(0.5, 5))
        run.stack.broker.start()
    elif part == "database":
        run.stack.crash_database()
        run.stack.database.start()
    else:
        run.stack.kill(part)


def _import(run: Run, stop: threading.Event, number: int) -> None:
    """Batches of accounts, one after the other, each repeated with its key until it is answered."""
    chance = random.Random(f"{run.load.seed} {number}")
    while not stop.is_set():
        tenant = chance.choice(run.tenants)
        operation = run.load.import_batch(tenant, BULK)
        while not stop.is_set() and not operation.acknowledged:
            stop.wait(0.5)
            run.load.repeat(operation)
