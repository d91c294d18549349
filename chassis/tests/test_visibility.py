"""Who sees what: own, team or all; masks; and lists that show exactly what can be read one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import new_id
from chassis.permissions import covers, hidden, mask, read_only, scope
from chassis.tests.given import PROPERTY, ids, pages, refused

ACCOUNT = "customer.account"
USERS = [new_id() for _ in range(3)]
TEAMS = [new_id() for _ in range(3)]
ALL = {ACCOUNT: {"*": "all"}}


def _grant(read: str, **more: str) -> dict[str, dict[str, str]]:
    return {ACCOUNT: {"read": read, **more}}


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ({}, "none"),
        ({"*": {"*": "all"}}, "all"),
        ({"*": {"read": "team", "*": "all"}}, "team"),
        ({ACCOUNT: {"*": "own"}, "*": {"*": "all"}}, "own"),
        ({ACCOUNT: {"*": "own"}, "*": {"read": "all"}}, "own"),
        ({ACCOUNT: {"read": "team", "*": "own"}}, "team"),
        ({ACCOUNT: {"update": "all"}, "*": {"read": "own"}}, "own"),
        ({ACCOUNT: {"update": "all"}}, "none"),
        ({ACCOUNT: {"read": "none", "*": "all"}, "*": {"*": "all"}}, "none"),
        ({ACCOUNT: {"read": "everything"}}, "none"),
        ({ACCOUNT: {}, "*": {"*": "team"}}, "team"),
        ({"customer.contact": {"*": "all"}}, "none"),
    ],
)
def test_the_most_exact_grant_counts(suite_of: Any, grants: Any, expected: str) -> None:
    assert scope(suite_of("customer").context(grants=grants), ACCOUNT, "read") == expected


@pytest.mark.parametrize(
    ("granted", "owner", "team", "reached"),
    [
        ("all", None, None, True),
        ("none", USERS[0], TEAMS[0], False),
        ("own", USERS[0], None, True),
        ("own", USERS[1], TEAMS[0], False),
        ("own", None, TEAMS[0], False),
        ("team", USERS[0], None, True),
        ("team", USERS[1], TEAMS[0], True),
        ("team", None, TEAMS[0], True),
        ("team", USERS[1], TEAMS[1], False),
        ("team", None, None, False),
    ],
)
def test_a_scope_reaches_by_owner_and_team(
    suite_of: Any, granted: str, owner: str | None, team: str | None, reached: bool
) -> None:
    context = suite_of("customer").context(user_id=USERS[0], teams=[TEAMS[0]])
    assert covers(context, granted, owner, team) is reached


def test_masks_of_every_record_and_of_one_add_up(suite_of: Any) -> None:
    masks = {"*": {"hidden": ["custom"]}, ACCOUNT: {"hidden": ["phone"], "read_only": ["name"]}}
    context = suite_of("customer").context(masks=masks)
    assert hidden(context, ACCOUNT) == {"custom", "phone"}
    assert read_only(context, ACCOUNT) == {"custom", "phone", "name"}
    assert mask(context, ACCOUNT, {"name": 1, "phone": 2, "custom": 3}) == {"name": 1}


@PROPERTY
@given(
    owned=st.lists(st.tuples(st.sampled_from([None, *USERS]), st.sampled_from([None, *TEAMS])), max_size=8),
    granted=st.sampled_from(["none", "own", "team", "all"]),
    user=st.sampled_from([None, *USERS]),
    teams=st.lists(st.sampled_from(TEAMS), max_size=3),
    limit=st.integers(1, 3),
)
def test_a_list_is_the_set_of_records_that_can_be_read_one_by_one(
    suite_of: Any, owned: Any, granted: str, user: str | None, teams: list[str], limit: int
) -> None:
    suite = suite_of("customer")
    accounts = suite.runtime("customer").stores[ACCOUNT]
    with suite.work("customer", suite.runtime("customer").principal(suite.tenant, "event:test")) as work:
        made = [
            accounts.make(name=f"A{index % 3}", owner_id=owner, team_id=team)
            for index, (owner, team) in enumerate(owned)
        ]
        _copies_of_people(work)
        accounts.add_all(work, made)
    somebody = _somebody(suite, user, teams, granted)
    readable = {one.id for one in made if _can_read(suite, one.id, somebody)}
    for sort in ("-created_at", "name"):
        listed = ids(pages(suite, ACCOUNT, limit, sort=sort, context=somebody))
        assert sorted(listed) == sorted(readable)
    body = suite.call("customer", "record.list", {"record": ACCOUNT, "query": {"count": "exact"}}, context=somebody)
    assert body["count"] == len(readable)
    counted = suite.call("customer", "record.aggregate", {"record": ACCOUNT}, context=somebody)
    assert sum(item["measures"]["count"] for item in counted["items"]) == len(readable)


def _somebody(suite: Any, user: str | None, teams: list[str], granted: str) -> Any:
    from dataclasses import replace

    return replace(suite.context(grants=_grant(granted), teams=teams), user_id=user)


def _copies_of_people(work: Any) -> None:
    for record, known in (("identity.user", USERS), ("identity.team", TEAMS)):
        for one in known:
            work.sql(
                "INSERT INTO copies (tenant_id, record, id, version, deleted, data)"
                " VALUES (%s, %s, %s, 1, false, '{}')",
                (work.tenant, record, one),
            )


def _can_read(suite: Any, record_id: str, context: Any) -> bool:
    request = {
        "method": "record.get",
        "context": suite.signer.sign(context),
        "params": {"record": ACCOUNT, "id": record_id},
    }
    reply = suite.bus.call("customer", request, timeout=5)
    assert "ok" in reply or reply["error"]["status"] == 404
    return "ok" in reply


def test_what_may_not_be_read_is_not_found_and_what_may_not_be_changed_is_forbidden(suite_of: Any) -> None:
    suite = suite_of("customer")
    made = suite.create(ACCOUNT, {"name": "Alpha"})
    stranger = suite.context(user_id=USERS[1], grants=_grant("own", update="all"))
    reader = suite.context(user_id=USERS[1], grants=_grant("all", update="own"))
    for attempt in (
        lambda who: suite.update(ACCOUNT, made["id"], {"name": "Beta"}, context=who),
        lambda who: suite.call("customer", "record.delete", {"record": ACCOUNT, "id": made["id"]}, context=who),
        lambda who: suite.run(ACCOUNT, made["id"], "release", context=who),
    ):
        with refused(404, "not_found"):
            attempt(stranger)
        with refused(403, "forbidden"):
            attempt(reader)
    assert suite.get(ACCOUNT, made["id"])["version"] == 1
    for method in ("record.history", "record.saga"):
        with refused(404, "not_found"):
            suite.call("customer", method, {"record": ACCOUNT, "id": made["id"]}, context=stranger)


def test_without_the_grant_to_create_nothing_is_created(suite_of: Any) -> None:
    suite = suite_of("customer")
    with refused(403, "forbidden"):
        suite.create(ACCOUNT, {"name": "Alpha"}, context=suite.context(grants=_grant("all")))
    assert suite.list(ACCOUNT) == []


def test_who_may_write_own_records_cannot_make_or_give_away_those_of_others(suite_of: Any) -> None:
    suite = suite_of("customer")
    own = suite.context(user_id=USERS[0], grants=_grant("own", create="own", update="own"))
    with suite.work("customer") as work:
        _copies_of_people(work)
    with refused(403, "forbidden"):
        suite.create(ACCOUNT, {"name": "Alpha", "owner_id": USERS[1]}, context=own)
    made = suite.create(ACCOUNT, {"name": "Alpha"}, context=own)
    assert made["owner_id"] == USERS[0]
    with refused(403, "forbidden"):
        suite.update(ACCOUNT, made["id"], {"owner_id": USERS[1]}, context=own)
    assert suite.get(ACCOUNT, made["id"])["owner_id"] == USERS[0]


def test_activities_of_others_are_invisible_by_every_way_of_listing(suite_of: Any) -> None:
    """twenty#15780: everybody saw everybody's mail."""
    suite, activity = suite_of("customer"), "customer.activity"
    account = suite.create(ACCOUNT, {"name": "Alpha"})
    call = {"kind": "call", "account_id": account["id"]}
    secret = suite.create(activity, {"subject": "Secret talks", **call}, context=suite.context(user_id=USERS[0]))
    suite.create(activity, {"subject": "My own", **call}, context=suite.context(user_id=USERS[1]))
    reader = suite.context(user_id=USERS[1], grants={activity: {"read": "own"}, ACCOUNT: {"read": "all"}})
    for query in (
        {},
        {"where": [["subject", "contains", "s"]]},
        {"where": [["account.name", "eq", "alpha"]], "sort": "subject"},
        {"filter": {"not": {"field": "subject", "value": "my own"}}},
        {"where": [["id", "eq", secret["id"]]], "deleted": "include"},
        {"where": [["owner_id", "eq", USERS[0]]], "expand": ["account"]},
        {"sort": "-subject,status", "count": "exact"},
        {"sort": "outcome", "count": "estimate"},
    ):
        body = suite.call("customer", "record.list", {"record": activity, "query": query}, context=reader)
        assert all(item["subject"] == "My own" for item in body["items"])
        assert body.get("count", 1) == 1
    groups = suite.call("customer", "record.aggregate", {"record": activity, "group_by": ["subject"]}, context=reader)
    assert [item["group"]["subject"] for item in groups["items"]] == ["My own"]


class TestHiddenFields:
    """A hidden field tells nothing, by any way round."""

    @pytest.fixture
    def suite(self, suite_of: Any) -> Any:
        suite = suite_of("customer")
        made = suite.create(
            ACCOUNT, {"name": "Alpha", "industry": "Steel", "credit_limit": {"amount": "5.00", "currency": "EUR"}}
        )
        suite.update(ACCOUNT, made["id"], {"industry": "Trade"})
        suite.masked = suite.context(masks={ACCOUNT: {"hidden": ["industry", "credit_limit"]}})
        suite.made = made["id"]
        return suite

    def test_are_in_no_output(self, suite: Any) -> None:
        written = suite.update(ACCOUNT, suite.made, {"name": "Beta"}, context=suite.masked)
        for shown in (
            suite.get(ACCOUNT, suite.made, context=suite.masked),
            suite.list(ACCOUNT, context=suite.masked)[0],
            suite.create(ACCOUNT, {"name": "Gamma"}, context=suite.masked),
            suite.run(ACCOUNT, suite.made, "release", context=suite.masked),
            written,
        ):
            assert "name" in shown
            assert "industry" not in shown
            assert "credit_limit" not in shown

    def test_are_neither_filtered_nor_sorted_nor_chosen(self, suite: Any) -> None:
        for query in (
            {"where": [["industry", "eq", "Trade"]]},
            {"filter": {"not": {"or": [{"field": "industry", "op": "empty"}]}}},
            {"sort": "credit_limit"},
            {"sort": "-industry"},
            {"fields": ["industry"]},
        ):
            with refused(400, "unknown_parameter"):
                suite.call("customer", "record.list", {"record": ACCOUNT, "query": query}, context=suite.masked)
        with refused(400, "unknown_parameter"):
            suite.call(
                "customer", "record.get", {"record": ACCOUNT, "id": suite.made, "fields": ["industry"]},
                context=suite.masked,
            )  # fmt: skip

    def test_are_not_aggregated(self, suite: Any) -> None:
        for params in (
            {"group_by": ["industry"]},
            {"measures": [{"fn": "sum", "field": "credit_limit"}]},
            {"where": [["credit_limit", "gt", "1"]]},
        ):
            with refused(400):
                suite.call("customer", "record.aggregate", {"record": ACCOUNT, **params}, context=suite.masked)

    def test_are_not_in_history_nor_in_the_past(self, suite: Any) -> None:
        history = suite.call("customer", "record.history", {"record": ACCOUNT, "id": suite.made}, context=suite.masked)
        assert "industry" not in {change["field"] for item in history["items"] for change in item["changes"]}
        now = suite.clock.now().isoformat()
        past = suite.call(
            "customer", "record.get", {"record": ACCOUNT, "id": suite.made, "as_of": now}, context=suite.masked
        )
        assert "industry" not in past

    def test_are_not_expanded(self, suite: Any) -> None:
        suite.create("customer.contact", {"name": "Ann", "account_id": suite.made})
        [contact] = suite.list("customer.contact", expand=["account"], context=suite.masked)
        assert contact["account"]["name"] == "Alpha"
        assert "industry" not in contact["account"]
        blind = suite.context(masks={"customer.contact": {"hidden": ["account_id"]}})
        with refused(400, "unknown_parameter"):
            suite.list("customer.contact", expand=["account"], context=blind)

    def test_are_not_written(self, suite: Any) -> None:
        with refused(422, "field_read_only", "industry"):
            suite.update(ACCOUNT, suite.made, {"industry": "Glass"}, context=suite.masked)
        with refused(422, "field_read_only", "industry"):
            suite.create(ACCOUNT, {"name": "Delta", "industry": "Glass"}, context=suite.masked)
