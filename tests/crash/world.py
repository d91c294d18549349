"""What survives a kill: the broker's queues, the client with its keys, the mail server, the clock, PostgreSQL."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine

from chassis.bus.ports import Outcome, Outgoing
from chassis.bus.wire import decode, encode
from chassis.context import EVERYTHING, Context
from chassis.errors import Problem
from chassis.ids import new_id
from tests.crash.child import Child, Died, Pipeline
from tests.proof.house import House
from tests.proof.state import OF_IDS, State, state_of
from tests.proof.tenants import Tenants

JSON = dict[str, Any]
Stage = Callable[["World"], None]
Bug = Callable[[House], None]
Left = tuple[int, frozenset[tuple[tuple[str, int], int]]]
"""The number of the turn that was killed, and the state behind it, with all that the world holds."""
PATIENCE = 40
"""How often the clock may be turned to the next due time before a run counts as one that never ends."""


class NeverEnds(AssertionError):
    """Something of the run is still waiting although everything that was due was done."""


class World:
    """Runs one flow in a fresh tenant, with a process that dies at the chosen moments and is started again."""

    def __init__(self, house: House, pipeline: Pipeline, tenants: Tenants) -> None:
        self.house, self._pipeline, self._tenants = house, pipeline, tenants
        self._bug: Bug | None = None
        self.tenant, self.deaths = "", [""]
        self.left: list[Left] = []
        """What the first kills of the run left behind, as many as are remembered: looking takes a while."""
        self.remembered = 1
        self.user_id = ""
        self.known: dict[str, str] = {}
        """Ids that the stages of a flow tell each other."""
        self._engines: dict[int, Engine] = {}
        self._connect()
        gc.freeze()
        self._child = Child(house, pipeline, None)

    def close(self) -> None:
        self._child.kill()

    def plant(self, bug: Bug | None) -> None:
        """From now on the services have this bug."""
        self._bug = bug
        self._child.kill()
        self._child = Child(self.house, self._pipeline, bug)

    # --- one run

    def run(self, stage: Stage, template: str, moments: Sequence[int] = ()) -> tuple[State, list[str]]:
        """Play a stage in a copy of `template`, dying at the first moment of it, the second of the recovery, and so on.

        Returns the final state and the steps since the last death, or since the beginning.
        """
        self.tenant, self.deaths, self.left = new_id(), [], []
        self._turns = 0
        self._tenants.clear()
        self._tenants.copy(template, self.tenant)
        self._queues: dict[tuple[str, str], dict[int, bytes]] = {}
        self._tags = self._keys = 0
        self._answer = b""
        self.away: set[str] = set()
        self.mails: set[str] = set()
        self._stirring: set[str] = set()
        self._moments = list(moments)
        self._now, self._stage = self.house.clock.at, stage.__name__
        self._arm()
        stage(self)
        self.settle()
        if self._moments:
            # The moment after the last step.
            self._moments.pop(0)
            self._child.kill()
            self._revive("after the last step")
            self.settle()
        passed = self._do("passed")
        return state_of([*self._tenants.rows(self.tenant), *(("mail", mail) for mail in self.mails)]), passed

    def _arm(self) -> None:
        self._do("arm", self._moments[0] if self._moments else None)

    def _do(self, turn: str, *arguments: Any) -> Any:
        result, woken = self._child.do(turn, *arguments, heard=self._heard)
        self._stirring |= woken
        return result

    def _turn(self, turn: str, *arguments: Any) -> Any:
        """A turn of the services at the present time. None when they died of it; then they have been started again."""
        self._child.at(self._now)
        self._turns += 1
        try:
            return self._do(turn, *arguments)
        except Died as death:
            if not self._moments:
                self._revive(str(death))
                raise AssertionError(f"died by itself: {death}") from death
            self._moments.pop(0)
            self._revive(str(death))
            return None

    def _revive(self, words: str) -> None:
        self.deaths.append(words)
        gone = self._tenants.abandoned(list(self._engines))
        for pid in gone:
            self._engines.pop(pid).dispose()
        if len(self.left) < self.remembered:
            self.left.append(self._behind())
        self._connect()
        self._child = Child(self.house, self._pipeline, self._bug)
        self._stirring = set(self.house.runtimes)
        self._arm()

    def _behind(self) -> Left:
        """All that the services will find when they are started again. Their own memory is gone, so two kills in the
        same turn that leave the same behind have the same future."""
        queued = [
            (f"queue {service} {kind}", body.decode())
            for (service, kind), messages in self._queues.items()
            for body in messages.values()
        ]
        told = [("mail", mail) for mail in self.mails] + [("answer", self._answer.decode())]
        state = state_of([*self._tenants.rows(self.tenant), *queued, *told], left_out=OF_IDS)
        return self._turns, frozenset(state.refined.items())

    def _connect(self) -> None:
        """One connection for each role of each service, made before the fork: the child uses it, and dying loses it."""
        for runtime in self.house.runtimes.values():
            for engine in (runtime.database.app, runtime.database.ops):
                if engine not in self._engines.values():
                    with engine.connect() as connection:
                        dbapi: Any = connection.connection.dbapi_connection
                        self._engines[dbapi.info.backend_pid] = engine

    # --- what the child says

    def _heard(self, kind: str, value: Any) -> Any:
        if kind == "publish":
            return self._enqueue(value)
        if kind == "acknowledge":
            for queue in self._queues.values():
                for tag in value:
                    queue.pop(tag, None)
        elif kind == "answer":
            self._answer = value
        elif kind == "mail":
            self.mails.add(value)
        else:
            raise AssertionError(f"a message was given back: {value}")
        return None

    def _enqueue(self, item: Outgoing) -> Outcome:
        targets = self.house.subscribers(item)
        for target in targets:
            self._tags += 1
            self._queues.setdefault(target, {})[self._tags] = item.body
        return Outcome.CONFIRMED if targets else Outcome.UNROUTABLE

    # --- what a stage is written with

    def request(self, service: str, method: str, params: JSON) -> JSON:
        """A client's write, repeated with its key until there is an answer. Raises the Problem that was answered."""
        self._keys += 1
        context = Context(
            tenant=self.tenant,
            actor=f"user:{self.user_id}",
            user_id=self.user_id,
            grants=EVERYTHING,
            correlation_id=new_id(),
        )
        request = {
            "method": method,
            "context": self.house.signer.sign(context),
            "params": params,
            "key": f"{self._stage}-{self._keys}",
            "route": method,
        }
        self._answer = b""
        while not self._answer:
            self._turn("request", service, encode(request))
        reply = decode(self._answer)
        if "error" in reply:
            raise Problem.read(reply["error"])
        body: JSON = reply["ok"]["body"]
        return body

    def create(self, record: str, data: JSON) -> JSON:
        return self.request(record.split(".")[0], "record.create", {"record": record, "data": data})

    def update(self, record: str, record_id: str, patch: JSON) -> JSON:
        params = {"record": record, "id": record_id, "patch": patch, "if_match": None}
        return self.request(record.split(".")[0], "record.update", params)

    def do(self, record: str, record_id: str, verb: str, data: JSON | None = None) -> JSON:
        params = {"record": record, "id": record_id, "verb": verb, "data": data}
        return self.request(record.split(".")[0], "record.command", params)

    def find(self, service: str, statement: str) -> Any:
        """One value of the tenant by the superuser's SQL; `%s` is the tenant."""
        return self._tenants.query(service, statement, (self.tenant,))[0][0]

    def inject(self, exchange: str, kind: str, document: JSON) -> None:
        """An event of a service that does not run here."""
        self._enqueue(Outgoing(exchange, kind, document["id"], encode(document)))

    def now(self, **later: float) -> dt.datetime:
        """The present instant, or one that is so much later."""
        return self._now + dt.timedelta(**later)

    def forward(self, **by: float) -> None:
        self._now += dt.timedelta(**by)

    def settle(self, *, waiting: bool = True) -> None:
        """Relay, deliver and keep house until nothing of the tenant waits; where all wait for the clock, turn it.

        With `waiting` false the clock stays, and what waits for it goes on waiting.
        """
        for _ in range(PATIENCE):
            while self._round():
                pass
            busy = [self._turn("keep_house", service) for service in self.house.runtimes]
            if any(done is None or done for done in busy):
                continue
            left, due = self._tenants.waiting(self.tenant, self._now)
            if not left:
                return
            if self._stirring:
                # A relay that was killed in this turn has not been heard again yet. It publishes when it is started,
                # long before anything is due.
                continue
            if not waiting:
                return
            if due is not None:
                self._now = due + dt.timedelta(milliseconds=1)
        raise NeverEnds(f"{left} rows still wait, the next until {due}")

    def _round(self) -> bool:
        """One turn of every relay that was woken and of every queue. False when there was nothing."""
        for service in self.house.runtimes:
            # A relay that died of its turn is woken again by its start.
            while service in self._stirring and self._turn("relay", service) == 0:
                self._stirring.discard(service)
        waiting = {
            target: list(queue.items())
            for target, queue in self._queues.items()
            if queue and target[0] not in self.away
        }
        for (service, kind), messages in waiting.items():
            self._turn("deliver", service, kind, messages)
        return bool(waiting)
