"""Candidates for twins: keys follow every write, and the answer has who is alike, as far as the asker may see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
from sqlalchemy import event

from bench.dedupe import quality, sets
from chassis import likeness
from chassis.ids import new_id
from chassis.prepared import Session
from chassis.records import duplicates, writing
from chassis.tests.given import ids, refused, rows
from contracts import fields as f
from contracts.registry import registry

JSON = dict[str, Any]
ACCOUNT, CONTACT = "customer.account", "customer.contact"
DATA = Path(os.environ.get("GUANXI_SHARED_DATA", "/nowhere"))


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def account(suite: Any, name: str, **fields: Any) -> str:
    return str(suite.create(ACCOUNT, {"name": name, **fields})["id"])


def asked(suite: Any, record_id: str, record: str = ACCOUNT, **options: Any) -> JSON:
    limit = options.pop("limit", None)
    params = {"record": record, "id": record_id, "limit": limit}
    found: JSON = suite.call(record.split(".")[0], "record.duplicates", params, **options)
    return found


def twins(suite: Any, record_id: str, record: str = ACCOUNT, **options: Any) -> list[str]:
    return ids([item["record"] for item in asked(suite, record_id, record, **options)["items"]])


def kept(suite: Any, record_id: str) -> set[tuple[str, str]]:
    statement = "SELECT kind, key FROM duplicate_keys WHERE tenant_id = %s AND id = %s"
    return {tuple(row) for row in rows(suite, "customer", statement, record_id)}


def right(suite: Any, record_id: str) -> set[tuple[str, str]]:
    """What the table must hold of a record: asserted, and given back."""
    with suite.work("customer") as work:
        entity = suite.runtime("customer").stores[ACCOUNT].find(work, record_id, deleted=True)
    found = kept(suite, record_id)
    assert found == duplicates.keys_of(registry.records[ACCOUNT], entity.wire())
    return found


@contextmanager
def statements(suite: Any) -> Iterator[list[str]]:
    """What goes to the database within, one entry for each round trip, written out as if nothing were prepared."""
    engine, sent = suite.runtime("customer").database.app, []

    class Cursor(psycopg2.extensions.cursor):  # type: ignore[misc]
        def execute(self, statement: str, parameters: Any = None) -> None:
            sent.append(statement)
            super().execute(statement, parameters)

    def out(connection: Any, *others: Any) -> None:
        connection.cursor_factory = Cursor

    def back(connection: Any, *others: Any) -> None:
        connection.cursor_factory = psycopg2.extensions.cursor

    event.listen(engine, "checkout", out)
    event.listen(engine, "checkin", back, insert=True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Session, "form", lambda session, *given: given)
            yield sent
    finally:
        event.remove(engine, "checkout", out)
        event.remove(engine, "checkin", back)


def test_what_is_compared_has_a_kind_that_there_is_and_only_what_merges_says_so() -> None:
    for record in registry.records.values():
        assert bool(record.likeness) == ("merge" in record.operations)
        for name, (kind, weight) in record.likeness.items():
            assert kind in likeness.NORMAL and weight > 0
            assert isinstance(record.declared()[name], f.Text | f.Email | f.Embedded | f.Date | f.Code), name


def test_keys_follow_every_write(suite: Any) -> None:
    first = account(suite, "Alfreds Futterkiste GmbH", phone="+49 30 0074321", email="info@alfreds.example")
    assert right(suite, first) >= {("phone", "0074321"), ("email", "info@alfreds.example"), ("company", "alfr")}
    suite.update(ACCOUNT, first, {"name": "Bottom-Dollar Markets", "phone": None})
    found = right(suite, first)
    assert ("company", "doll") in found and ("company", "alfr") not in found
    assert not [key for key in found if key[0] == "phone"]
    params = {"record": ACCOUNT, "id": first}
    suite.call("customer", "record.delete", params)
    assert right(suite, first) == set()
    suite.call("customer", "record.restore", params)
    assert right(suite, first) == found
    second = account(suite, "Bottom Dollar Markets Ltd.")
    assert right(suite, second)
    suite.call("customer", "record.merge", {**params, "data": {"losers": [second]}})
    assert (right(suite, second), right(suite, first)) == (set(), found)


def test_a_write_that_did_not_happen_left_no_keys(suite: Any) -> None:
    items = [{"data": {"name": "Alfreds Futterkiste"}}, {"data": {"name": "Alfreds", "kind": "unheard of"}}]
    body = suite.call("customer", "record.bulk", {"record": ACCOUNT, "items": items, "atomic": False})
    assert [item["status"] for item in body["items"]] == [201, 422]
    with refused(422):
        suite.call("customer", "record.bulk", {"record": ACCOUNT, "items": items, "atomic": True})
    found = rows(suite, "customer", "SELECT DISTINCT id FROM duplicate_keys WHERE tenant_id = %s")
    assert [row.id for row in found] == [body["items"][0]["id"]]


def test_keys_cost_no_round_trip_and_one_statement_for_a_batch(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def writes() -> list[list[str]]:
        with statements(suite) as create:
            made = suite.create(ACCOUNT, {"name": "Alfreds", "phone": "030 0074321"})["id"]
        with statements(suite) as update:
            suite.update(ACCOUNT, made, {"name": "Berglunds"})
        return [create, update]

    writes()
    with_keys = writes()
    assert [sum(text.count("duplicate_keys") for text in sent) for sent in with_keys] == [1, 2]
    with statements(suite) as sent:
        suite.update(ACCOUNT, account(suite, "Alfreds"), {"industry": "Food"})
        suite.create("customer.group", {"name": "Alfreds"})
    assert sum(text.count("duplicate_keys") for text in sent) == 1
    accounts = suite.runtime("customer").stores[ACCOUNT]
    with statements(suite) as batch, suite.work("customer") as work:
        writing.create_all(work, accounts, [(new_id(), accounts.load({"name": f"Firm {n}"})) for n in range(500)])
    assert sum(text.count("duplicate_keys") for text in batch) == 1
    monkeypatch.setattr(registry.records[ACCOUNT], "likeness", {})
    assert [len(sent) for sent in writes()] == [len(sent) for sent in with_keys]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller GmbH", "Mueller"),
        ("Müller & Söhne GmbH & Co. KG", "MULLER UND SOHNE"),
        ("Alfreds Futterkiste", "Alfreds Futerkiste AG"),
        ("上海通力有限公司", "上海通力股份有限公司"),
        ("華為技術有限公司", "华为技术"),
    ],
)
def test_firms_are_found_whatever_their_legal_form_spelling_and_script(suite: Any, one: str, other: str) -> None:
    first, second = account(suite, one), account(suite, other)
    account(suite, "Berglunds snabbköp")
    account(suite, "北京大方贸易有限公司")
    assert (twins(suite, first), twins(suite, second)) == ([second], [first])


def test_the_answer_says_what_speaks_for_a_twin_and_the_parts_are_the_score(suite: Any) -> None:
    first = account(suite, "Alfreds Futterkiste GmbH", phone="+49 30 0074321", website="https://www.alfreds.example/x")
    second = account(suite, "Alfreds Futerkiste", phone="030/0074321", website="alfreds.example", industry="Food")
    third = account(suite, "Alfreds Futterkisten")
    body = asked(suite, first)
    assert ids([item["record"] for item in body["items"]]) == [second, third]
    assert body["skipped"] == []
    item = body["items"][0]
    assert item["record"] == suite.get(ACCOUNT, second)
    assert {reason["field"]: reason["reason"] for reason in item["reasons"]} == {
        "name": "alike",
        "phone": "same",
        "website": "same",
    }
    (phone,) = (reason for reason in item["reasons"] if reason["field"] == "phone")
    assert (phone["mine"], phone["theirs"]) == ("+49 30 0074321", "030/0074321")
    assert sum(reason["weight"] for reason in item["reasons"]) == pytest.approx(item["score"], abs=0.005)
    assert [one["score"] for one in body["items"]] == sorted((one["score"] for one in body["items"]), reverse=True)
    assert twins(suite, first, limit=1) == [second]
    for limit in (0, 51, "1", True):
        with refused(400, "bad_parameter", "limit"):
            asked(suite, first, limit=limit)


def test_people_are_found_by_name_in_any_order_and_by_mail(suite: Any) -> None:
    made = [
        suite.create(CONTACT, data)["id"]
        for data in (
            {"name": "Maria Anders", "email": "maria@alfreds.example"},
            {"name": "Anders, Maria", "phone": "030 0074321"},
            {"name": "M. Anders", "email": "maria+news@alfreds.example"},
            {"name": "Thomas Hardy", "email": "thomas@alfreds.example"},
        )
    ]
    assert set(twins(suite, made[0], CONTACT)) == {made[1], made[2]}
    assert twins(suite, made[3], CONTACT) == []


@pytest.mark.parametrize(
    ("record", "one", "twin", "other"),
    [
        (
            "inventory.product",
            {"name": "Sony Turntable PSLX350H", "sku": "A-1"},
            {"name": "Sony PSLX350H Belt Drive Turntable", "sku": "B-7"},
            {"name": "Sony Turntable PSLX300H", "sku": "A-2"},
        ),
        (
            "marketing.lead",
            {"name": "Maria Anders", "company": "Alfreds GmbH", "email": "maria@alfreds.example"},
            {"name": "Anders, M.", "company": "Alfreds", "phone": "030 0074321"},
            {"name": "Thomas Hardy", "company": "Alfreds GmbH", "email": "thomas@alfreds.example"},
        ),
    ],
)
def test_products_and_leads_are_found_as_well(suite_of: Any, record: str, one: JSON, twin: JSON, other: JSON) -> None:
    suite = suite_of(record.split(".")[0])
    first, second, _ = (str(suite.create(record, data)["id"]) for data in (one, twin, other))
    assert twins(suite, first, record) == [second]


def test_deleted_and_merged_records_and_those_of_other_tenants_are_no_candidates(suite: Any) -> None:
    first, second, third = (account(suite, "Alfreds Futterkiste") for _ in range(3))
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": second})
    assert twins(suite, first) == [third]
    suite.call("customer", "record.merge", {"record": ACCOUNT, "id": first, "data": {"losers": [third]}})
    assert twins(suite, first) == []
    elsewhere = suite.context(tenant=new_id())
    other = str(suite.create(ACCOUNT, {"name": "Alfreds Futterkiste"}, context=elsewhere)["id"])
    assert twins(suite, other, context=elsewhere) == []
    for gone, status in ((second, 404), (third, 308), (other, 404), (new_id(), 404)):
        with refused(status):
            asked(suite, gone)


def test_who_may_not_read_a_record_neither_asks_about_it_nor_finds_it(suite: Any) -> None:
    user, team = new_id(), new_id()
    with suite.work("customer") as work:
        work.sql(
            "INSERT INTO copies (tenant_id, record, id, version, deleted, data)"
            " VALUES (%s, 'identity.team', %s, 1, false, '{}')",
            (work.tenant, team),
        )
    foreign = account(suite, "Alfreds Futterkiste")
    first, shared = (
        suite.create(ACCOUNT, {"name": "Alfreds Futterkiste"}, context=suite.context(user_id=one, teams=teams))["id"]
        for one, teams in ((user, []), (new_id(), [team]))
    )
    for reach, found in (("own", []), ("team", [shared]), ("all", [foreign, shared])):
        context = suite.context(grants={ACCOUNT: {"read": reach}}, user_id=user, teams=[team])
        assert sorted(twins(suite, first, context=context)) == sorted(found)
    with refused(404):
        asked(suite, foreign, context=suite.context(grants={ACCOUNT: {"read": "own"}}, user_id=user))


def test_a_hidden_field_is_neither_compared_nor_shown(suite: Any) -> None:
    first = account(suite, "Alfreds Futterkiste", phone="030 0074321", email="info@alfreds.example")
    second = account(suite, "Alfreds Futterkiste", phone="030 0074321")
    third = account(suite, "上海通力有限公司", email="info@alfreds.example")
    assert twins(suite, first) == [second]
    masked = suite.context(masks={ACCOUNT: {"hidden": ["phone"]}})
    (item,) = asked(suite, first, context=masked)["items"]
    assert item["record"]["id"] == second and "phone" not in item["record"]
    assert [reason["field"] for reason in item["reasons"]] == ["name"]
    masked = suite.context(masks={ACCOUNT: {"hidden": ["name"]}})
    body = asked(suite, first, context=masked)
    assert {one["record"]["id"] for one in body["items"]} == {second, third}
    assert "Futterkiste" not in str(body)


def test_keys_that_too_many_have_are_skipped_and_said(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_OF_A_KEY", 3)
    many = [account(suite, "Alfreds", phone=f"030 55500{n}0") for n in range(4)]
    twin = account(suite, "Alfreds", phone="030 5550000")
    body = asked(suite, many[0])
    assert ids([item["record"] for item in body["items"]]) == [twin]
    assert body["skipped"] == ["company:*reds", "company:alfr"]


def test_of_many_candidates_those_with_rare_keys_in_common_are_compared(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MOST_CANDIDATES", 1)
    first = account(suite, "Alfreds", email="info@alfreds.example")
    for _ in range(3):
        account(suite, "Alfreds")
    twin = account(suite, "Alfreds", email="info@alfreds.example")
    assert twins(suite, first) == [twin]


def test_a_key_is_looked_up_by_a_range_of_the_index(suite: Any) -> None:
    accounts = suite.runtime("customer").stores[ACCOUNT]
    with suite.work("customer") as work:
        writing.create_all(work, accounts, [(new_id(), accounts.load({"name": f"Firm{n:04}"})) for n in range(500)])
    with suite.work("customer") as work:
        statement = (
            f"EXPLAIN SELECT * FROM unnest(%s::text[], %s::text[]) AS mine (kind, key), LATERAL ({duplicates.OF_A_KEY})"
        )
        found = work.sql(statement + " AS others", (["company"], ["firm"], work.tenant, ACCOUNT, 500))
        plan = "\n".join(row[0] for row in found)
    (condition,) = (line for line in plan.splitlines() if "Index Cond" in line)
    assert all(f"{column} = " in condition for column in ("tenant_id", "record", "kind", "key")), plan


def test_a_text_of_many_words_has_a_bounded_number_of_keys() -> None:
    long = " ".join(f"word{n}x" for n in range(2000))
    assert len(duplicates.keys_of(registry.records[ACCOUNT], {"name": long})) == duplicates.MOST_KEYS_OF_A_FIELD


def test_the_restaurants_are_told_apart(suite: Any) -> None:
    """The labelled set as accounts of one tenant: for each record of the one list, its twins in the other."""
    restaurants = next((one for one in sets(DATA) if one.name == "restaurants"), None) if DATA.is_dir() else None
    if restaurants is None:
        pytest.skip(f"NOT MEASURED: there is no dedupe-restaurants in {DATA} (GUANXI_SHARED_DATA)")
    accounts = suite.runtime("customer").stores[ACCOUNT]
    known = {new_id(): name for name in restaurants.records}
    items = [
        (
            record_id,
            accounts.load(
                {
                    "name": row["name"],
                    "phone": row["phone"],
                    "address": {"street": row["addr"], "city": row["city"]},
                }
            ),
        )
        for record_id, row in ((record_id, restaurants.records[name]) for record_id, name in known.items())
    ]
    with suite.work("customer") as work:
        for start in range(0, len(items), 500):
            writing.create_all(work, accounts, items[start : start + 500])
    scored: dict[tuple[str, str], float] = {}
    with suite.runtime("customer").database.reading(suite.context()) as work:
        for record_id, name in known.items():
            if name.startswith("f"):
                for item in duplicates.find(work, accounts, record_id, 50)["items"]:
                    other = known[item["record"]["id"]]
                    if other.startswith("z"):
                        scored[name, other] = item["score"]
    precision, recall, f1 = quality(restaurants.truth, scored, likeness.THRESHOLD)
    assert f1 >= 0.93, (precision, recall)
