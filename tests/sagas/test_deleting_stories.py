"""Deleting, restoring and erasing across services, told as the business rules that they carry out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.bus.ports import BusUnavailable
from chassis.errors import Problem
from tests.sagas.story import Story, Word, is_silent, known, speaks_again, time_passes

ACCOUNT, CONTACT, OPPORTUNITY, REQUEST = "customer.account", "customer.contact", "sales.opportunity", "service.request"


@pytest.fixture
def story(suite_of: Callable[..., Any]) -> Story:
    return Story(suite_of())


# --- given


def a_customer_with_business(story: Story) -> None:
    """Quist & Co, with Zora Quist there, and with an opportunity in sales."""
    story.record, story.id = ACCOUNT, story.suite.create(ACCOUNT, {"name": "Quist & Co"})["id"]
    zora = {"name": "Zora Quist", "email": "zora@quist.example", "account_id": story.id}
    story.contact = story.suite.create(CONTACT, zora)["id"]  # type: ignore[attr-defined]
    story.suite.settle()
    about = {"account_id": story.id, "contact_id": story.contact}  # type: ignore[attr-defined]
    story.suite.create(OPPORTUNITY, {"name": "Tea for Zora Quist", **about})


def an_open_request(story: Story) -> None:
    story.suite.create(REQUEST, {"subject": "Cold", "account_id": story.id})


# --- when


def it_is_asked_to(verb: str) -> Word:
    def word(story: Story) -> None:
        story.suite.request("customer", f"record.{verb}", {"record": ACCOUNT, "id": story.id})

    return word


def it_cannot_be_deleted(code: str, *, away: str | None = None) -> Word:
    """It is refused with this code; meanwhile a service may be away, which the bus says at once."""

    def word(story: Story) -> None:
        runtimes: Any = story.suite.bus.runtimes
        before = dict(runtimes)
        runtimes |= {away: Away()} if away else {}
        try:
            with pytest.raises(Problem, match=code):
                it_is_asked_to("delete")(story)
        finally:
            runtimes |= before

    return word


class Away:
    def rpc(self, request: Any) -> Any:
        raise BusUnavailable("nobody there")


def zora_asks_to_be_forgotten(story: Story) -> None:
    params = {"record": CONTACT, "id": story.contact, "data": {"reason": "She asked"}}  # type: ignore[attr-defined]
    story.suite.request("customer", "record.erase", params)


# --- then


def her_erasure_is(state: str, *steps: str) -> Word:
    def word(story: Story) -> None:
        params = {"record": CONTACT, "id": story.contact}  # type: ignore[attr-defined]
        assert story.suite.call("customer", "record.erasure", params)["state"] == state
        saga = story.suite.call("customer", "record.saga", params)
        found = {step["name"].removeprefix("let go in "): step["state"] for step in saga["steps"]}
        assert {name for name, state in found.items() if state != "done"} == set(steps)

    return word


def nobody_names_her(story: Story) -> None:
    for record in (CONTACT, OPPORTUNITY):
        assert "Zora" not in str(story.suite.list(record))


def the_request_is_there(story: Story) -> None:
    assert len(story.suite.list(REQUEST, ["account_id", "eq", story.id])) == 1


def test_a_deleted_customer_takes_along_what_belongs_to_him_in_every_service_and_brings_it_back(story: Story) -> None:
    story.given(a_customer_with_business).when(it_is_asked_to("delete")).then(
        known(ACCOUNT), known(CONTACT), known(OPPORTUNITY)
    )
    story.when(it_is_asked_to("restore")).then(
        known(ACCOUNT, "Quist & Co"), known(CONTACT, "Zora Quist"), known(OPPORTUNITY, "Tea for Zora Quist")
    )


def test_a_customer_with_an_open_request_stays_whole(story: Story) -> None:
    story.given(a_customer_with_business, an_open_request).when(it_cannot_be_deleted("referenced")).then(
        known(ACCOUNT, "Quist & Co"), known(CONTACT, "Zora Quist"), the_request_is_there
    )


def test_while_sales_is_away_nobody_who_may_have_orders_is_deleted(story: Story) -> None:
    story.given(a_customer_with_business).when(it_cannot_be_deleted("unavailable", away="sales")).then(
        known(ACCOUNT, "Quist & Co"), known(CONTACT, "Zora Quist")
    )


def test_an_erasure_waits_for_a_service_that_is_down_and_ends_when_it_is_back(story: Story) -> None:
    story.given(a_customer_with_business, is_silent("marketing")).when(zora_asks_to_be_forgotten).then(
        her_erasure_is("erasing", "marketing", "service", "notify", "search", "eventlog", "give the receipt")
    )
    story.when(time_passes(3600)).then(
        her_erasure_is("erasing", "marketing", "service", "notify", "search", "eventlog", "give the receipt")
    )
    story.when(speaks_again("marketing"), time_passes(60)).then(her_erasure_is("erased"), nobody_names_her)
