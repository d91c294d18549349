"""What a list answers beside records: counts, chosen fields, expanded references, deleted ones, and sums."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.tests.given import names, refused

ACCOUNT, CONTACT = "customer.account", "customer.contact"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    suite = suite_of("customer")
    for name, kind, limit in (
        ("Alpha", "customer", ("10.50", "EUR")),
        ("Beta", "customer", ("20.25", "EUR")),
        ("Gamma", "customer", ("1000", "JPY")),
        ("Delta", "partner", ("5.00", "EUR")),
        ("Omega", "partner", None),
    ):
        money = limit and {"amount": limit[0], "currency": limit[1]}
        suite.create(ACCOUNT, {"name": name, "kind": kind, "credit_limit": money, "payment_days": len(name)})
    return suite


def _list(suite: Any, record: str = ACCOUNT, **query: Any) -> Any:
    return suite.call("customer", "record.list", {"record": record, "query": query})


def test_a_count_is_given_only_when_asked_for_and_does_not_depend_on_the_page(suite: Any) -> None:
    assert "count" not in _list(suite)
    body = _list(suite, count="exact", limit=2, where=[["kind", "eq", "customer"]])
    assert (len(body["items"]), body["count"]) == (2, 3)


def test_chosen_fields_come_with_id_and_version_and_nothing_else(suite: Any) -> None:
    [item, *_] = _list(suite, fields=["name"], sort="name")["items"]
    assert set(item) == {"id", "version", "name"}
    one = suite.call("customer", "record.get", {"record": ACCOUNT, "id": item["id"], "fields": ["kind"]})
    assert set(one) == {"id", "version", "kind"}
    with refused(400, "unknown_parameter", "shoe_size"):
        _list(suite, fields=["shoe_size"], where=[["name", "eq", "nobody"]])


def test_a_reference_is_expanded_beside_its_id_even_if_only_other_fields_were_chosen(suite: Any) -> None:
    [account] = suite.list(ACCOUNT, ("name", "eq", "alpha"))
    suite.create(CONTACT, {"name": "Ann", "account_id": account["id"]})
    suite.create(CONTACT, {"name": "Bob"})
    ann, bob = _list(suite, CONTACT, expand=["account"], sort="name")["items"]
    assert (ann["account"]["name"], ann["account_id"]) == ("Alpha", account["id"])
    assert bob["account"] is None
    ann, _ = _list(suite, CONTACT, expand=["account"], fields=["name"], sort="name")["items"]
    assert set(ann) == {"id", "version", "name", "account"}
    assert ann["account"]["name"] == "Alpha"
    with refused(400, "unknown_parameter", "expand"):
        _list(suite, CONTACT, expand=["name"])


def test_an_expanded_record_is_null_for_who_may_not_read_it_and_once_deleted_only_a_name(suite: Any) -> None:
    [account] = suite.list(ACCOUNT, ("name", "eq", "alpha"))
    suite.create(CONTACT, {"name": "Ann", "account_id": account["id"]})
    reader = suite.context(grants={CONTACT: {"read": "all"}})
    [ann] = suite.list(CONTACT, expand=["account"], context=reader)
    assert ann["account"] is None
    with suite.work("customer") as work:
        accounts = suite.runtime("customer").stores[ACCOUNT]
        accounts.remove(work, accounts.find(work, account["id"]))
    [ann] = suite.list(CONTACT, expand=["account"])
    assert ann["account"] == {"id": account["id"], "name": "Alpha", "deleted": True}
    [ann] = suite.list(CONTACT, expand=["account"], context=reader)
    assert ann["account"] is None


def test_deleted_records_are_shown_alone_or_with_the_others_on_request(suite: Any) -> None:
    [beta] = suite.list(ACCOUNT, ("name", "eq", "beta"))
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": beta["id"]})
    assert "Beta" not in names(suite.list(ACCOUNT))
    assert names(suite.list(ACCOUNT, deleted="only")) == ["Beta"]
    assert sorted(names(suite.list(ACCOUNT, deleted="include"))) == ["Alpha", "Beta", "Delta", "Gamma", "Omega"]


def _aggregate(suite: Any, **params: Any) -> Any:
    return suite.call("customer", "record.aggregate", {"record": ACCOUNT, **params})["items"]


def test_records_are_counted_by_group(suite: Any) -> None:
    assert _aggregate(suite) == [{"group": {}, "measures": {"count": 5}}]
    assert _aggregate(suite, group_by=["kind"]) == [
        {"group": {"kind": "customer"}, "measures": {"count": 3}},
        {"group": {"kind": "partner"}, "measures": {"count": 2}},
    ]
    assert _aggregate(suite, where=[["name", "starts", "a"]])[0]["measures"]["count"] == 1


def test_money_is_summed_by_currency_and_never_across(suite: Any) -> None:
    measures = [{"fn": "sum", "field": "credit_limit"}, {"fn": "max", "field": "credit_limit"}, {"fn": "count"}]
    items = _aggregate(
        suite, group_by=["kind"], measures=measures, filter={"field": "credit_limit", "op": "gt", "value": "0"}
    )
    assert [(tuple(item["group"].values()), tuple(item["measures"].values())) for item in items] == [
        (("customer", "EUR"), ("30.75", "20.25", 2)),
        (("customer", "JPY"), ("1000", "1000", 1)),
        (("partner", "EUR"), ("5.00", "5.00", 1)),
    ]


def test_whole_numbers_and_texts_are_measured(suite: Any) -> None:
    measures = [{"fn": fn, "field": "payment_days"} for fn in ("sum", "min", "max")] + [{"fn": "min", "field": "name"}]
    [item] = _aggregate(suite, measures=measures, where=[["kind", "eq", "partner"]])
    assert item["measures"] == {
        "sum_payment_days": "10",
        "min_payment_days": 5,
        "max_payment_days": 5,
        "min_name": "Delta",
    }
    [item] = _aggregate(
        suite, measures=[{"fn": "avg", "field": "payment_days"}, {"fn": "count", "field": "credit_limit"}]
    )
    assert item["measures"]["count_credit_limit"] == 4
    assert float(item["measures"]["avg_payment_days"]) == 4.8


def test_groups_are_ordered_and_cut_as_asked(suite: Any) -> None:
    ask = {"group_by": ["kind", "source"], "measures": [{"fn": "count"}, {"fn": "sum", "field": "payment_days"}]}
    assert [one["group"]["kind"] for one in _aggregate(suite, **ask, order=["-count"])] == ["customer", "partner"]
    assert [one["group"]["kind"] for one in _aggregate(suite, **ask, order=["sum_payment_days"])] == [
        "partner",
        "customer",
    ]
    params = {"record": ACCOUNT, **ask, "order": ["-kind"], "limit": 1}
    answer = suite.call("customer", "record.aggregate", params)
    assert answer["more"] is True
    assert answer["items"] == [
        {"group": {"kind": "partner", "source": None}, "measures": {"count": 2, "sum_payment_days": "10"}}
    ]
    assert suite.call("customer", "record.aggregate", {"record": ACCOUNT, **ask})["more"] is False


def test_instants_fall_into_buckets_of_utc(suite: Any) -> None:
    today = suite.clock.now().date()
    [item] = _aggregate(suite, group_by=["created_at:month"])
    assert item["group"] == {"created_at:month": today.replace(day=1).isoformat()}


@pytest.mark.parametrize(
    "params",
    [
        {"group_by": ["shoe_size"]},
        {"group_by": ["address"]},
        {"group_by": ["credit_limit"]},
        {"group_by": ["currencies"]},
        {"order": ["-sum_payment_days"]},
        {"group_by": ["kind"], "order": ["name"]},
        {"limit": 0},
        {"limit": 1001},
        {"group_by": ["name:month"]},
        {"group_by": ["created_at:minute"]},
        {"measures": [{"fn": "median", "field": "payment_days"}]},
        {"measures": [{"fn": ["sum"], "field": "payment_days"}]},
        {"measures": [{"fn": "sum", "field": "name"}]},
        {"measures": [{"fn": "sum", "field": "address"}]},
        {"measures": [{"fn": "max", "field": "person"}]},
        {"measures": [{"fn": "min", "field": "owner_id"}]},
        {"measures": [{"fn": "count", "field": "custom"}]},
        {"measures": [{"fn": "sum"}]},
        {"measures": [{"fn": "sum", "field": "payment_days", "sql": "1"}]},
        {"measures": ["count"]},
    ],
)
def test_what_cannot_be_computed_is_a_400(suite: Any, params: Any) -> None:
    with refused(400):
        _aggregate(suite, **params)
