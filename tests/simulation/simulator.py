"""Simulations: the production services on PostgreSQL, a fresh tenant for each, and dice for everything else."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chassis import ids
from chassis.bus.wire import decode, encode
from chassis.context import EVERYTHING, Context
from chassis.testing import Databases, Suite
from contracts.registry import SERVICES
from tests.crash.flows import furnish
from tests.proof import steps
from tests.proof.house import Clock, House, morning
from tests.proof.tenants import Tenants
from tests.simulation.audit import TAKING_PART, Audit
from tests.simulation.bus import Dice, DicedBus
from tests.simulation.clients import Client, Operation
from tests.simulation.model import Broken, require

JSON = dict[str, Any]
HISTORY = ("changes", "events", "feed_positions", "inbox", "idempotency", "asked", "sagas")
"""Tables of the furnished tenant that no rule looks at, so that copies can do without."""
CLIENTS = 3
LONGEST_ACTION = 60
PATIENCE = 60
TURNS = 3000


class Crash(BaseException):
    """The service is gone in the middle of what it was doing. No handler can catch it."""


@dataclass
class Outcome:
    """A simulation's trace, line by line, and what was wrong, if anything."""

    trace: list[str] = field(default_factory=list)
    wrong: str = ""


class Simulator:
    def __init__(self, server: str, name: str) -> None:
        os.environ.pop("GUANXI_SMTP_URL", None)
        # The same flow must send the same statements each time, and what is prepared depends on what was sent before.
        self._databases = Databases(server, name, prepared=False)
        self._clock = Clock()
        for service in SERVICES:
            database = self._databases.open(service, self._clock)  # type: ignore[arg-type]
            steps.watch(database.app, service)
            steps.watch(database.ops, service)
        self._known = furnish(Suite(self._databases, SERVICES))
        nobody = DicedBus(random.Random(0), lambda item: [], print)
        self.house = House(self._databases, TAKING_PART, self._clock, nobody)
        self._tenants = Tenants(self._databases, TAKING_PART, without=HISTORY)

    def close(self) -> None:
        self._tenants.close()
        self._databases.drop()

    def run(self, seed: int) -> Outcome:
        """The simulation of a seed: the same trace each time."""
        return self.play(random.Random(seed), salt=str(seed))

    def play(self, dice: Dice, *, salt: str = "", each: tuple[int, int] = (4, 6)) -> Outcome:
        """A simulation in which the dice decide everything; `each` client has so many requests."""
        outcome = Outcome()
        with _repeatable(salt, self._clock):
            simulation = Simulation(self.house, self._tenants, self._known, dice, each, outcome.trace.append)
            try:
                simulation.run()
            except AssertionError as broken:
                outcome.wrong = str(broken)
            finally:
                steps.listen(None)
        return outcome


@contextmanager
def _repeatable(salt: str, clock: Clock) -> Iterator[None]:
    """Ids, jitter and time that are the same whenever the same thing is simulated; the tenant alone is fresh."""
    made = 0

    def next_id() -> uuid.UUID:
        nonlocal made
        made += 1
        digest = int.from_bytes(hashlib.sha256(f"{salt}/{made}".encode()).digest()[:6], "big")
        milliseconds = int(clock.at.timestamp() * 1000)
        # As uuid7 does: the time, then what grows within it, then chance.
        value = (milliseconds << 80) | (7 << 76) | ((made >> 8) << 64) | (2 << 62) | ((made & 0xFF) << 54) | digest
        return uuid.UUID(int=value)

    original, ids.uuid7 = ids.uuid7, next_id
    clock.at = morning()
    state = random.getstate()
    random.seed(salt)
    try:
        yield
    finally:
        ids.uuid7 = original
        random.setstate(state)


class Simulation:
    """One tenant, a few clients, and turns that the dice hand out."""

    def __init__(
        self,
        house: House,
        tenants: Tenants,
        known: dict[str, str],
        dice: Dice,
        each: tuple[int, int],
        say: Callable[[str], None],
    ) -> None:
        self.house, self._tenants, self._known, self._dice, self._say = house, tenants, known, dice, say
        self.tenant = str(uuid.uuid4())
        self._bus = DicedBus(dice, house.subscribers, say)
        house.outside = self._bus
        self._clients = [Client(number, dice, known, dice.randint(*each)) for number in range(1, CLIENTS + 1)]
        self._names: dict[str, str] = {}
        self._stirring: set[str] = set()
        self._left: int | None = None
        self._dead = False
        self._tenants.clear()
        self._tenants.copy(known["tenant"], self.tenant)

    def run(self) -> None:
        """Faults until every request is answered, then none until all is quiet; then the books are opened."""
        steps.woken.clear()
        steps.listen(self._step)
        self._bus.kind = False
        for _ in range(TURNS):
            actions = self._actions()
            if not any(client.current or client.budget for client in self._clients):
                break
            self._pick(actions)()
        else:
            raise Broken("the clients were never answered")
        self._bus.kind = True
        self._say("-- no more faults")
        self._settle()
        steps.listen(None)
        done = [operation for client in self._clients for operation in client.done]
        Audit(self._tenants, self.tenant, self._known).check(done)

    # --- the scheduler

    def _step(self, kind: str, label: str) -> None:
        if self._dead:
            # What a handler still wants to do while it is unwound, a dead one does not.
            raise Crash
        if self._left is None:
            return
        if self._left == 0:
            self._dead = True
            self._say(f"    died before: {kind} {steps.readable(label)}")
            raise Crash
        self._left -= 1

    def _actions(self) -> list[tuple[float, Callable[[], None]]]:
        actions: list[tuple[float, Callable[[], None]]] = []
        # What brings the story to its end comes first: dice that shrink it choose that.
        for target in sorted(self._bus.queues):
            if self._bus.queues[target]:
                actions.append((3, partial(self._deliver, target)))
        actions += [(3, partial(self._relay, service)) for service in sorted(self._stirring)]
        for client in self._clients:
            operation = client.current
            if operation is None and client.budget:
                actions.append((1, partial(self._begin, client)))
            elif operation is not None:
                if operation.arriving:
                    actions.append((4, partial(self._arrive, client)))
                if operation.tried < 4 or not operation.arriving:
                    actions.append((0.3 if operation.arriving else 3, partial(self._repeat, client)))
        actions += [(0.2, partial(self._keep_house, service)) for service in TAKING_PART]
        actions.append((0.4, self._turn_clock))
        return actions

    def _pick(self, actions: list[tuple[float, Callable[[], None]]]) -> Callable[[], None]:
        rest = self._dice.random() * sum(weight for weight, _ in actions)
        for weight, action in actions:
            rest -= weight
            if rest < 0:
                return action
        return actions[-1][1]

    def _alive(self, service: str, action: Callable[[], Any]) -> Any:
        """Let a service act; sometimes it dies of it. None when it did."""
        if not self._bus.kind and self._dice.random() > 0.88:
            self._left = self._dice.randint(0, LONGEST_ACTION)
        try:
            return action()
        except Crash:
            self._dead = False
            self.house.start(service)
            self._stirring.add(service)
            for client in self._clients:
                # Calls are volatile: those on their way to it are gone.
                if client.current is not None and client.current.service == service:
                    client.current.arriving = 0
            return None
        finally:
            self._left, self._dead = None, False
            self._stirring |= steps.woken
            steps.woken.clear()

    def _turn_clock(self) -> None:
        roll = self._dice.random()
        seconds = self._dice.randint(1, 5) if roll < 0.7 else -10 if roll < 0.8 else self._dice.randint(20, 700)
        self._say(f"the clock goes {seconds} s")
        self.house.clock.at += dt.timedelta(seconds=seconds)

    def _relay(self, service: str) -> None:
        self._say(f"{service} publishes")
        if self._alive(service, lambda: self.house.relay(service)) == 0:
            self._stirring.discard(service)

    def _deliver(self, target: tuple[str, str]) -> None:
        service, kind = target
        messages = self._bus.take(target)
        self._say(f"{service} gets {', '.join(f'{message.label} #{message.tag}' for message in messages)}")
        parcels = [(message.tag, message.body) for message in messages]
        self._alive(service, lambda: self.house.deliver(service, kind, parcels))

    def _keep_house(self, service: str) -> None:
        done = self._alive(service, lambda: self.house.keep_house(service))
        if done:
            self._say(f"{service} keeps house: {done}")

    # --- clients

    def _begin(self, client: Client) -> None:
        operation = client.next(self._names, self._look)
        if operation is None:
            return
        self._say(f"client {client.number} wants to {operation.label}")
        self._send(operation)

    def _send(self, operation: Operation) -> None:
        operation.tried += 1
        if self._bus.kind or self._dice.random() < 0.95:
            operation.arriving += 1
        else:
            self._say("    the request was lost")

    def _repeat(self, client: Client) -> None:
        assert client.current is not None
        self._say(f"client {client.number} repeats: {client.current.label}")
        self._send(client.current)

    def _arrive(self, client: Client) -> None:
        operation = client.current
        assert operation is not None
        operation.arriving -= 1
        self._say(f"{operation.service} is asked by client {client.number} to {operation.label}")
        context = Context(
            tenant=self.tenant,
            actor=f"user:{self._known['user']}",
            user_id=self._known["user"],
            grants=EVERYTHING,
            correlation_id=ids.new_id(),
        )
        request = {
            "method": operation.method,
            "context": self.house.signer.sign(context),
            "params": operation.params,
            "key": operation.key,
            "route": operation.method,
        }
        self._bus.answered = None
        self._alive(operation.service, lambda: self.house.request(operation.service, encode(request)))
        if self._bus.answered is None:
            return
        if self._dice.random() > 0.9:
            self._say("    the answer was lost")
            return
        self._answered(client, operation, decode(self._bus.answered))

    def _answered(self, client: Client, operation: Operation, answer: JSON) -> None:
        error = answer.get("error")
        self._say(f"    answer: {error['code'] if error else answer['ok']['status']}")
        if error and error["status"] >= 500:
            require(error["status"] == 503, f"{operation.label}: {error}")
            return
        # Copies that are still on their way are past their deadline, now that the client has its answer.
        operation.answer, client.current = answer, None
        client.done.append(operation)
        if not error and operation.what == "order":
            order: str = answer["ok"]["body"]["id"]
            self._names[order] = f"order {len(self._names) + 1}"
            client.orders.append(order)

    def _look(self, order: str) -> tuple[str, JSON | None]:
        """The order's status, and its receivable where something is open."""
        ((status, receivable, account, left),) = self._tenants.query(
            "sales",
            "SELECT o.status, r.id::text, o.account_id::text, r.open::text FROM orders AS o"
            " LEFT JOIN receivables AS r ON r.tenant_id = o.tenant_id AND r.order_id = o.id AND r.open > 0"
            " WHERE o.tenant_id = %s AND o.id = %s",
            (self.tenant, order),
        )
        return status, {"id": receivable, "account_id": account, "open": left} if receivable else None

    # --- the end

    def _settle(self) -> None:
        self._stirring |= set(TAKING_PART)
        for _ in range(PATIENCE):
            while self._round():
                pass
            if sum([self.house.keep_house(service) for service in TAKING_PART]):
                self._stirring |= set(TAKING_PART)
                continue
            waiting, due = self._tenants.waiting(self.tenant, self.house.clock.at)
            if not waiting:
                return
            if due is not None:
                self.house.clock.at = due + dt.timedelta(milliseconds=1)
        raise Broken(f"{waiting} rows still wait")

    def _round(self) -> bool:
        targets = [target for target in sorted(self._bus.queues) if self._bus.queues[target]]
        for service in sorted(self._stirring):
            self._relay(service)
        for target in targets:
            self._deliver(target)
        return bool(targets or self._stirring)
