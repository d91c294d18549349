"""Sagas end, whatever is refused, late, lost, repeated, overtaken or forged. Messages are delivered by hand here."""

from __future__ import annotations

from typing import Any

import pytest

from chassis import saga
from chassis.bus.wire import decode, encode
from chassis.context import Signer
from chassis.ids import new_id
from chassis.saga import COMPENSATABLE, PIVOT, RETRIABLE, Refused, Saga, Step
from chassis.tests.given import refused, rows
from chassis.tests.play import FIRST, SECOND, Play
from contracts import inventory

JSON = dict[str, Any]


@pytest.fixture
def play(suite_of: Any) -> Play:
    return Play(suite_of("customer", "inventory"))


DONE = ["ask first", "do", "ask second", "decide", "finish second"]


def test_steps_run_in_their_order_and_each_reply_is_taken(play: Play) -> None:
    play.start()
    assert play.steps() == ["running", "pending", "pending", "pending", "pending"]
    play.go_on()
    assert play.log == DONE
    shown = play.state()
    assert (shown["state"], shown["reason"]) == ("completed", None)
    assert set(play.steps()) == {"done"}
    [row] = rows(play.suite, "customer", "SELECT data FROM sagas WHERE tenant_id = %s")
    assert row.data == {"first": {"shipment_id": FIRST}, "second": {"shipment_id": SECOND}}


def test_a_refusal_undoes_what_was_done_in_reverse(play: Play) -> None:
    def no(work: Any) -> None:
        raise Refused("shelf", "The shelf is empty.")

    play.answers["ask second"] = no
    play.start()
    play.go_on()
    assert play.log == ["ask first", "do", "ask second", "undo", "undo first", ("otherwise", "shelf")]
    shown = play.state()
    assert (shown["state"], shown["reason"], shown["detail"]) == ("compensated", "shelf", "The shelf is empty.")
    assert play.steps() == ["undone", "undone", "refused", "pending", "pending"]
    assert shown["steps"][2]["error"] == "The shelf is empty."


def test_a_local_refusal_turns_back_too(play: Play) -> None:
    play.answers["do"] = Refused("credit")
    play.start()
    play.go_on()
    assert play.log == ["ask first", "do", "undo first", ("otherwise", "local")]


def test_a_step_that_does_not_answer_in_time_is_undone_as_well(play: Play) -> None:
    play.start()
    play.deliver(*play.sent("customer"))
    play.deliver(*play.sent("inventory"))
    [lost] = play.sent("customer")
    assert decode(lost.body)["step"] == 2
    play.later(10)
    assert play.state()["state"] == "running"
    play.later(11)
    assert (play.state()["state"], play.state()["reason"]) == ("compensating", "timeout")
    play.go_on()
    assert play.log == ["ask first", "do", "undo second", "undo", "undo first", ("otherwise", "timeout")]
    assert play.steps()[:3] == ["undone", "undone", "undone"]


def test_an_undo_that_overtakes_its_ask_refuses_the_late_one(play: Play) -> None:
    play.start()
    [late] = play.sent("customer")
    play.later(21)
    play.deliver(*play.sent("customer"))
    assert play.log == ["undo first"]
    play.deliver(late)
    play.go_on()
    assert play.log == ["undo first", ("otherwise", "timeout")]
    assert rows(play.suite, "inventory", "SELECT step, undone FROM asked WHERE tenant_id = %s") == [(0, True)]
    assert play.state()["state"] == "compensated"


def test_a_reply_that_comes_after_the_saga_turned_back_changes_nothing(play: Play) -> None:
    play.start()
    play.deliver(*play.sent("customer"))
    [late] = play.sent("inventory")
    play.later(21)
    play.deliver(late)
    assert play.steps()[0] == "undoing"
    play.go_on()
    play.deliver(late)
    assert play.log == ["ask first", "undo first", ("otherwise", "timeout")]
    assert play.state()["state"] == "compensated"


def test_repeated_asks_and_replies_change_nothing(play: Play) -> None:
    play.start()
    for _ in range(8):
        asks = play.sent("customer")
        play.deliver(*asks, *asks)
        replies = play.sent("inventory")
        play.deliver(*replies, *replies, *asks)
    assert play.log == DONE
    assert play.state()["state"] == "completed"


def test_a_reply_in_the_name_of_another_ask_is_ignored(play: Play) -> None:
    play.start()
    play.deliver(*play.sent("customer"))
    [reply] = play.sent("inventory")
    document = decode(reply.body)
    for change in ({"to": new_id()}, {"step": 2}, {"undo": True}, {"saga": new_id()}, {"saga_name": "other"}):
        play.customer.message(encode({**document, **change, "id": new_id()}))
    assert play.steps()[0] == "running"
    play.deliver(reply)
    assert play.steps()[0] == "done"


def test_behind_the_pivot_a_refusal_is_asked_again_until_it_succeeds(play: Play) -> None:
    def no(work: Any) -> None:
        raise Refused("busy", "Later.")

    play.answers["finish second"] = no
    play.start()
    play.go_on()
    assert play.state()["state"] == "running"
    assert play.state()["steps"][4]["error"] == "Later."
    play.later(11)
    play.go_on()
    assert play.log == [*DONE, "finish second"]
    del play.answers["finish second"]
    play.later(11)
    play.go_on()
    assert play.log == [*DONE, "finish second", "finish second"]
    assert play.state()["state"] == "completed"


def test_behind_the_pivot_silence_is_asked_again_and_has_one_effect(play: Play) -> None:
    play.start()
    play.go_on(4)
    [unheard] = play.sent("customer")
    assert decode(unheard.body)["name"] == "inventory.release"
    for _ in range(3):
        play.later(11)
    again = play.sent("customer")
    assert {decode(one.body)["id"] for one in again} == {decode(unheard.body)["id"]}
    play.deliver(*again, unheard)
    play.go_on()
    assert play.log == DONE
    assert play.state()["steps"][4]["attempts"] == 4


def test_an_undo_that_is_refused_is_asked_again(play: Play) -> None:
    def no(work: Any) -> None:
        raise Refused("busy")

    play.answers["undo first"] = no
    play.answers["do"] = Refused("credit")
    play.start()
    play.go_on()
    assert play.steps()[0] == "undoing"
    del play.answers["undo first"]
    play.later(11)
    play.go_on()
    assert play.log == ["ask first", "do", "undo first", "undo first", ("otherwise", "local")]


def test_a_local_step_behind_the_pivot_is_tried_again(play: Play) -> None:
    tried: list[int] = []

    def does(one: Any, data: JSON, work: Any) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise Refused("busy")

    play.saga = Saga("play", play.accounts, (Step("last", does=does, kind=RETRIABLE),))
    play.customer.sagas = {"play": play.saga}
    play.start()
    assert play.steps() == ["running"]
    play.later(11)
    play.later(11)
    assert (len(tried), play.state()["state"]) == (3, "completed")


def test_a_refusal_that_is_raised_takes_back_what_was_written_and_one_returned_keeps_it(play: Play) -> None:
    products = play.inventory.stores["inventory.product"]

    def answer(raised: bool) -> Any:
        def write(work: Any) -> Any:
            products.add(work, products.make(name="Raised" if raised else "Returned"))
            if raised:
                raise Refused("no")
            return Refused("no")

        return write

    for raised in (True, False):
        play.answers["ask first"] = answer(raised)
        play.start()
        play.go_on()
        assert play.state()["state"] == "compensated"
    assert [product["name"] for product in play.suite.list("inventory.product")] == ["Returned"]
    found = rows(play.suite, "inventory", "SELECT 1 FROM changes WHERE tenant_id = %s")
    assert len(found) == 1


def test_a_saga_is_cancelled_before_its_pivot_and_not_behind_it(play: Play) -> None:
    def cancel() -> bool:
        with play.suite.work("customer") as work:
            return saga.cancel(work, play.saga, play.accounts.find(work, play.record, lock=True), "changed my mind")

    assert cancel() is False
    play.start()
    play.go_on(1)
    assert cancel() is True
    play.go_on()
    assert play.log[-1] == ("otherwise", "changed my mind")
    play.start()
    play.go_on(4)
    with refused(409, "too_late"):
        cancel()


@pytest.mark.parametrize("context", ["foreign", "other tenant", None, 5, "x.y.z"])
def test_a_forged_message_is_kept_as_evidence_and_does_nothing(play: Play, context: Any) -> None:
    play.start()
    [ask] = play.sent("customer")
    if context == "foreign":
        context = Signer("another installation's key, of 32 bytes").sign(play.suite.context())
    elif context == "other tenant":
        context = play.suite.signer.sign(play.suite.context(tenant=new_id()))
    forged = encode({**decode(ask.body), "context": context})
    play.inventory.message(forged)
    assert play.log == []
    assert rows(play.suite, "inventory", "SELECT 1 FROM inbox WHERE tenant_id = %s") == []
    assert _buried(play, "cmd-inventory") == forged
    play.deliver(ask)
    assert play.log == ["ask first"]


def _buried(play: Play, queue: str) -> bytes:
    with play.inventory.database.operations() as connection:
        row = connection.exec_driver_sql(
            "SELECT raw FROM dead_letters WHERE queue = %s ORDER BY id DESC LIMIT 1", (queue,)
        ).one()
        return bytes(row.raw)


def test_a_saga_that_cannot_go_on_does_not_hold_up_the_others(play: Play) -> None:
    def explode(one: Any, data: JSON) -> JSON:
        if one.id == play.record:
            raise RuntimeError("a bug")
        return {"order_id": FIRST}

    slow = Step("slow", asks=inventory.issue, body=_nothing, undo=inventory.take_back, undo_body=explode)
    play.saga = Saga("play", play.accounts, (slow,))
    play.customer.sagas = {"play": play.saga}
    play.start()
    stuck, play.record = play.record, play.suite.create("customer.account", {"name": "Beta"})["id"]
    play.start()
    fine, play.record = play.record, stuck
    play.later(21)
    assert play.state()["state"] == "running"
    play.record = fine
    assert play.state()["state"] == "compensating"


def _once(name: str, kind: str) -> Step:
    return Step(name, does=lambda one, data, work: None, kind=kind)


@pytest.mark.parametrize(
    "steps",
    [
        (_once("a", PIVOT), _once("b", PIVOT)),
        (_once("a", PIVOT), _once("b", COMPENSATABLE)),
        (_once("a", RETRIABLE), _once("b", PIVOT)),
        (Step("a", asks=inventory.issue, body=lambda one, data: {}),),
        (Step("a"),),
        (Step("a", asks=inventory.issue, does=lambda one, data, work: None, undo=inventory.take_back),),
    ],
)
def test_a_saga_that_could_not_be_ended_is_not_declared(play: Play, steps: tuple[Step, ...]) -> None:
    with pytest.raises(ValueError, match="bad"):
        Saga("bad", play.accounts, steps)


def test_every_attempt_is_shown_with_its_times_and_what_became_of_it(play: Play) -> None:
    def no(work: Any) -> None:
        raise Refused("busy", "Later.")

    play.answers["finish second"] = no
    play.start()
    play.go_on()
    del play.answers["finish second"]
    play.later(11)
    lost = play.sent("customer")
    assert len(lost) == 1
    play.later(11)
    play.go_on()
    first, *_, last = play.state()["steps"]
    assert [(one["undo"], one["error"]) for one in first["tries"]] == [(False, None)]
    assert [one["error"] for one in last["tries"]] == ["Later.", "No answer in time.", None]
    times = [(one["started_at"], one["ended_at"]) for one in last["tries"]]
    assert times == sorted(times) and all(begun <= ended for begun, ended in times)
    assert last["attempts"] == 3


def test_undoing_is_an_attempt_of_its_own(play: Play) -> None:
    play.start()
    play.deliver(*play.sent("customer"))
    play.later(21)
    play.go_on()
    [asked, undone] = play.state()["steps"][0]["tries"]
    assert (asked["undo"], asked["error"]) == (False, "No answer in time.")
    assert (undone["undo"], undone["error"]) == (True, None)


def test_a_pivot_that_another_service_refuses_turns_back(play: Play) -> None:
    def no(work: Any) -> None:
        raise Refused("closed")

    play.answers["ask second"] = no
    go = Step("go", asks=inventory.issue, body=lambda one, data: {"order_id": SECOND}, kind=PIVOT)
    play.saga = Saga("play", play.accounts, (play.ask("first", FIRST), go), otherwise=play.saga.otherwise)
    play.customer.sagas = {"play": play.saga}
    play.start()
    play.go_on()
    assert play.log == ["ask first", "ask second", "undo first", ("otherwise", "closed")]


def _nothing(one: Any, data: JSON) -> JSON:
    return {"order_id": FIRST}
