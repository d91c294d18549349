"""Sorting and keyset pages: the pages together are the list, whatever is sorted by and whoever writes meanwhile."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.tests.given import PROPERTY, ids, names, pages, refused

ACCOUNT = "customer.account"
SORTS = ("name", "city", "next_action_on", "credit_limit", "updated_at", "created_at")


def _account(name: str, city: str | None, day: int | None, industry: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "industry": industry,
        "address": city and {"city": city},
        "next_action_on": day and f"2026-01-{day:02}",
    }


def _expected(items: list[dict[str, Any]], sort: list[tuple[str, bool]]) -> list[str]:
    """The order by plain Python: empty last when ascending, first when descending; the id decides at the end."""
    ordered = sorted(items, key=lambda item: item["id"], reverse=sort[0][1])
    for name, descending in reversed(sort):
        ordered.sort(
            key=lambda item: (item[name] is None, (item[name] or "").lower()),
            reverse=descending,
        )
    return ids(ordered)


@PROPERTY
@given(
    records=st.lists(
        st.tuples(
            st.sampled_from(["Ada", "ada", "Bo", "Cy"]),
            st.sampled_from([None, "Kiel", "Bern", "Rom"]),
            st.sampled_from([None, 1, 2, 3]),
            st.sampled_from([None, "Steel", "steel", "Café"]),
        ),
        max_size=9,
    ),
    sort=st.lists(
        # An industry has no index to sort by.
        st.tuples(st.sampled_from(["name", "city", "next_action_on", "industry"]), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda one: one[0],
    ),
    limit=st.integers(1, 3),
)
def test_the_pages_of_any_sort_are_the_whole_list_in_order(suite_of: Any, records: Any, sort: Any, limit: int) -> None:
    suite = suite_of("customer")
    made = [suite.create(ACCOUNT, _account(*one)) for one in records]
    mine, team = suite.user_id, suite.tenant
    with suite.work("customer") as work:
        # Some are the reader's own, some his team's, some both.
        for number, one in enumerate(made):
            whose = (mine if number % 3 else None, team if number % 2 else None)
            work.sql(
                "UPDATE accounts SET owner_id = %s, team_id = %s WHERE tenant_id = %s AND id = %s",
                (*whose, work.tenant, one["id"]),
            )
    words = ",".join(f"{'-' if descending else ''}{name}" for name, descending in sort)
    walked = ids(pages(suite, ACCOUNT, limit, sort=words))
    assert walked == ids(suite.list(ACCOUNT, sort=words))
    assert walked == _expected(made, sort)
    reader = suite.context(grants={ACCOUNT: {"read": "team"}}, teams=[team, mine])
    seen = [one for number, one in enumerate(made) if number % 3 or number % 2]
    assert ids(pages(suite, ACCOUNT, limit, sort=words, context=reader)) == _expected(seen, sort)


@pytest.mark.parametrize("descending", [False, True])
def test_amounts_and_empty_amounts_page_in_order(suite_of: Any, descending: bool) -> None:
    suite = suite_of("inventory")
    for index, price in enumerate(["5.00", None, "0.000000", "10.5", None, "5.00", "123456789012.25"]):
        suite.create(
            "inventory.product", {"name": f"P{index}", "price": price and {"amount": price, "currency": "EUR"}}
        )
    sort = "-price" if descending else "price"
    walked = pages(suite, "inventory.product", 2, sort=sort)
    assert ids(walked) == ids(suite.list("inventory.product", sort=sort))
    amounts = [float(item["price"]["amount"]) if item["price"] else None for item in walked]
    in_order = [0.0, 5.0, 5.0, 10.5, 123456789012.25, None, None]
    assert amounts == (list(reversed(in_order)) if descending else in_order)


def test_instants_page_in_order(suite_of: Any) -> None:
    suite = suite_of("customer")
    made = [suite.create(ACCOUNT, {"name": f"A{index}"}) for index in range(5)]
    suite.update(ACCOUNT, made[1]["id"], {"industry": "Steel"})
    assert ids(pages(suite, ACCOUNT, 1, sort="-updated_at"))[0] == made[1]["id"]
    assert ids(pages(suite, ACCOUNT, 2, sort="updated_at"))[-1] == made[1]["id"]


def test_without_a_sort_the_newest_come_first(suite_of: Any) -> None:
    suite = suite_of("customer")
    made = [suite.create(ACCOUNT, {"name": f"A{index}"}) for index in range(4)]
    assert ids(pages(suite, ACCOUNT, 3)) == list(reversed(ids(made)))
    assert ids(pages(suite, ACCOUNT, 3, sort="created_at")) == ids(made)


def test_records_that_appear_or_move_meanwhile_repeat_and_hide_nothing(suite_of: Any) -> None:
    suite = suite_of("customer")
    for name in ("b", "d", "f", "h"):
        suite.create(ACCOUNT, {"name": name})
    ask = {"record": ACCOUNT, "query": {"sort": "name", "limit": 2}}
    first = suite.call("customer", "record.list", ask)
    assert names(first["items"]) == ["b", "d"]
    suite.create(ACCOUNT, {"name": "a"})
    suite.create(ACCOUNT, {"name": "e"})
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": first["items"][1]["id"]})
    suite.update(ACCOUNT, first["items"][0]["id"], {"industry": "Steel"})
    ask["query"]["after"] = first["next"]
    second = suite.call("customer", "record.list", ask)
    assert names(second["items"]) == ["e", "f"]
    ask["query"]["after"] = second["next"]
    assert names(suite.call("customer", "record.list", ask)["items"]) == ["h"]


@pytest.mark.parametrize(
    ("sort", "code"),
    [("shoe_size", "unknown_parameter"), ("address", "not_filterable"), ("owner_id", "not_sortable"), ("", None)],
)
def test_an_unknown_sort_is_refused(suite_of: Any, sort: str, code: str | None) -> None:
    suite = suite_of("customer")
    if code is None:
        assert suite.list(ACCOUNT, sort=sort) == []
        return
    with refused(400, code):
        suite.list(ACCOUNT, sort=sort)


@pytest.mark.parametrize("limit", [0, -1, 201, "10", True])
def test_a_page_has_between_1_and_200_records(suite_of: Any, limit: Any) -> None:
    with refused(400, "bad_parameter", "limit"):
        suite_of("customer").call("customer", "record.list", {"record": ACCOUNT, "query": {"limit": limit}})


_ID = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"


@pytest.mark.parametrize(
    "values",
    [
        "no json",
        {"a": 1},
        [_ID],
        ["x", "not an id"],
        [None, _ID],
        [1, _ID],
        [{"d": "1"}, _ID],
        [{"z": "1"}, _ID],
        [{}, _ID],
        ["bell\x07", _ID],
        ["x", _ID, "more"],
    ],
)
def test_a_cursor_that_was_not_given_by_this_list_is_refused(suite_of: Any, values: Any) -> None:
    cursor = base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=") if values != "no json" else "%%"
    with refused(400, "bad_cursor", "after"):
        suite_of("customer").list(ACCOUNT, sort="name", after=cursor)


@pytest.mark.parametrize("value", ["text", {"d": "NaN"}, {"d": "Infinity"}, {"d": None}, {"c": "2026-01-01"}, 5, True])
def test_a_cursor_with_a_value_of_another_type_is_refused(suite_of: Any, value: Any) -> None:
    cursor = base64.urlsafe_b64encode(orjson.dumps([value, _ID])).decode().rstrip("=")
    with refused(400, "bad_cursor", "after"):
        suite_of("inventory").list("inventory.product", sort="price", after=cursor)
