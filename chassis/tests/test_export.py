"""Exports: what the list shows and nothing else, lossless for machines, harmless and readable for people."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.records.exporting import human, machine, writers
from chassis.testing import Suite
from chassis.tests.given import refused
from contracts import fields as f
from contracts.registry import registry

JSON = dict[str, Any]
RECORDS = sorted(registry.load().records)
SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
TEXTS = [
    "",
    " ",
    '"" "',
    '"',
    '""',
    '"x"',
    "=1+1",
    "'",
    "a,b;c\td",
    "two\nlines",
    "a\r\nb",
    " lead",
    "trail ",
    "名称",
    "1E5",
    "true",
    "null",
]


@pytest.fixture
def suite(suite_of: Callable[..., Suite]) -> Suite:
    return suite_of("customer")


def export(suite: Suite, record: str = "customer.account", context: Any = None, **params: Any) -> tuple[JSON, bytes]:
    """The ended job of an export and its file."""
    params = {"format": "jsonl", "style": "machine", "record": record, **params}
    service = record.split(".")[0]
    started = suite.call(service, "record.export", params, context=context)
    assert started["state"] == "queued"
    suite.run_jobs(service)
    job_id = started["id"].removeprefix(f"{service}-")
    job = suite.call(service, "job.get", {"id": job_id}, context=context)
    if job["result_url"] is None:
        return job, b""
    entry = suite.call(service, "job.file", {"id": job_id, "which": "result"}, context=context)
    with suite.blobs.of(service, suite.tenant).open(entry["key"]) as file:
        return job, file.read()


def lines(content: bytes) -> list[JSON]:
    return [orjson.loads(line) for line in content.splitlines()]


def table(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def sheet(content: bytes) -> list[list[tuple[str, str]]]:
    """The cells of a workbook's sheet as (type, text); `inlineStr` is text, `n` a number."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert root.findall(f".//{SPACE}f") == root.findall(f".//{SPACE}hyperlink") == []
        return [
            [
                (cell.get("t", "n"), "".join(text.text or "" for text in cell.iter() if text.tag[len(SPACE) :] in "tv"))
                for cell in row.iter(f"{SPACE}c")
            ]
            for row in root.iter(f"{SPACE}row")
        ]


def test_an_export_holds_exactly_what_the_list_shows(suite: Suite) -> None:
    for number in range(450):
        suite.create("customer.account", {"name": f"Account {number:03}", "address": {"city": "Berlin"}})
    everything, page = [], None
    while page is None or page["next"]:
        query = {"limit": 200, "sort": "name", "after": page and page["next"]}
        page = suite.call("customer", "record.list", {"record": "customer.account", "query": query})
        everything += page["items"]
    job, content = export(suite, sort="name")
    assert (job["state"], job["done"], job["total"], job["result"]["rows"]) == ("succeeded", 450, 450, 450)
    assert lines(content) == everything


def test_an_export_follows_grants_masks_filter_and_fields(suite: Suite) -> None:
    me = new_id()
    mine = {"customer.account": {"read": "own"}}
    masks = {"customer.account": {"hidden": ["credit_limit"]}}
    for owner in (me, new_id()):
        for name in ("Alpha", "Beta"):
            limit = {"amount": "5.00", "currency": "EUR"}
            owned = suite.context(user_id=owner)
            suite.create("customer.account", {"name": name, "credit_limit": limit}, context=owned)
    context = suite.context(user_id=me, grants=mine, masks=masks)
    _, content = export(suite, context=context)
    assert {line["owner_id"] for line in lines(content)} == {me}
    assert all("credit_limit" not in line for line in lines(content))
    only = {"field": "name", "op": "eq", "value": "Beta"}
    _, content = export(suite, context=context, filter=only, fields=["name", "owner_id"])
    assert lines(content) == [{"name": "Beta", "owner_id": me}]
    with refused(400):
        export(suite, context=context, fields=["credit_limit"])
    with refused(400):
        export(suite, filter={"field": "nothing", "op": "eq", "value": "x"})
    with refused(403, "forbidden"):
        export(suite, context=suite.context(user_id=new_id(), grants={}))


def test_nobody_but_the_asker_and_administrators_gets_the_file(suite: Suite) -> None:
    suite.create("customer.account", {"name": "Alpha"})
    job, _ = export(suite)
    params = {"id": job["id"].removeprefix("customer-"), "which": "result"}
    assert suite.call("customer", "job.file", params)["name"].startswith("accounts-")
    for other in (
        suite.context(user_id=new_id(), grants={"customer.account": {"*": "all"}}),
        suite.context(tenant=new_id()),
    ):
        with refused(404, "not_found"):
            suite.call("customer", "job.file", params, context=other)


def values(field: f.Field) -> list[Any]:
    """Wire values of a kind of field, the awkward ones first."""
    some_id = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
    table: list[tuple[type, list[Any]]] = [
        (f.Parts, [[], [{"id": some_id, "net": None, "text": '"'}]]),
        (f.Embedded, [{"street": "", "city": None}]),
        (f.StringMap, [{}, {"erp": '"7"'}]),
        (f.Document, [{}, {"deep": [1, {"x": None}]}]),
        (f.Texts, [[], ["a,b", '"']]),
        (f.Money, [{"amount": "-0.000001", "currency": "KWD"}, {"amount": "999999999999999.99", "currency": "CNY"}]),
        (f.Boolean, [True, False]),
        (f.Integer, [0, -5, 2**31 - 1]),
        (f.Number, ["-1.500000", "999999999999999.123456"]),
        (f.Choice, list(getattr(field, "choices", ()))),
        (f.Ref, [some_id]),
        (f.Date, ["0001-01-01", "2026-02-28"]),
        (f.Instant, ["2026-11-23T05:06:07.123456Z"]),
    ]
    return next((found for kind, found in table if isinstance(field, kind)), TEXTS)


@pytest.mark.parametrize("name", RECORDS)
def test_the_machine_form_of_every_record_loses_nothing(name: str, tmp_path: Path) -> None:
    record = registry.records[name]
    shape = machine.Shape(SimpleNamespace(record=record), None, frozenset())
    candidates = {field_name: [None, *values(field)] for field_name, field in record.declared().items()}
    candidates["id"] = values(record.declared()["id"])
    documents = [
        {field_name: found[number % len(found)] for field_name, found in candidates.items()} for number in range(16)
    ]
    read: dict[str, list[list[str]]] = {}
    for suffix, kind in writers.FORMATS.items():
        path = tmp_path / f"x.{suffix}"
        with kind(path, shape) as writer:
            for row in shape.documents(None, documents) if suffix == "jsonl" else shape.rows(None, documents):
                writer.write(row)
    assert lines((tmp_path / "x.jsonl").read_bytes()) == documents
    read["csv"] = table((tmp_path / "x.csv").read_bytes())
    header, *rows = sheet_texts(tmp_path / "x.xlsx", len(shape.header))
    read["xlsx"] = [header, *rows]
    for suffix, (header, *rows) in read.items():
        assert header == shape.header, suffix
        assert [restored(record, header, row) for row in rows] == documents, suffix


def sheet_texts(path: Path, width: int) -> list[list[str]]:
    """Rows of texts with the empty cells in between."""
    found = []
    with zipfile.ZipFile(path) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    for row in root.iter(f"{SPACE}row"):
        cells = [""] * width
        for cell in row.iter(f"{SPACE}c"):
            letters = "".join(letter for letter in cell.get("r", "") if letter.isalpha())
            column = 0
            for letter in letters:
                column = column * 26 + ord(letter) - 64
            # XML readers make LF of a bare CR; workbooks write it as _x000D_.
            cells[column - 1] = "".join(t.text or "" for t in cell.iter(f"{SPACE}t")).replace("_x000D_", "\r")
        found.append(cells)
    return found


def restored(record: Any, header: list[str], row: list[str]) -> JSON:
    """A document of the cells, read by nothing but the description of the form."""
    by_column = dict(zip(header, row, strict=True))
    return {
        name: machine.read(field, [by_column[column] for column in machine.columns(name, field)])
        for name, field in record.declared().items()
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠"])
def test_no_text_of_the_human_form_begins_like_a_formula(start: str, tmp_path: Path) -> None:
    assert writers.FORMULA.match(f"{start}1+1")
    shape = human.Shape(
        SimpleNamespace(record=registry.records["customer.account"]), ["name"], frozenset(), "en", "UTC"
    )
    with writers.Csv(tmp_path / "x.csv", shape) as writer:
        writer.write([f"{start}cmd|' /C calc'!A0"])
    assert table((tmp_path / "x.csv").read_bytes())[1] == [f"'{start}cmd|' /C calc'!A0"]


def test_the_human_form_speaks_the_readers_language_and_keeps_numbers_numbers(suite: Suite) -> None:
    limit = {"amount": "1234.50", "currency": "EUR"}
    suite.create("customer.account", {"name": "-Minus", "kind": "prospect", "credit_limit": limit})
    fields = ["name", "kind", "credit_limit"]
    suite.runtime("customer").locale = "zh-CN"
    _, content = export(suite, format="csv", style="human", fields=fields)
    assert content.startswith(b"\xef\xbb\xbf")
    header, row = table(content)
    assert header == ["名称", "类别", "信用额度", "信用额度 (币种)"]
    assert row == ["'-Minus", "潜在客户", "1234.50", "EUR"]
    suite.runtime("customer").locale = "en"
    _, content = export(suite, format="xlsx", style="human", fields=fields)
    texts = [("inlineStr", text) for text in ("Name", "Kind", "Credit limit", "Credit limit (currency)")]
    assert sheet(content) == [
        texts,
        [("inlineStr", "-Minus"), ("inlineStr", "Prospect"), ("n", "1234.5"), ("inlineStr", "EUR")],
    ]


def test_the_human_form_names_what_a_record_refers_to_where_the_reader_may_see_it(suite: Suite) -> None:
    account = suite.create("customer.account", {"name": "=HYPERLINK(1)"})
    suite.create("customer.contact", {"name": "Ann", "account_id": account["id"]})
    wanted = {"record": "customer.contact", "format": "csv", "style": "human", "fields": ["name", "account_id"]}
    _, content = export(suite, **wanted)
    assert table(content)[1] == ["Ann", "'=HYPERLINK(1)"]
    context = suite.context(user_id=new_id(), grants={"customer.contact": {"read": "all"}})
    _, content = export(suite, context=context, **wanted)
    assert table(content)[1] == ["Ann", account["id"]]


def test_a_sheet_that_would_be_cut_is_refused(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    suite.create("customer.account", {"name": "Alpha"})
    suite.create("customer.account", {"name": "Beta"})
    monkeypatch.setattr(writers, "SHEET_ROWS", 1)
    job, content = export(suite, format="xlsx")
    assert (job["state"], job["error"]["code"], content) == ("failed", "too_many_rows", b"")
    job, _ = export(suite, format="csv")
    assert job["state"] == "succeeded"
    shape = machine.Shape(SimpleNamespace(record=registry.records["customer.account"]), ["name"], frozenset())
    with pytest.raises(Problem, match="cell_too_long"), writers.Xlsx(tmp_path / "x.xlsx", shape) as writer:
        writer.write(["x" * 32_768])
