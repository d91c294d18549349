"""Import jobs: rows become records by the rules and grants of their asker, each row for itself, and none twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.jobs import leases
from chassis.jobs.running import Running
from chassis.records.importing import job as import_job
from chassis.records.importing.writing import Writer
from chassis.tests.given import changes_of, define, refused, rows

ACCOUNT, CONTACT = "customer.account", "customer.contact"
JSON = dict[str, Any]


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def _start(suite: Any, content: str | bytes, *, record: str = ACCOUNT, context: Any = None, **params: Any) -> str:
    service = record.split(".")[0]
    raw = content.encode() if isinstance(content, str) else content
    blob = suite.blobs.of(service, suite.tenant).put(io.BytesIO(raw))
    params = {"record": record, "blob": blob.key, "format": "csv", **params}
    found: str = suite.call(service, "record.import", params, context=context or suite.context())["id"]
    return found.partition("-")[2]


def _import(suite: Any, content: str | bytes, *, record: str = ACCOUNT, **params: Any) -> JSON:
    """The job's result with `errors`: line and reason of each rejected row."""
    job_id, service = _start(suite, content, record=record, **params), record.split(".")[0]
    suite.run_jobs(service)
    document = suite.call(service, "job.get", {"id": job_id})
    assert document["state"] == "succeeded", document["error"]
    return {**document["result"], "errors": _file(suite, service, job_id, "errors"), "job": job_id}


def _file(suite: Any, service: str, job_id: str, which: str = "errors") -> list[JSON]:
    if not suite.call(service, "job.get", {"id": job_id})[f"{which}_url"]:
        return []
    entry = suite.call(service, "job.file", {"id": job_id, "which": which})
    raw = suite.blobs.of(service, suite.tenant).open(entry["key"]).read()
    if entry["type"] != "text/csv":
        return [orjson.loads(line) for line in raw.splitlines()]
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def _counts(result: JSON) -> tuple[int, int, int, int]:
    return result["created"], result["updated"], result["unchanged"], result["rejected"]


def test_rows_become_records_and_a_bad_row_is_rejected_alone_with_its_reason(suite: Any) -> None:
    result = _import(
        suite,
        "Name;行业;E-mail;City;信用额度;external:erp\n"
        "Acme;Steel;a@b.de;Köln;1.234,50 EUR;1\n"
        ";;;;;2\n"
        "Beta;;no address;;x;3\n"
        "Gamma;;;;;1\n"
        "Delta;;;;;4\n",
        mapping={"formats": {"credit_limit": "1.234,5"}},
    )
    assert _counts(result) == (2, 0, 0, 3)
    assert [(row["#line"], row["#reason"]) for row in result["errors"]] == [
        ("3", "name: Missing data for required field."),
        ("4", "credit_limit: Not a number in the given format."),
        ("5", "external_ids.erp: Another record has the external id 1 of erp."),
    ]
    acme, delta = sorted(suite.list(ACCOUNT), key=lambda item: item["name"])
    assert acme["credit_limit"] == {"amount": "1234.50", "currency": "EUR"} and acme["city"] == "Köln"
    assert acme["owner_id"] == suite.user_id and delta["external_ids"] == {"erp": "4"}
    assert rows(suite, "customer", "SELECT 1 FROM import_rows WHERE tenant_id = %s") == []


def test_the_cause_of_imported_records_is_the_job_and_each_has_one_event(suite: Any) -> None:
    result = _import(suite, "name\nA\nB\n")
    for item in suite.list(ACCOUNT):
        (change,) = changes_of(suite, "customer", item["id"])
        assert change.cause == f"job:customer-{result['job']}:import" and change.actor == f"user:{suite.user_id}"
    suite.settle()
    assert sorted(event["data"]["name"] for event in suite.events(f"{ACCOUNT}.created")) == ["A", "B"]


def test_upsert_creates_changes_and_leaves_alone_what_is_the_same(suite: Any) -> None:
    first = "external:erp,name,industry,address.city\n1,Acme,Steel,Bonn\n2,Beta,,\n"
    assert _counts(_import(suite, first, mode="upsert", match="external:erp")) == (2, 0, 0, 0)
    again = "external:erp,name,industry,address.city\n1,Acme,,\n2,Beta,Glass,Rome\n3,New,,\n3,Newer,,\n,X,,\n"
    result = _import(suite, again, mode="upsert", match="external:erp")
    assert _counts(result) == (1, 2, 1, 1)
    by_name = {item["name"]: item for item in suite.list(ACCOUNT)}
    assert (by_name["Acme"]["version"], by_name["Acme"]["industry"], by_name["Acme"]["city"]) == (1, "Steel", "Bonn")
    assert (by_name["Beta"]["version"], by_name["Newer"]["version"]) == (2, 2)
    assert result["errors"][0]["#reason"] == "external:erp: Empty, and records are matched by it."


def test_an_empty_cell_clears_only_where_the_mapping_says_so(suite: Any) -> None:
    _import(suite, "external:erp,name,industry\n1,Acme,Steel\n")
    _import(suite, "external:erp,industry\n1,\n", mode="update", match="external:erp", mapping={"empty": "clear"})
    assert suite.list(ACCOUNT)[0]["industry"] is None


def test_records_are_matched_by_fields_and_ambiguity_is_no_match(suite: Any) -> None:
    made = suite.create(ACCOUNT, {"name": "Ärger", "email": "one@x.de"})
    for name in ("Twin", "Twin"):
        suite.create(ACCOUNT, {"name": name})
    content = "name,email,phone\nx,ONE@X.DE,1\ny,two@x.de,2\n"
    result = _import(suite, content, mode="update", match="email")
    assert _counts(result) == (0, 1, 0, 1) and "no record with two@x.de" in result["errors"][0]["#reason"]
    assert suite.get(ACCOUNT, made["id"])["phone"] == "1"
    result = _import(suite, "name,phone\nTWIN,3\n", mode="upsert", match="name")
    assert _counts(result) == (0, 0, 0, 1) and "Several records" in result["errors"][0]["#reason"]
    result = _import(suite, "email,name\none@x.de,Other\n", match="email")
    assert _counts(result) == (0, 0, 0, 1) and "already" in result["errors"][0]["#reason"]


def test_references_are_found_by_id_name_or_external_key(suite: Any) -> None:
    acme = suite.create(ACCOUNT, {"name": "Acme GmbH", "external_ids": {"erp": "7"}})
    for _ in range(2):
        suite.create(ACCOUNT, {"name": "Twin"})
    content = f"name,account\nA,{acme['id']}\nB,ACME gmbh\nC,Twin\nD,Nobody\n"
    result = _import(suite, content, record=CONTACT)
    assert _counts(result) == (2, 0, 0, 2)
    assert [row["#reason"] for row in result["errors"]] == [
        "account_id: Several records are called Twin.",
        "account_id: There is no record Nobody.",
    ]
    _import(
        suite,
        "name,erp no\nE,7\n",
        record=CONTACT,
        mapping={"columns": {"erp no": "account_id"}, "formats": {"account_id": "external:erp"}},
    )
    assert {item["account_id"] for item in suite.list(CONTACT)} == {acme["id"]}


def test_a_blank_column_repeated_keys_german_dates_and_references_by_external_key_are_no_obstacle(suite: Any) -> None:
    for number in range(3):
        suite.create(ACCOUNT, {"name": f"Firm {number}", "external_ids": {"erp": f"F{number}"}})
    lines = [f"P{n % 40};;Person {n % 40};{n % 28 + 1:02}.12.1980;F{n % 3};" for n in range(1200)]
    content = "external:erp;;name;birthday;firm;\n" + "\n".join(lines) + "\nP99;;Nobody's;31.02.1980;F9;\n"
    mapping = {"columns": {"firm": "account_id"}, "formats": {"birthday": "DD.MM.YYYY", "account_id": "external:erp"}}
    result = _import(suite, content, record=CONTACT, mode="upsert", match="external:erp", mapping=mapping)
    # Forty people with twelve hundred rows: the last row of each is what he is, and nobody is there twice.
    assert (result["created"], result["rejected"]) == (40, 1)
    assert result["created"] + result["updated"] + result["unchanged"] == 1200
    firms = {one["id"]: one["external_ids"]["erp"] for one in suite.list(ACCOUNT)}
    found = {one["external_ids"]["erp"]: (one["birthday"], firms[one["account_id"]]) for one in suite.list(CONTACT)}
    assert found == {f"P{n % 40}": (f"1980-12-{n % 28 + 1:02}", f"F{n % 3}") for n in range(1160, 1200)}


def test_an_import_may_do_what_its_asker_may_do_and_no_more(suite: Any) -> None:
    theirs = suite.create(
        ACCOUNT, {"name": "Theirs", "external_ids": {"erp": "1"}}, context=suite.context(user_id=_other())
    )
    seller = suite.context(
        user_id=_other(),
        grants={ACCOUNT: {"read": "all", "create": "own", "update": "own"}},
        masks={ACCOUNT: {"read_only": ["credit_limit"]}},
    )
    content = (
        f"external:erp,name,owner_id,credit_limit\n1,Mine now,,\n2,Mine,,\n3,Others,{suite.user_id},\n4,Rich,,9 EUR\n"
    )
    result = _import(suite, content, context=seller, mode="upsert", match="external:erp")
    assert _counts(result) == (1, 0, 0, 3)
    assert [row["#reason"] for row in result["errors"]] == [
        "You may not change this record.",
        "You may not create accounts of others.",
        "credit_limit: You may not write this field.",
    ]
    assert suite.get(ACCOUNT, theirs["id"])["version"] == 1
    with refused(403, "forbidden"):
        _start(suite, content, context=suite.context(user_id=_other(), grants={ACCOUNT: {"read": "all"}}))


def test_what_may_not_be_read_is_not_found_by_its_key(suite: Any) -> None:
    suite.create(ACCOUNT, {"name": "Secret", "external_ids": {"erp": "1"}})
    blind = suite.context(user_id=_other(), grants={ACCOUNT: {"*": "own"}, CONTACT: {"*": "own"}})
    result = _import(suite, "external:erp,name\n1,x\n", context=blind, mode="update", match="external:erp")
    assert "There is no record with 1" in result["errors"][0]["#reason"]
    result = _import(suite, "name,account\nx,Secret\n", context=blind, record=CONTACT)
    assert "There is no record Secret" in result["errors"][0]["#reason"]


def _other() -> str:
    from chassis.ids import new_id

    return new_id()


def test_a_dry_run_judges_every_row_and_writes_nothing(suite: Any) -> None:
    _import(suite, "external:erp,name\n1,Acme\n2,Beta\n")
    before = rows(suite, "customer", "SELECT count(*), max(at) FROM changes WHERE tenant_id = %s")
    content = "external:erp,name\n1,Acme\n2,Better\n3,New\n3,New again\n4,\n"
    dry = _import(suite, content, mode="upsert", match="external:erp", dry_run=True)
    assert rows(suite, "customer", "SELECT count(*), max(at) FROM changes WHERE tenant_id = %s") == before
    verdicts = _file(suite, "customer", dry["job"], "result")
    assert [(row["#line"], row["#outcome"]) for row in verdicts] == [
        ("2", "unchanged"),
        ("3", "updated"),
        ("4", "created"),
        ("5", "updated"),
        ("6", "rejected"),
    ]
    wet = _import(suite, content, mode="upsert", match="external:erp")
    assert _counts(dry) == _counts(wet) == (1, 2, 1, 1)


def test_the_error_file_is_corrected_and_sent_again(suite: Any) -> None:
    result = _import(suite, 'name,email,industry\nAcme,bad,=1+1\nBeta,b@b.de,"two\nlines"\n"Gamma, Inc.",,x\n,,\'@y\n')
    assert _counts(result) == (2, 0, 0, 2)
    entry = suite.call("customer", "job.file", {"id": result["job"], "which": "errors"})
    raw = suite.blobs.of("customer", suite.tenant).open(entry["key"]).read().decode("utf-8-sig")
    assert "\n=1+1" not in raw and ",'=1+1," in raw
    again = _import(suite, raw.replace("bad", "good@a.de").replace("\n,,", "\nNamed,,"))
    assert _counts(again) == (2, 0, 0, 0)
    assert {item["industry"] for item in suite.list(ACCOUNT)} == {"=1+1", "two\nlines", "x", "'@y"}


def test_reasons_are_in_the_language_of_who_asked(suite: Any) -> None:
    suite.runtime("customer").locale = "zh-CN"
    assert _import(suite, "name,email\n,x\n")["errors"][0]["#reason"] == "name: 必填。; email: " + (
        "格式不符：" + suite.runtime("customer").stores[ACCOUNT].record.declared()["email"].pattern + "。"
    )


def test_json_lines_take_the_values_of_the_api(suite: Any) -> None:
    acme = suite.create(ACCOUNT, {"name": "Acme"})
    content = "\n".join(
        [
            '{"name": "A", "account_id": "acme", "primary": true, "home_address": {"city": "Bonn"}, "version": 7}',
            '{"name": "B", "birthday": "31.12.1980", "external_ids": {"erp": "1"}, "title": null}',
            '{"nmae": "C"}',
            '{"name": "D", "primary": "yes"}',
        ]
    )
    result = _import(suite, content, record=CONTACT, format="jsonl", mapping={"formats": {"birthday": "DD.MM.YYYY"}})
    assert _counts(result) == (2, 0, 0, 2)
    assert [row["#line"] for row in result["errors"]] == ["3", "4"] and result["errors"][0]["nmae"] == "C"
    found = {item["name"]: item for item in suite.list(CONTACT)}
    assert found["A"]["account_id"] == acme["id"] and found["B"]["birthday"] == "1980-12-31"


def test_custom_fields_are_columns_by_name_and_label(suite_of: Any) -> None:
    suite = suite_of("identity", "customer")
    define(suite, "size", "number", label={"en": "Staff", "zh": "人数"})
    define(suite, "vip", "boolean")
    result = _import(suite, "name,人数,custom.vip\nA,12,是\nB,many,no\n")
    assert _counts(result) == (1, 0, 0, 1) and result["errors"][0]["#reason"].startswith("custom.size: ")
    assert suite.list(ACCOUNT)[0]["custom"] == {"size": "12", "vip": True}


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl"])
def test_what_was_exported_and_comes_back_changes_nothing_until_it_differs(suite: Any, form: str) -> None:
    for number in range(3):
        suite.create(ACCOUNT, {"name": f'"N{number}', "notes": "a\r\nb", "external_ids": {"erp": f"={number}"}})
    export = {"record": ACCOUNT, "format": form, "style": "machine"}
    job_id = suite.call("customer", "record.export", export)["id"].partition("-")[2]
    suite.run_jobs("customer")
    entry = suite.call("customer", "job.file", {"id": job_id, "which": "result"})
    raw = suite.blobs.of("customer", suite.tenant).open(entry["key"]).read()
    assert _counts(_import(suite, raw, format=form, mode="upsert", match="id")) == (0, 0, 3, 0)
    changed = suite.list(ACCOUNT)[0]
    suite.update(ACCOUNT, changed["id"], {"notes": "other"})
    assert _counts(_import(suite, raw, format=form, mode="upsert", match="id")) == (0, 1, 2, 0)
    assert suite.get(ACCOUNT, changed["id"])["notes"] == changed["notes"]


# --- killed and resumed


def _run_until(suite: Any, job_id: str, stop: Callable[[int], bool]) -> None:
    """Run the job as its process would, and let it die where `stop(batches written)` says so."""
    runtime = suite.runtime("customer")
    claimed = leases.claim(runtime.database, "customer")
    assert claimed is not None and claimed[0].id == job_id
    running = Running(runtime, *claimed, suite.blobs)
    written = 0

    class Dying(Writer):
        def write(self, work: Any, documents: Any) -> Any:
            nonlocal written
            if stop(written):
                raise KeyboardInterrupt
            written += 1
            return super().write(work, documents)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_job, "Writer", Dying)
        with pytest.raises(KeyboardInterrupt):
            running.finish()
    leases.give_back(runtime.database, claimed[0], claimed[1])


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_killed_import_goes_on_without_twins(suite: Any, batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_job, "DOCUMENTS", 10)
    content = "name,email\n" + "".join(f"N{number},{'bad' if number % 7 == 0 else ''}\n" for number in range(25))
    job_id = _start(suite, content)
    _run_until(suite, job_id, lambda written: written == batches)
    suite.run_jobs("customer")
    document = suite.call("customer", "job.get", {"id": job_id})
    assert document["state"] == "succeeded" and (document["done"], document["total"]) == (25, 25)
    assert _counts(document["result"]) == (21, 0, 0, 4)
    assert [row["#line"] for row in _file(suite, "customer", job_id)] == ["2", "9", "16", "23"]
    assert sorted(item["name"] for item in suite.list(ACCOUNT)) == sorted(f"N{n}" for n in range(25) if n % 7)


def test_a_cancelled_import_keeps_what_it_has_done_and_says_how_much(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_job, "DOCUMENTS", 10)
    job_id = _start(suite, "name\n" + "N\n" * 30)
    _run_until(suite, job_id, lambda written: written == 1)
    suite.call("customer", "job.cancel", {"id": job_id})
    suite.run_jobs("customer")
    document = suite.call("customer", "job.get", {"id": job_id})
    assert document["state"] == "cancelled" and len(suite.list(ACCOUNT)) <= 20


def test_a_file_that_does_not_fit_fails_before_anything_is_written(suite: Any) -> None:
    for content, code in (("phone\n1\n", "columns_do_not_fit"), ("", "unreadable_file")):
        job_id = _start(suite, content or "\n")
        suite.run_jobs("customer")
        document = suite.call("customer", "job.get", {"id": job_id})
        assert document["state"] == "failed" and document["error"]["code"] == code
    assert suite.list(ACCOUNT) == []


# --- saved mappings


def test_a_mapping_is_saved_used_and_forgotten(suite: Any) -> None:
    named = {"record": ACCOUNT, "name": "Old CRM"}
    saved = {"columns": {"Firma": "name"}, "constants": {"source": "old"}}
    suite.call("customer", "import.save_mapping", {**named, "mapping": saved})
    assert suite.call("customer", "import.mapping", named)["mapping"] == saved
    assert _counts(_import(suite, "Firma\nAcme\n", saved="Old CRM")) == (1, 0, 0, 0)
    assert suite.list(ACCOUNT)[0]["source"] == "old"
    with refused(422, field="mapping.columns.x"):
        suite.call("customer", "import.save_mapping", {**named, "mapping": {"columns": {"x": "nothing"}}})
    suite.call("customer", "import.delete_mapping", named)
    assert suite.call("customer", "import.mappings", {"record": ACCOUNT})["items"] == []
    with refused(404):
        _start(suite, "Firma\nx\n", saved="Old CRM")


def test_a_saved_mapping_leaves_out_what_is_null_and_refuses_what_is_no_object(suite: Any) -> None:
    named = {"record": ACCOUNT, "name": "Old CRM"}
    given = {"columns": None, "formats": None, "constants": {"source": "old"}, "empty": None}
    assert suite.call("customer", "import.save_mapping", {**named, "mapping": given})["mapping"] == {
        "constants": {"source": "old"}
    }
    for wrong in ([], "", 0, False):
        with refused(422, field="mapping.formats"):
            suite.call("customer", "import.save_mapping", {**named, "mapping": {"formats": wrong}})


def test_columns_of_custom_fields_are_read_by_their_definitions(suite_of: Any) -> None:
    suite = suite_of("identity", "customer")
    choices = [{"value": "red", "label": {"en": "Red", "zh": "红"}}, {"value": "blue", "label": {"en": "Blue"}}]
    for name, kind in (("word", "text"), ("budget", "money"), ("ok", "boolean"), ("day", "date"), ("size", "number")):
        define(suite, name, kind, False)
    define(suite, "tags", "multi_choice", choices=choices)
    header = "name,custom.word,custom.budget,custom.ok,custom.day,custom.size,custom.tags\n"
    good = "Acme,a,12.50 EUR,是,2026/3/1,1.5,红; blue\nBeta,,,,,,\n"
    result = _import(suite, header + good + "Gamma,,,perhaps,,,\nDelta,,,,,,green\n")
    assert _counts(result) == (2, 0, 0, 2)
    [acme] = suite.list(ACCOUNT, ("custom.tags", "eq", "red"))
    assert acme["custom"] == {
        "word": "a",
        "budget": {"amount": "12.50", "currency": "EUR"},
        "ok": True,
        "day": "2026-03-01",
        "size": "1.5",
        "tags": ["red", "blue"],
    }
    assert [row["#line"] for row in result["errors"]] == ["4", "5"]
    assert all("custom." in row["#reason"] for row in result["errors"])
