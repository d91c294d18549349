"""Given, when, then: what a saga does, in the words of the business.

    story.given(stock(5)).when(an_order_is_placed(7)).then(the_order_is("rejected"), stock_is(5, reserved=0))

Each word is a function of the story; what it speaks of (the order, the lead) the story remembers.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chassis.ids import new_id
from chassis.saga import Refused
from chassis.testing import Suite
from suite.check.tests.world import Business

JSON = dict[str, Any]
ORDER, LEAD = "sales.order", "marketing.lead"


class Story:
    """One tenant with a hundred of one product; events and messages come twice and shuffled."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.business = Business(suite, f"s-{new_id()[-12:]}")
        self.record, self.id, self.note = "", "", ""
        self.sent_before: dict[str, int] = {}
        self.silenced: dict[str, Any] = {}

    def given(self, *words: Word) -> Story:
        return self._say(words)

    def when(self, *words: Word) -> Story:
        return self._say(words)

    def then(self, *words: Word) -> Story:
        self._say(words)
        assert self.suite.dead() == []
        return self

    def _say(self, words: tuple[Word, ...]) -> Story:
        for word in words:
            word(self)
            self.suite.settle()
        return self

    def saga(self) -> JSON:
        params = {"record": self.record, "id": self.id}
        found: JSON = self.suite.call(self.record.split(".")[0], "record.saga", params)
        return found


Word = Callable[[Story], Any]


# --- given


def stock(quantity: int) -> Word:
    """So many are on hand, instead of a hundred."""

    def word(story: Story) -> None:
        change = str(quantity - 100)
        story.suite.create(
            "inventory.stock-move",
            {"kind": "adjustment", "product_id": story.business.product, "quantity": change, "reason": "a count"},
        )

    return word


def credit(limit: int) -> Word:
    def word(story: Story) -> None:
        money = {"amount": str(limit), "currency": "USD"}
        story.suite.update("customer.account", story.business.account, {"credit_limit": money})

    return word


def a_confirmed_order(quantity: int) -> Word:
    def word(story: Story) -> None:
        story.record, story.id = ORDER, story.business.order(str(quantity))
        assert story.suite.get(ORDER, story.id)["status"] == "confirmed"

    return word


def a_qualified_lead(name: str, company: str) -> Word:
    def word(story: Story) -> None:
        story.record = LEAD
        story.id = story.suite.create(LEAD, {"name": name, "company": company})["id"]
        story.suite.run(LEAD, story.id, "qualify")

    return word


def refuses(service: str, request: str, code: str) -> Word:
    """From now on a service answers this request of sagas with a refusal."""

    def word(story: Story) -> None:
        asks = story.suite.runtime(service).asks
        contract, _ = asks[f"{service}.{request}"]

        def refuse(body: Any, work: Any) -> None:
            raise Refused(code, "Not today.")

        asks[contract.name] = (contract, refuse)

    return word


def is_silent(service: str) -> Word:
    """From now on a service neither hears nor says anything."""

    def word(story: Story) -> None:
        story.sent_before[service] = len(story.suite.bus.seen)
        story.silenced[service] = story.suite.bus.runtimes.pop(service)

    return word


# --- when


def an_order_is_placed(quantity: int) -> Word:
    def word(story: Story) -> None:
        story.record, story.id = ORDER, story.business.draft(str(quantity))
        story.suite.settle()
        story.suite.run(ORDER, story.id, "place")

    return word


def it_is(verb: str) -> Word:
    """A command on the order or the lead: `it_is("ship")`."""

    def word(story: Story) -> None:
        story.suite.run(story.record, story.id, verb)

    return word


def it_is_credited(amount: str) -> Word:
    """A credit note takes so much off what is owed for the order."""

    def word(story: Story) -> None:
        story.note = story.business.credit(amount, **{story.id: amount})

    return word


def the_credit_is_cancelled() -> Word:
    return lambda story: story.suite.run("sales.credit-note", story.note, "cancel")


def it_is_paid(amount: str) -> Word:
    return lambda story: story.business.pay(amount, **{story.id: amount})


def time_passes(seconds: int) -> Word:
    """Overdue steps are noticed by the sweeper."""

    def word(story: Story) -> None:
        story.suite.clock.forward(seconds=seconds)
        for runtime in story.suite.bus.runtimes.values():
            runtime.sweep_sagas()

    return word


def speaks_again(service: str, *, backwards: bool = False) -> Word:
    """It is back, and gets what was sent to it meanwhile; backwards an undo comes before its ask."""

    def word(story: Story) -> None:
        runtime = story.silenced.pop(service)
        story.suite.bus.runtimes[service] = runtime
        meanwhile = story.suite.bus.seen[story.sent_before[service] :]
        runtime.events([one.body for one in meanwhile if one.exchange.endswith(".events")])
        missed = [one.body for one in meanwhile if one.routing_key == service]
        for body in reversed(missed) if backwards else missed:
            runtime.message(body)

    return word


# --- then


def the_order_is(status: str, reason: str | None = None) -> Word:
    def word(story: Story) -> None:
        order = story.suite.get(ORDER, story.id)
        assert (order["status"], order["reason"]) == (status, reason)

    return word


def the_lead_is(status: str) -> Word:
    def word(story: Story) -> None:
        assert story.suite.get(LEAD, story.id)["status"] == status

    return word


def the_saga(state: str, *steps: str) -> Word:
    """How it ended, and each step's state in order."""

    def word(story: Story) -> None:
        saga = story.saga()
        assert (saga["state"], *(step["state"] for step in saga["steps"])) == (state, *steps)

    return word


def stock_is(on_hand: int, *, reserved: int) -> Word:
    def word(story: Story) -> None:
        (level,) = story.suite.list("inventory.stock-level", ["product_id", "eq", story.business.product])
        assert (Decimal(level["on_hand"]), Decimal(level["reserved"])) == (on_hand, reserved)

    return word


def owed(*statuses: str) -> Word:
    """The states of the order's receivables: none, `open`, `reversed` …"""

    def word(story: Story) -> None:
        found = story.suite.list("sales.receivable", ["order_id", "eq", story.id])
        assert [one["status"] for one in found] == list(statuses)

    return word


def the_account_owes(amount: str, *, points: int) -> Word:
    """As its overview says, and what it has earned."""

    def word(story: Story) -> None:
        account = story.business.account
        asked = {"record": "customer.account", "name": "overview", "id": account}
        overview = story.suite.call("customer", "record.query", asked)
        assert [Decimal(one["receivable_open"]) for one in overview["totals"]] == [Decimal(amount)]
        found = story.suite.list("marketing.point-account", ["account_id", "eq", account])
        assert sum(one["balance"] for one in found) == points

    return word


def known(record: str, *names: str) -> Word:
    """The records of this kind that the story has made, by their names; deleted ones are not among them."""

    def word(story: Story) -> None:
        found = {one["name"] for one in story.suite.list(record)} - {f"Alfreds of {_slug(story)}"}
        assert found == set(names)

    return word


def _slug(story: Story) -> str:
    account = story.suite.get("customer.account", story.business.account)
    return str(account["name"]).removeprefix("Alfreds of ")
