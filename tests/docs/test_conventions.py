"""The examples of the page on conventions, sent to the gateway over the real services, with the answers they show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.docs.tour import differ
from tests.security.world import Api, World

PAGE = Path(__file__).parents[2] / "docs" / "conventions.md"
_EXAMPLE = re.compile(r"^```http\n(?P<request>.*?)^```\n\n```json\n(?P<answer>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A request of the page: `METHOD path`, headers and a body below them, and the answer that is shown beneath it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    answer: Any


def examples() -> list[Example]:
    found = []
    for one in _EXAMPLE.finditer(PAGE.read_text("utf-8")):
        head, _, body = one["request"].partition("\n\n")
        first, *lines = head.strip().splitlines()
        method, path = first.split(" ", 1)
        headers = dict(line.split(": ", 1) for line in lines)
        found.append(Example(method, path, headers, json.loads(body) if body else None, json.loads(one["answer"])))
    return found


@pytest.fixture(scope="module")
def world(databases: Any) -> Iterator[World]:
    made = World(databases)
    yield made
    made.close()


def _filled(api: Api) -> dict[str, str]:
    """Four accounts and their contacts; the ids of the accounts by a word."""
    known = {}
    for word, name, city, kind, limit, day in (
        ("zimt", "Zimt & Co", "Berlin", "customer", "9000.00", "2026-05-04"),
        ("anis", "Anis AG", "Berlin", "customer", "100.00", "2026-02-01"),
        ("tea", "Müller Tee", "München", "customer", None, None),
        ("kiel", "Kiel Partners", "Kiel", "partner", "200.00", "2026-03-01"),
    ):
        money = limit and {"amount": limit, "currency": "EUR"}
        account = {"name": name, "address": {"city": city}, "kind": kind, "credit_limit": money, "next_action_on": day}
        known[word] = api.post("/v1/accounts", account)["id"]
    for name, word in (("Ada", "zimt"), ("Bo", "anis"), ("Cyd", "tea")):
        api.post("/v1/contacts", {"name": name, "account_id": known[word]})
    return known


def test_each_example_answers_what_the_page_shows(world: World) -> None:
    tenant = world.tenant("docs")
    known = _filled(tenant.api)
    world.settle()
    found = examples()
    assert len(found) >= 8
    for one in found:
        path = one.path.format_map(known)
        answer = tenant.api.send(one.method, path, one.body, headers=one.headers)
        differ(f"{one.method} {one.path}", one.answer, answer.body)


def test_every_operator_is_on_the_page() -> None:
    from contracts import fields as f

    shown = PAGE.read_text("utf-8")
    for kind in (f.Text, f.Number, f.Date, f.Instant, f.Boolean, f.Choice, f.Ref):
        for operator in kind.operators:
            assert operator == "eq" or f"`{operator}`" in shown, operator
