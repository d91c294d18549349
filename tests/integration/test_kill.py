"""`kill -9` of the suite and its PostgreSQL while orders stream in: what was answered stands, nothing happens twice."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.integration.demo import ledger, stock
from tests.integration.flow import Shop, assert_no_gap
from tests.integration.support import Answer, Api, EmbeddedSuite, until

JSON = dict[str, Any]
KILLS = 10
DECIDED = ("confirmed", "rejected")


@dataclass
class Attempt:
    """One order of the stream: what its two requests were answered, or None where the outcome is unknown."""

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
    unanswered: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        while not self.stop.is_set():
            if not self._somebody_there():
                self.stop.wait(0.05)
                continue
            number = len(self.attempts)
            attempt = Attempt(f"stream-{number}", self.shop.draft(str(1 + number % 3), ship_name=f"stream-{number}"))
            self.attempts.append(attempt)
            attempt.created = self.create(attempt)
            if attempt.created is not None:
                attempt.asked_to_place = True
                attempt.placed = self.place(attempt, attempt.created.body["id"])

    def _somebody_there(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self.api.send("GET", "/livez").status == 200
        return False

    def create(self, attempt: Attempt) -> Answer | None:
        return self._send("/v1/orders", attempt.body, f"create-{attempt.name}", 201)

    def place(self, attempt: Attempt, order_id: str) -> Answer | None:
        return self._send(f"/v1/orders/{order_id}/place", {}, f"place-{attempt.name}", 202)

    def _send(self, path: str, body: JSON, key: str, wanted: int) -> Answer | None:
        try:
            answer = self.api.send("POST", path, body, key=key)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.unanswered[type(error).__name__] += 1
            return None
        if answer.status == wanted:
            return answer
        # These two say that the outcome is not known or that nothing was done; any other refusal is a fault.
        assert answer.status in (503, 504), answer
        self.unanswered[answer.body["code"]] += 1
        return None


def test_after_ten_kills_every_answered_order_stands_and_every_repeat_makes_one(embedded: EmbeddedSuite):
    seed = random.randrange(10**6)
    print(f"\nseed {seed}")
    chance = random.Random(seed)
    # Less than the stream will ask for, so that stock runs out on the way and orders are rejected too.
    stream = Stream(embedded.api(10), Shop.open(embedded.api(), stock="150"))
    with ThreadPoolExecutor(1) as client:
        flowing = client.submit(stream.run)
        try:
            starts = [_kill_and_start(embedded, chance) for _ in range(KILLS)]
        finally:
            stream.stop.set()
        flowing.result(60)
    api = embedded.api()
    unknown = [attempt for attempt in stream.attempts if attempt.created is None]
    lost_places = [attempt for attempt in stream.attempts if attempt.asked_to_place and attempt.placed is None]
    print(
        f"{len(stream.attempts)} orders, {len(unknown)} creates and {len(lost_places)} places without an answer"
        f" {dict(stream.unanswered)};"
        f" starts after a kill {min(starts):.1f} to {max(starts):.1f} s"
    )
    answered = {attempt.name: attempt.created.body["id"] for attempt in stream.attempts if attempt.created}
    accepted = {attempt.name for attempt in stream.attempts if attempt.placed}
    assert len(accepted) >= KILLS, "the stream hardly flowed, so nothing was tested"

    _repeat(stream, unknown, lost_places, answered)
    accepted |= {attempt.name for attempt in lost_places}
    _all_decided(api, stream, answered, accepted)
    until(lambda: stock(api.all("stock-levels")) == ledger(api), 30, what="levels are the sums of their ledger")
    assert_no_gap(api)
    checked = embedded.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _kill_and_start(suite: EmbeddedSuite, chance: random.Random) -> float:
    """The seconds that the start after a kill at a random moment took."""
    threading.Event().wait(chance.uniform(0.1, 2.0))
    suite.kill()
    suite.start(120)
    return suite.seconds


def _repeat(stream: Stream, unknown: list[Attempt], lost_places: list[Attempt], answered: dict[str, str]) -> None:
    """What was not answered is asked again with the same key, and then is; a repeat of the repeat says the same."""
    for attempt in unknown:
        first, second = (until(partial(stream.create, attempt), 60) for _ in range(2))
        assert first.body["id"] == second.body["id"]
        answered[attempt.name] = first.body["id"]
    for attempt in lost_places:
        until(partial(stream.place, attempt, answered[attempt.name]), 60)


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
