"""What somebody opened, edited and looked for lately: his alone, bounded, and gone with him."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.bus.wire import encode
from chassis.errors import Problem
from chassis.ids import new_id
from contracts.fields import instant
from services.search.recents import HIGHEST, MOST_RECORDS, MOST_SEARCHES
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, event

USER = "identity.user"
BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def tell(index, method, context=None, **params):
    return index.suite.request("search", f"search.{method}", params, context=context)["status"]


def searches(index, context=None):
    return index.suite.call("search", "search.recent", {}, context=context)["items"]


def edit(index, user, record, record_id, *, request=None, minute=0, **data):
    """An event that a user caused with one request."""
    made = event(index.suite.tenant, record, {"id": record_id, **data}, verb="updated", version=2)
    at = instant(BEGIN + dt.timedelta(minutes=minute))
    return {**made, "actor": f"user:{user}", "correlationid": request or new_id(), "time": at}


def kept(index, table="recent_records", user=None):
    with index.suite.work("search") as work:
        statement = f"SELECT count(*) FROM {table} WHERE tenant_id = %s AND user_id = %s"
        return work.sql(statement, (work.tenant, user or index.suite.user_id)).scalar_one()


@pytest.fixture
def twins(index):
    """Three accounts that nothing tells apart but what somebody did; the newest first."""
    return [index.put(ACCOUNT, name="Am Twin") for _ in range(3)][::-1]


def order(index, **options):
    return [item["id"] for item in index.ask("twin", **options)["items"]]


def test_what_one_opened_comes_first_among_its_like_for_him_alone(index, twins):
    assert order(index) == twins
    assert tell(index, "opened", type="account", id=twins[2]) == 204
    assert order(index) == [twins[2], twins[0], twins[1]]
    assert order(index, context=index.suite.context(user_id=new_id())) == twins
    tell(index, "opened", type="account", id=twins[1])
    assert order(index) == [twins[1], twins[2], twins[0]]


def test_what_one_edited_comes_first_among_its_like_for_him_alone(index, twins):
    index.take(edit(index, index.suite.user_id, ACCOUNT, twins[2], name="Am Twin"))
    item = index.ask("twin", explain=True)["items"][0]
    assert item["id"] == twins[2]
    assert {"what": "lifted", "points": HIGHEST} in item["reasons"]
    assert kept(index) == 1 and kept(index, user=new_id()) == 0


def test_what_is_recent_comes_after_a_name_that_begins_so(index, twins):
    first = index.put(ACCOUNT, name="Twin Peaks")
    tell(index, "opened", type="account", id=twins[2])
    assert order(index)[:2] == [first, twins[2]]


def test_a_bulk_change_is_no_edit_by_hand(index):
    request, user = new_id(), index.suite.user_id
    events = [edit(index, user, ACCOUNT, new_id(), request=request, name=f"N {n}") for n in range(20)]
    index.runtime.events([encode(one) for one in events])
    assert kept(index) == 0


def test_services_and_keys_edit_nothing_lately(index):
    made = edit(index, index.suite.user_id, ACCOUNT, new_id(), name="A")
    index.take({**made, "actor": "service:sales"}, {**made, "id": new_id(), "actor": f"key:{new_id()}"})
    assert kept(index) == 0


def test_only_the_newest_are_kept_whatever_the_order(index):
    user, ids = index.suite.user_id, [new_id() for _ in range(MOST_RECORDS + 30)]
    index.take(*(edit(index, user, CONTACT, one, minute=n, name="C") for n, one in enumerate(ids)))
    with index.suite.work("search") as work:
        rows = work.sql("SELECT id FROM recent_records WHERE tenant_id = %s", (work.tenant,))
        assert {row.id for row in rows} == set(ids[-MOST_RECORDS:])


def test_a_deleted_user_leaves_nothing_behind_even_where_his_edit_comes_late(index):
    user = new_id()
    himself = index.suite.context(user_id=user)
    late = edit(index, user, ACCOUNT, new_id(), minute=1, name="A")
    index.take(edit(index, user, ACCOUNT, new_id(), name="B"))
    tell(index, "opened", context=himself, type="account", id=new_id(), q="secret")
    assert kept(index, user=user) == 2 and kept(index, "recent_searches", user) == 1
    index.take(event(index.suite.tenant, USER, {"id": user, "deleted_at": instant(BEGIN)}, version=3, verb="deleted"))
    index.take(late)
    tell(index, "opened", context=himself, type="account", id=new_id(), q="secret")
    assert kept(index, user=user) == kept(index, "recent_searches", user) == 0


def test_finished_searches_are_remembered_once_and_typed_ones_are_not(index):
    for typed in ("b", "be", "ber"):
        index.ask(typed)
    assert searches(index) == []
    tell(index, "finished", q="Berg ", types=["account"], filters={"city": "Bonn"})
    tell(index, "opened", type="account", id=new_id(), q="tal")
    tell(index, "finished", q=" BERG", types=["account"], filters={"city": "Bonn"})
    found = [(one["q"], one["types"], one["filters"]) for one in searches(index)]
    assert found == [("BERG", ["account"], {"city": "Bonn"}), ("tal", None, {})]
    assert searches(index, index.suite.context(user_id=new_id())) == []


def test_fifty_searches_are_kept_and_all_can_be_forgotten(index):
    for number in range(MOST_SEARCHES + 5):
        tell(index, "finished", q=f"berg {number}")
    found = [one["q"] for one in searches(index)]
    assert len(found) == MOST_SEARCHES and found[0] == f"berg {MOST_SEARCHES + 4}"
    tell(index, "opened", type="account", id=new_id())
    assert tell(index, "clear") == 204
    assert searches(index) == [] and kept(index) == 0


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("opened", {"type": "unicorn", "id": new_id()}, "type"),
        ("opened", {"id": new_id()}, "type"),
        ("opened", {"type": "account", "id": new_id(), "q": 7}, "q"),
        ("finished", {}, "q"),
        ("finished", {"q": "  "}, "q"),
        ("finished", {"q": "a", "filters": {"colour": "red"}}, "filters.colour"),
    ],
)
def test_what_is_told_must_make_sense(index, method, params, field):
    with pytest.raises(Problem) as refused:
        tell(index, method, **params)
    assert (refused.value.status, [one["field"] for one in refused.value.errors]) == (422, [field])


# --- before anything is typed


def glance(index, **options):
    return [item["title"] for item in index.ask("", **options)["items"]]


def test_before_anything_is_typed_what_is_recent_comes_first_and_then_ones_own(index):
    user = index.suite.user_id
    index.put(ACCOUNT, name="Of mine, older", owner_id=user)
    index.put(ORDER, number="Of mine", owner_id=user, status="draft")
    index.put(ACCOUNT, name="Of others", owner_id=new_id())
    opened = index.put(ACCOUNT, name="Opened")
    tell(index, "opened", type="account", id=opened)
    assert glance(index) == ["Opened", "Of mine", "Of mine, older"]
    assert glance(index, types=["account"]) == ["Opened", "Of mine, older"]
    assert glance(index, filters={"status": "draft"}) == ["Of mine"]
    assert glance(index, filters={"owner_id": user}, limit=1) == ["Of mine"]
    body = index.ask("", facets=["status"])
    assert (body["facets"], body["next"], body["exact"]) == ({"account": 2, "order": 1}, None, True)
    assert body["by_field"] == {"status": [{"value": "draft", "count": 1}]}


def test_a_glance_shows_nothing_that_may_not_be_read(index):
    foreign = index.put(ACCOUNT, name="Foreign", owner_id=new_id())
    gone = index.put(ACCOUNT, name="Gone")
    index.put(CONTACT, name="Mine", owner_id=index.suite.user_id, title="Secret")
    for one in (foreign, gone):
        tell(index, "opened", type="account", id=one)
    index.take(
        event(index.suite.tenant, ACCOUNT, {"id": gone, "deleted_at": instant(BEGIN)}, version=2, verb="deleted")
    )
    assert glance(index) == ["Foreign", "Mine"]
    reader = index.suite.context(grants={"*": {"read": "own"}}, masks={CONTACT: {"hidden": ["title"]}})
    body = index.ask("", context=reader)
    assert [item["title"] for item in body["items"]] == ["Mine"]
    assert "Secret" not in str(body) and body["facets"] == {"contact": 1}
    assert glance(index, context=index.suite.context(grants={})) == []
