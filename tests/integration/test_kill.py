"""`kill -9` of the suite and its PostgreSQL while orders stream in: what was answered stands, nothing happens twice."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.integration.demo import ledger, stock
from tests.integration.flow import Shop, assert_no_gap
from tests.integration.support import Answer, Api, EmbeddedSuite, until

JSON = dict[str, Any]
KILLS = 10
DECIDED = ("confirmed", "rejected")


@dataclass
class Attempt:
    """One order of the stream: what its two requests were answered, or None where no answer came."""

    name: str
    body: JSON
    created: Answer | None = None
    placed: Answer | None = None
    asked_to_place: bool = False


@dataclass
class Stream:
    """A client that drafts and places orders one after the other, and goes on whatever happens to its requests."""

    api: Api
    shop: Shop
    stop: threading.Event = field(default_factory=threading.Event)
    attempts: list[Attempt] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            number = len(self.attempts)
            name = f"stream {number}"
            attempt = Attempt(name, self.shop.draft(str(1 + number % 3), ship_name=name))
            self.attempts.append(attempt)
            attempt.created = self.create(attempt)
            if attempt.created is not None and attempt.created.status == 201:
                attempt.asked_to_place = True
                attempt.placed = self.place(attempt, attempt.created.body["id"])
            else:
                # Nobody is there at present; the next one may find the suite back.
                self.stop.wait(0.05)

    def create(self, attempt: Attempt) -> Answer | None:
        return self._send("/v1/orders", attempt.body, f"create {attempt.name}")

    def place(self, attempt: Attempt, order_id: str) -> Answer | None:
        return self._send(f"/v1/orders/{order_id}/place", {}, f"place {attempt.name}")

    def _send(self, path: str, body: JSON, key: str) -> Answer | None:
        try:
            answer = self.api.send("POST", path, body, key=key)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        return None if answer.status >= 500 else answer


def test_after_ten_kills_every_answered_order_stands_and_every_repeat_makes_one(embedded: EmbeddedSuite):
    seed = random.randrange(10**6)
    print(f"\nseed {seed}")
    chance = random.Random(seed)
    # Less than the stream will ask for, so that stock runs out on the way and orders are rejected too.
    stream = Stream(embedded.api(10), Shop.open(embedded.api(), stock="150"))
    thread = threading.Thread(target=stream.run)
    thread.start()
    starts = []
    try:
        for _ in range(KILLS):
            threading.Event().wait(chance.uniform(0.1, 2.0))
            embedded.kill()
            embedded.start(60)
            starts.append(embedded.seconds)
    finally:
        stream.stop.set()
        thread.join(60)
    api = embedded.api()
    unknown = [attempt for attempt in stream.attempts if attempt.created is None]
    lost_places = [attempt for attempt in stream.attempts if attempt.asked_to_place and attempt.placed is None]
    print(
        f"{len(stream.attempts)} orders, {len(unknown)} creates and {len(lost_places)} places without an answer;"
        f" starts after a kill {min(starts):.1f} to {max(starts):.1f} s"
    )
    answered = {a.name: a.created.body["id"] for a in stream.attempts if a.created and a.created.status == 201}
    accepted = {a.name for a in stream.attempts if a.placed and a.placed.status == 202}
    assert answered and accepted and unknown

    _repeat(stream, unknown, lost_places, answered)
    accepted |= {attempt.name for attempt in lost_places}
    _all_decided(api, stream, answered, accepted)
    until(lambda: stock(api.all("stock-levels")) == ledger(api), 30, what="levels are the sums of their ledger")
    assert_no_gap(api)
    checked = embedded.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _repeat(stream: Stream, unknown: list[Attempt], lost_places: list[Attempt], answered: dict[str, str]) -> None:
    """What was not answered is asked again with the same key, and then is; a repeat of the repeat says the same."""
    for attempt in unknown:
        first, second = stream.create(attempt), stream.create(attempt)
        assert first and second and first.status == second.status == 201, (first, second)
        assert first.body["id"] == second.body["id"]
        answered[attempt.name] = first.body["id"]
    for attempt in lost_places:
        again = stream.place(attempt, answered[attempt.name])
        assert again is not None and again.status == 202, again


def _all_decided(api: Api, stream: Stream, answered: dict[str, str], accepted: set[str]) -> None:
    """Each order is there exactly once under the id that was answered; what was placed is confirmed or rejected."""

    def ours() -> list[JSON]:
        return api.all("orders", account_id=stream.shop.account_id)

    def waiting() -> list[str]:
        return [order["ship_name"] for order in ours() if order["status"] == "placed"]

    until(lambda: not waiting(), 150, every=0.2, what="every placed order is decided")
    orders = ours()
    times = Counter(order["ship_name"] for order in orders)
    assert times == Counter({attempt.name: 1 for attempt in stream.attempts})
    assert {order["ship_name"]: order["id"] for order in orders} == answered
    states = {order["ship_name"]: order["status"] for order in orders}
    assert {states[name] for name in accepted} <= set(DECIDED)
    assert {states[name] for name in set(states) - accepted} <= {"draft"}
    confirmed = {order["id"]: order["total"] for order in orders if order["status"] == "confirmed"}

    def owed() -> list[JSON]:
        return api.all("receivables", account_id=stream.shop.account_id)

    until(lambda: len(owed()) >= len(confirmed), 60, what="every confirmed order has its receivable")
    receivables = owed()
    assert {one["order_id"]: one["amount"] for one in receivables} == confirmed and len(receivables) == len(confirmed)
    print(Counter(states.values()))
