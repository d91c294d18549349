import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from services.eventlog import feed as feeds
from services.eventlog.feed import understood
from services.eventlog.tests.helpers import deliver, event, feed, orders


@pytest.fixture
def suite(suite_of):
    return suite_of("eventlog")


def ids(page):
    return [item["id"] for item in page["items"]]


def walk(suite, limit, **options):
    """Every item from the beginning, as a subscriber pulls them; and how many pages that took."""
    items, after, pages = [], 0, 0
    while True:
        page = feed(suite, after, limit=limit, **options)
        pages += 1
        items += page["items"]
        assert len(page["items"]) <= limit
        if page["next"] == after:
            return items, pages
        assert page["next"] > after
        after = page["next"]


def test_an_empty_log_has_an_empty_feed(suite):
    assert feed(suite) == {"items": [], "next": 0}
    assert feed(suite, 7) == {"items": [], "next": 7}


def test_pages_follow_each_other_without_gap_or_repeat(suite):
    batch = orders(suite, 10)
    deliver(suite, *batch)
    items, _ = walk(suite, 3)
    assert [item["id"] for item in items] == [one["id"] for one in batch]


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (["sales.order.placed"], [0]),
        (["sales.order.*"], [0, 1]),
        (["sales.*"], [0, 1, 2]),
        (["customer.account.created", "sales.receivable.*"], [2, 3]),
        (["sales.order.placed", "sales.order.*"], [0, 1]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_types_choose_exactly_by_record_or_by_service(suite, types, wanted):
    kinds = ("sales.order.placed", "sales.order.confirmed", "sales.receivable.opened", "customer.account.created")
    made = [event(suite, kind) for kind in kinds]
    deliver(suite, *made)
    page = feed(suite, types=types)
    assert ids(page) == [made[index]["id"] for index in wanted]
    assert page["next"] == 4


@pytest.mark.parametrize(
    "params",
    [
        {"after": -1},
        {"after": "x"},
        {"after": 1.5},
        {"after": True},
        {"after": 2**63},
        {"limit": 0},
        {"limit": 501},
        {"types": "sales.*"},
        {"types": ["sales"]},
        {"types": ["*"]},
        {"types": ["sales.order"]},
        {"types": ["nobody.*"]},
        {"types": ["sales.ordre.placed"]},
        {"types": ["sales.order.placed'; --"]},
        {"types": [7]},
        {"types": ["sales.*"] * 51},
    ],
)
def test_a_question_that_cannot_be_understood_is_400(suite, params):
    with pytest.raises(Problem) as refused:
        suite.call("eventlog", "eventlog.feed", params)
    assert refused.value.status == 400


@given(st.text(alphabet="abc.*-é\n ", max_size=30))
def test_no_odd_text_is_taken_for_a_type(text):
    assert not understood(text)


def test_what_the_grants_do_not_cover_is_left_out_and_the_position_moves_on(suite):
    me, team = new_id(), new_id()
    made = [
        event(suite, "sales.order.placed", owner_id=me),
        event(suite, "sales.order.placed", owner_id=new_id(), team_id=team),
        event(suite, "sales.order.placed"),
        event(suite, "customer.account.created", owner_id=me),
        event(suite, "inventory.product.created"),
    ]
    deliver(suite, *made)

    def seen(grants):
        page = feed(suite, context=suite.context(user_id=me, teams=[team], grants=grants))
        assert page["next"] == 5
        return [made.index(one) for one in made if one["id"] in ids(page)]

    assert seen({"sales.order": {"read": "own"}}) == [0]
    assert seen({"sales.order": {"read": "team"}}) == [0, 1]
    assert seen({"sales.order": {"read": "all"}, "inventory.product": {"read": "all"}}) == [0, 1, 2, 4]
    assert seen({"*": {"read": "own"}, "sales.order": {"read": "none"}}) == [3]
    assert seen({"*": {"*": "all"}, "sales.order": {"read": "none"}}) == [3, 4]
    assert seen({"sales.order": {"create": "all"}}) == []
    assert seen({}) == []


def test_paging_walks_over_hidden_items(suite, monkeypatch):
    monkeypatch.setattr(feeds, "WINDOW", 5)
    me = new_id()
    batch = [one for _ in range(6) for one in (*orders(suite, 7), event(suite, "sales.order.placed", owner_id=me))]
    deliver(suite, *batch)
    context = suite.context(user_id=me, grants={"sales.order": {"read": "own"}})
    items, pages = walk(suite, 2, context=context)
    assert [item["position"] for item in items] == [8, 16, 24, 32, 40, 48]
    assert pages > 6
    assert feed(suite, context=context) == {"items": [], "next": 5}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["mine", "team", "other", "account"]), max_size=25), st.integers(1, 7), st.data())
def test_every_walk_gives_exactly_what_is_covered_in_order(databases, kinds, limit, data):
    from chassis.testing import Suite

    suite = Suite(databases, ["eventlog"])
    me, team = new_id(), new_id()
    owners = {"mine": {"owner_id": me}, "team": {"team_id": team}, "other": {}, "account": {"owner_id": me}}
    made = [
        event(suite, "customer.account.created" if kind == "account" else "sales.order.placed", **owners[kind])
        for kind in kinds
    ]
    if made:
        deliver(suite, *made)
    scope = data.draw(st.sampled_from(["none", "own", "team", "all"]))
    visible = {"none": set(), "own": {"mine"}, "team": {"mine", "team"}, "all": {"mine", "team", "other"}}[scope]
    context = suite.context(user_id=me, teams=[team], grants={"sales.order": {"read": scope}})
    items, _ = walk(suite, limit, context=context)
    assert [item["id"] for item in items] == [
        one["id"] for one, kind in zip(made, kinds, strict=True) if kind in visible
    ]


def test_masked_fields_are_nowhere_in_an_event(suite):
    deliver(
        suite,
        event(
            suite,
            "customer.contact.updated",
            name="Ana",
            email="ana@example.com",
            notes="Likes tea",
            version=2,
            changed=["email", "notes", "name"],
            previous={"email": "old@example.com", "notes": "Likes coffee", "name": "Anna"},
        ),
    )
    masks = {"customer.contact": {"hidden": ["email", "notes"]}}
    (item,) = feed(suite, context=suite.context(masks=masks))["items"]
    assert item["data"]["name"] == "Ana"
    assert item["data"]["changed"] == ["name"]
    assert item["data"]["previous"] == {"name": "Anna"}
    assert "example.com" not in str(item)
    assert "Likes" not in str(item)


def test_a_filter_on_rare_events_reads_a_range_of_the_index(suite):
    deliver(suite, *orders(suite, 300), event(suite, "inventory.product.created"))
    context = suite.context()
    selection = feeds.Selection.of(context, ["inventory.product.*"])
    statement, values = feeds._select(context, selection, 0, 301, 100)
    with suite.work("eventlog") as work:
        work.sql("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in work.sql("EXPLAIN " + statement, values))
    assert "ix_events_record" in plan
    assert "Seq Scan" not in plan


def test_a_consumer_that_was_away_for_three_days_gets_every_event_once_and_each_records_versions_in_order(suite_of):
    suite = suite_of("customer", "eventlog")
    made = [suite.create("customer.account", {"name": name}) for name in ("A", "B")]
    suite.settle()
    heard = feed(suite)["next"]
    for day in range(3):
        for one in made:
            suite.update("customer.account", one["id"], {"notes": f"day {day}"})
        suite.settle()
        suite.clock.forward(days=1)
        for runtime in suite.bus.runtimes.values():
            runtime.tidy()
    seen, after = [], heard
    while (page := feed(suite, after, limit=2))["next"] != after:
        seen += page["items"]
        after = page["next"]
    assert len({item["id"] for item in seen}) == len(seen) == 6
    for one in made:
        of_it = [item for item in seen if item["subject"] == f"account/{one['id']}"]
        assert [(item["version"], item["data"]["notes"]) for item in of_it] == [
            (2, "day 0"),
            (3, "day 1"),
            (4, "day 2"),
        ]
