"""What the index keeps: the newest version of each record, once, whatever comes and in whatever order."""

from __future__ import annotations

from chassis import migrations
from chassis.bus.wire import encode
from chassis.ids import new_id
from services.search.tests.support import ACCOUNT, CONTACT, event

VERSIONS = ["Anton", "Berta", "Caesar", "Dora"]


def _rows(index, statement):
    with index.suite.work("search") as work:
        return [tuple(row) for row in work.sql(statement, (work.tenant,))]


def _everything(index):
    documents = (
        "SELECT record, id, version, deleted, title_key, data::text FROM documents WHERE tenant_id = %s ORDER BY 1, 2"
    )
    words = "SELECT record, id, words, tokens::text FROM documents WHERE tenant_id = %s ORDER BY 1, 2"
    keys = "SELECT key, record, id, field FROM keys WHERE tenant_id = %s ORDER BY 1, 2, 3, 4"
    known = "SELECT word FROM words WHERE tenant_id = %s ORDER BY 1"
    return [_rows(index, statement) for statement in (documents, words, keys, known)]


def _history(index):
    one, other = new_id(), new_id()
    tenant = index.suite.tenant
    events = [event(tenant, ACCOUNT, {"id": one, "name": name}, version=at + 1) for at, name in enumerate(VERSIONS)]
    events += [event(tenant, CONTACT, {"id": other, "name": name}, version=at + 1) for at, name in enumerate(VERSIONS)]
    return events


def test_the_newest_version_stays_in_whatever_order_events_come(index):
    index.take(*reversed(_history(index)))
    assert sorted(index.titles("dora")) == ["Dora", "Dora"]
    assert [index.titles(name) for name in VERSIONS[:3]] == [[], [], []]


def test_many_deliveries_leave_the_same_rows_as_the_newest_events_alone(index):
    history = _history(index)
    index.take(*history)
    index.runtime.events([encode(one) for one in history[::-1]])
    taken = _everything(index)
    with index.suite.work("search") as work:
        for table in ("documents", "keys", "words", "progress"):
            work.sql(f"DELETE FROM {table} WHERE tenant_id = %s", (work.tenant,))
    index.runtime.events([encode(history[3]), encode(history[7])])
    assert _everything(index) == taken
    assert len(taken[0]) == 2


def test_a_deleted_record_is_not_found_and_an_older_event_does_not_bring_it_back(index):
    one = new_id()
    made = event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Verne"})
    gone = {"id": one, "name": "Verne", "deleted_at": "2026-01-02T00:00:00Z"}
    index.take(made, event(index.suite.tenant, ACCOUNT, gone, version=2, verb="deleted"))
    index.take(made)
    assert index.ask("verne")["items"] == []
    assert _rows(index, "SELECT version, deleted, title_key, data FROM documents WHERE tenant_id = %s") == [
        (2, True, "", {})
    ]
    assert _rows(index, "SELECT words, tokens::text FROM documents WHERE tenant_id = %s") == [("", "")]
    assert _rows(index, "SELECT key FROM keys WHERE tenant_id = %s") == []
    assert _rows(index, "SELECT word FROM words WHERE tenant_id = %s") == []


def test_a_word_is_known_as_long_as_one_document_has_it(index):
    def known():
        return [word for (word,) in _rows(index, "SELECT word FROM words WHERE tenant_id = %s") if word.isalpha()]

    one, other = new_id(), new_id()
    for record_id in (one, other):
        index.take(event(index.suite.tenant, ACCOUNT, {"id": record_id, "name": "Vernes Haus"}))
    index.take(event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Vernes Hof"}, version=2))
    assert sorted(known()) == ["haus", "hof", "vernes"]
    index.take(event(index.suite.tenant, ACCOUNT, {"id": other, "name": "Hof"}, version=2))
    assert sorted(known()) == ["hof", "vernes"]


def test_a_restored_record_is_found_again(index):
    one = new_id()
    gone = {"id": one, "name": "Verne", "deleted_at": "2026-01-02T00:00:00Z"}
    index.take(
        event(index.suite.tenant, ACCOUNT, gone, version=2, verb="deleted"),
        event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Verne"}, version=3, verb="restored"),
    )
    assert index.titles("verne") == ["Verne"]


def test_events_of_records_that_are_not_searched_move_freshness_on_and_nothing_else(index):
    assert index.ask("x")["freshness"]["indexed_at"] is None
    told = event(index.suite.tenant, "inventory.stock-level", {"id": new_id()})
    index.take(told)
    assert index.ask("x")["freshness"]["indexed_at"] == told["time"]
    assert not any(_everything(index))


def test_freshness_names_the_newest_event_and_never_goes_back(index):
    older = event(index.suite.tenant, ACCOUNT, {"id": new_id(), "name": "Older"})
    newer = event(index.suite.tenant, ACCOUNT, {"id": new_id(), "name": "Newer"})
    index.take(newer)
    index.take(older)
    assert index.ask("older")["freshness"]["indexed_at"] == newer["time"]


def test_events_of_records_of_a_later_release_are_passed_over(index):
    later = event(index.suite.tenant, ACCOUNT, {"id": new_id(), "name": "Known"})
    index.take({**later, "type": "customer.ship.created"}, later)
    assert index.titles("known") == ["Known"]


def test_texts_of_any_length_fit_the_index(index):
    index.put("service.article", title="T" * 200, body="x" * 50_000 + " " + " ".join(f"w{n}" for n in range(5_000)))
    assert len(index.titles("w7")) == 1


def test_the_schema_is_what_the_models_say_and_every_table_is_protected(index):
    url = index.suite.databases.url("search", "owner")
    assert migrations.differences(url, "search") == []
    with index.suite.work("search") as work:
        assert migrations.tables_without_protection(work.connection) == []


def test_a_customer_is_found_as_it_is_after_each_change(searching):
    index = searching("customer", "search")
    suite = index.suite
    made = suite.create(ACCOUNT, {"name": "Alfreds Futterkiste", "address": {"city": "Berlin", "country": "Germany"}})
    index.settle()
    (item,) = index.ask("alf berlin", min_version={f"account/{made['id']}": 1})["items"]
    assert (item["type"], item["id"], item["subtitle"], item["version"]) == (
        "account",
        made["id"],
        "Berlin · Germany",
        1,
    )
    suite.update(ACCOUNT, made["id"], {"name": "Berglunds snabbköp"})
    index.settle()
    assert (index.titles("alf"), index.titles("snabbkop")) == ([], ["Berglunds snabbköp"])
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": made["id"]})
    index.settle()
    assert index.titles("snabbkop") == []
    suite.call("customer", "record.restore", {"record": ACCOUNT, "id": made["id"]})
    index.settle()
    assert index.titles("snabbkop") == ["Berglunds snabbköp"]


def test_a_searchable_custom_field_is_found_by_whom_it_is_not_hidden_from(searching):
    index = searching("identity", "customer", "search")
    suite = index.suite
    for name in ("colour", "secret"):
        field = {"applies_to": "accounts", "name": name, "type": "text", "label": {"en": name}}
        suite.create("identity.custom-field", {**field, "searchable": name == "colour"})
    index.settle()
    made = suite.create(ACCOUNT, {"name": "Acme", "custom": {"colour": "Vermilion", "secret": "Umber"}})
    index.settle()

    def found(q, **options):
        return [hit["id"] for hit in suite.request("search", "search.query", {"q": q}, **options)["body"]["items"]]

    assert found("vermil") == [made["id"]]
    assert found("umber") == []
    assert found("vermil", context=suite.context(masks={ACCOUNT: {"hidden": ["custom.colour"]}})) == []
    assert not suite.dead()


def test_parts_of_ids_that_machines_made_are_found_but_may_not_have_been_meant(index):
    key = "01a21ed2-b70d-7abc-abcd-fa4c3f6b7882"
    index.take(event(index.suite.tenant, ACCOUNT, {"id": new_id(), "name": "Verne", "external_ids": {"old": key}}))
    known = {word for (word,) in _rows(index, "SELECT word FROM words WHERE tenant_id = %s")}
    assert "verne" in known and not known & {*key.split("-"), key.replace("-", "")}
    assert index.titles(key) == index.titles("fa4c3f6b7882") == ["Verne"]
