"""A saga to be played by hand: who says what, which messages are under way, and when they are delivered."""

from __future__ import annotations

from typing import Any

from chassis import relay, saga
from chassis.bus.ports import Outcome, Outgoing
from chassis.ids import new_id
from chassis.saga import PIVOT, RETRIABLE, Saga, Step
from contracts import inventory

JSON = dict[str, Any]
FIRST, SECOND = new_id(), new_id()


class Play:
    """The customer service runs a saga of two asks around a local step; inventory's answers are what a test says."""

    def __init__(self, suite: Any) -> None:
        self.suite, self.log = suite, []  # type: ignore[var-annotated]
        self.answers: dict[str, Any] = {}
        self.customer, self.inventory = suite.runtime("customer"), suite.runtime("inventory")
        self.accounts = self.customer.stores["customer.account"]
        self.inventory.asks = {
            ask.name: (ask, self._participant(word))
            for ask, word in ((inventory.issue, "ask"), (inventory.take_back, "undo"), (inventory.release, "finish"))
        }
        self.saga = Saga(
            "play",
            self.accounts,
            (
                self.ask("first", FIRST),
                Step("local", does=self._local("do"), undoes=self._local("undo"), refused="local"),
                self.ask("second", SECOND),
                Step("decide", does=self._local("decide"), kind=PIVOT),
                Step("finish", asks=inventory.release, body=lambda one, data: {"order_id": SECOND}, kind=RETRIABLE),
            ),
            otherwise=lambda one, reason, detail, data, work: self.log.append(("otherwise", reason)),
        )
        self.customer.sagas = {"play": self.saga}
        self.record = suite.create("customer.account", {"name": "Alpha"})["id"]

    def ask(self, name: str, order: str) -> Step:
        return Step(
            name,
            asks=inventory.issue,
            body=lambda one, data: {"order_id": order},
            then=lambda one, reply, data, work: data.update({name: reply}),
            undo=inventory.take_back,
        )

    def _participant(self, word: str) -> Any:
        def handle(request: Any, work: Any) -> Any:
            what = f"{word} {'first' if request.order_id == FIRST else 'second'}"
            self.log.append(what)
            answer = self.answers.get(what)
            if callable(answer):
                return answer(work)
            return {"shipment_id": request.order_id}

        return handle

    def _local(self, word: str) -> Any:
        def run(one: Any, data: JSON, work: Any) -> None:
            self.log.append(word)
            if word in self.answers:
                raise self.answers[word]

        return run

    def start(self) -> None:
        with self.suite.work("customer") as work:
            saga.start(work, self.saga, self.accounts.find(work, self.record, lock=True))

    def sent(self, service: str) -> list[Outgoing]:
        """What a service has to send, taken off its list and delivered to nobody."""
        taken: list[Outgoing] = []

        class Taking:
            def publish(self, batch: list[Outgoing]) -> list[Outcome]:
                taken.extend(batch)
                return [Outcome.CONFIRMED] * len(batch)

        while sum(relay.publish_once(self.suite.runtime(service).database, service, Taking())):  # type: ignore[arg-type]
            pass
        tenant = self.suite.tenant.encode()
        return [one for one in taken if tenant in one.body and not one.exchange.endswith(".events")]

    def deliver(self, *messages: Outgoing) -> None:
        for one in messages:
            self.suite.runtime(one.routing_key).message(one.body)

    def go_on(self, rounds: int = 10) -> None:
        for _ in range(rounds):
            self.deliver(*self.sent("customer"), *self.sent("inventory"))

    def later(self, seconds: float) -> None:
        self.suite.clock.forward(seconds=seconds)
        self.customer.sweep_sagas()

    def state(self) -> JSON:
        params = {"record": "customer.account", "id": self.record}
        found: JSON = self.suite.call("customer", "record.saga", params)
        return found

    def steps(self) -> list[str]:
        return [step["state"] for step in self.state()["steps"]]
