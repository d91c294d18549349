"""Every record × every operation and command × every kind of caller, made from the declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.records import Record
from contracts.registry import registry
from tests.security import policy
from tests.security.examples import Examples
from tests.security.policy import CALLERS, Cell, cells, denied, expected
from tests.security.refusals import assert_refused
from tests.security.shop import Shop
from tests.security.world import Answer, Api, World

JSON = dict[str, Any]
MISSING = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
RECORDS = sorted(registry.load().records)
CODES = {401: "unauthenticated", 403: "forbidden", 404: "not_found"}


@pytest.fixture(scope="module")
def examples(world: World, shop: Shop, rival: Shop) -> Examples:
    made = Examples(shop)
    for name in RECORDS:
        made.id_of(name)
    world.settle()
    return made


@pytest.fixture(scope="module")
def callers(world: World, shop: Shop, rival: Shop, examples: Examples) -> dict[str, Api]:
    _, nobody = world.person(shop.api, "nobody", grants={})
    _, own = world.person(shop.api, "own", grants={"*": {"*": "own"}})
    gone_id, gone = world.person(shop.api, "gone", grants={"*": {"*": "all"}})
    shop.api.post(f"/v1/users/{gone_id}/deactivate")
    world.settle()
    found = (shop.api, nobody, own, rival.api, world.api(None), gone)
    return dict(zip(CALLERS, found, strict=True))


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("name", RECORDS)
def test_every_operation_answers_each_caller_as_the_policy_says(
    world: World, shop: Shop, examples: Examples, callers: dict[str, Api], name: str, caller: str
) -> None:
    record, api = registry.records[name], callers[caller]
    for untouched, part in _by_trace(caller, list(cells(record, examples.id_of(name), examples))):
        before = world.digest() if untouched else {}
        for cell in part:
            _assert_as_expected(api, caller, cell, record, shop)
        if untouched:
            after = world.digest()
            assert [table for table in after if after[table] != before[table]] == []


def _by_trace(caller: str, found: list[Cell]) -> Iterator[tuple[bool, list[Cell]]]:
    for untouched in (True, False):
        part = [cell for cell in found if denied(caller, cell) is untouched]
        if part:
            yield untouched, part


def _assert_as_expected(api: Api, caller: str, cell: Cell, record: type[Record], shop: Shop) -> None:
    body = cell.body
    if cell.about == "new" and caller == "own scope":
        body = {**cell.body, "owner_id": shop.tenant.user_id}
    answer = api.send(cell.method, cell.path, body, headers=dict(cell.headers))
    assert answer.status in expected(caller, cell, record), (str(cell), caller, str(answer))
    if answer.status in CODES:
        assert_refused(answer, answer.status, CODES[answer.status])
    if caller == "another tenant" and cell.about == "one":
        missing = cell.path.replace(_id_of(cell), MISSING)
        sent = _with_id(cell.body, _id_of(cell))
        same = api.send(cell.method, missing, sent, headers=dict(cell.headers))
        assert (same.status, same.told) == (answer.status, answer.told), (str(cell), str(answer), str(same))


def _id_of(cell: Cell) -> str:
    if cell.operation == "bulk":
        found: str = cell.body["items"][0]["id"]
        return found
    return cell.path.split("/")[3].partition("?")[0]


def _with_id(body: Any, record_id: str) -> Any:
    if isinstance(body, dict) and "items" in body:
        return {**body, "items": [{**item, "id": MISSING} for item in body["items"] if item["id"] == record_id]}
    return body


@pytest.mark.parametrize("name", RECORDS)
def test_a_list_shows_exactly_what_single_reads_show(examples: Examples, callers: dict[str, Api], name: str) -> None:
    """List, search by filter, count and changes agree with reading each record, for everybody who can sign in."""
    record = registry.records[name]
    root = f"/v1/{record.collection}"
    known = {item["id"]: item for item in callers["administrator"].all(root)}
    assert examples.id_of(name) in known
    for caller in CALLERS[:4]:
        api = callers[caller]
        listed = {item["id"]: item for item in api.all(root)}
        searched = {item["id"]: item for item in api.post(f"{root}/search", {"limit": 200})["items"]}
        readable = {record_id for record_id in known if api.send("GET", f"{root}/{record_id}").status == 200}
        assert set(listed) & set(known) == readable, caller
        assert set(searched) >= set(list(listed)[:200]) and set(searched) <= set(listed), caller
        if caller in ("administrator", "own scope"):
            for record_id in list(readable)[:5]:
                assert api.get(f"{root}/{record_id}") == listed[record_id]
        if "aggregate" in record.operations:
            rows = api.post(f"{root}/aggregate", {"measures": [{"fn": "count"}]})["items"]
            assert sum(row["measures"]["count"] for row in rows) == len(listed), caller
        counted = api.get(f"{root}?count=exact&limit=1")
        assert counted["count"] == len(listed), caller


def test_feed_and_search_show_nothing_of_records_that_may_not_be_read(
    shop: Shop, examples: Examples, callers: dict[str, Api]
) -> None:
    ids = {examples.id_of(name) for name in RECORDS}
    assert ids & _told_in_feed(shop.api)
    for caller in ("without grants", "own scope", "another tenant"):
        api = callers[caller]
        assert not ids & _told_in_feed(api), caller
        for word in ("oolong", "tea", "name", "SO-2026"):
            found = {hit["id"] for hit in api.get(f"/v1/search?q={word}&limit=100")["items"]}
            assert not ids & found, (caller, word)
    assert shop.account["id"] in {hit["id"] for hit in shop.api.get("/v1/search?q=oolong")["items"]}


def _told_in_feed(api: Api) -> set[str]:
    found: set[str] = set()
    after = 0
    while True:
        page = api.get(f"/v1/events?after={after}&limit=500")
        found |= {event["data"]["id"] for event in page["items"]}
        if page["next"] == after:
            return found
        after = page["next"]


@pytest.mark.parametrize(("method", "path", "body", "status"), policy.ADMINISTRATION)
def test_stuck_work_is_for_administrators(
    world: World, callers: dict[str, Api], method: str, path: str, body: Any, status: int
) -> None:
    with world.untouched():
        for caller, answered in zip(CALLERS, (status, 403, 403, status, 401, 401), strict=True):
            answer: Answer = callers[caller].send(method, f"/v1/admin/{path}?service=sales", body)
            assert answer.status == answered, (caller, str(answer))


def test_every_route_of_administration_has_a_line_in_the_policy(world: World) -> None:
    paths = {
        (method, re.sub(r"/(1|[0-9a-f-]{36})(?=/|$)", "/{id}", path)) for method, path, *_ in policy.ADMINISTRATION
    }
    asked = {(method, f"/v1/admin/{path}") for method, path in paths}
    routed = {
        (method, route)
        for route, methods in world.routes().items()
        for method in methods
        if route.startswith("/v1/admin/")
    }
    assert routed == asked


def test_every_route_of_a_collection_is_in_the_matrix(world: World, examples: Examples) -> None:
    """What the router knows below a collection is asked by some cell: no route escapes the policy."""
    asked = set()
    for name in RECORDS:
        record = registry.records[name]
        for cell in policy.cells(record, MISSING, examples):
            template = re.sub(r"elsewhere/.*", "{system}/{key}", cell.path.partition("?")[0].replace(MISSING, "{id}"))
            template = template.replace("of-nobody", "{name}").replace(policy.CHILD, "{child}")
            asked.add((cell.method, template))
    routed = {
        (method, route)
        for route, methods in world.routes().items()
        for method in methods
        if route.split("/")[2:3] and route.split("/")[2] in registry.collections
    }
    assert routed == asked


@pytest.fixture(scope="module")
def job(shop: Shop) -> str:
    """An export that the administrator asked for."""
    found: str = shop.api.post("/v1/accounts/export", {"format": "jsonl", "style": "machine"})["id"]
    return found


@pytest.mark.parametrize(("method", "path", "body", "statuses"), policy.PERSONAL)
def test_what_is_ones_own_answers_each_caller_as_the_policy_says(
    callers: dict[str, Api], job: str, method: str, path: str, body: Any, statuses: tuple[int | None, ...]
) -> None:
    address = path.replace("{id}", job).replace("{collection}", "accounts")
    for caller, status in zip(CALLERS, statuses, strict=True):
        if status is not None:
            answer = callers[caller].send(method, address, body)
            assert answer.status == status, (caller, str(answer))


def test_no_list_of_jobs_shows_those_of_others(callers: dict[str, Api], job: str) -> None:
    for caller in CALLERS[:4]:
        listed = {one["id"] for one in callers[caller].get("/v1/jobs?collection=accounts&limit=200")["items"]}
        assert (job in listed) is (caller == "administrator"), caller


def test_every_route_beside_collections_and_administration_has_a_line_in_the_policy(world: World) -> None:
    elsewhere = {"admin", *registry.collections}
    routed = {
        (method, route)
        for route, methods in world.routes().items()
        for method in methods
        if elsewhere.isdisjoint(route.split("/")[2:3])
    }
    assert routed == policy.OPEN | {(method, path.partition("?")[0]) for method, path, *_ in policy.PERSONAL}
