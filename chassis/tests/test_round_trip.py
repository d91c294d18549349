"""import(export(x)) = x: whatever was changed in between, the exported file brings every written field back."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Suite
from chassis.tests.given import PROPERTY
from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry

JSON = dict[str, Any]
registry.load()
# A rule of the service moves these: only one warehouse is the default.
MOVED_BY_RULES = {"inventory.warehouse": {"default"}}
SERVICES = ("customer", "inventory", "marketing", "service")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12) | st.sampled_from(
    [
        "",
        " ",
        '"',
        '""',
        '" "',
        "=1+1",
        "'",
        "a,b;c\td",
        "two\nlines",
        "a\r\nb",
        " lead",
        "trail ",
        "名称",
        "1E5",
        "null",
    ]
)


def candidates() -> list[str]:
    wanted = {"create", "update", "import", "export"}
    return sorted(
        name
        for name, record in registry.records.items()
        if record.service in SERVICES and wanted <= record.operations and not _refers(record)
    )


def _refers(record: type[Record]) -> bool:
    return any(field.required and isinstance(field, (f.Ref, f.Parts)) for field in record.declared().values())


def values(field: f.Field) -> st.SearchStrategy[Any] | None:
    """Values that the field takes on the wire; None for kinds that need other records."""
    if isinstance(field, (f.Email, f.Code)) or (isinstance(field, f.Text) and field.pattern):
        return None
    if isinstance(field, f.Currency):
        return st.sampled_from(["EUR", "CNY", "JPY"])
    if isinstance(field, f.Text):
        return TEXT.filter(lambda text: len(text) <= field.max and (not field.min or len(text.strip()) >= field.min))
    if isinstance(field, f.Choice):
        return st.sampled_from(sorted(field.choices))
    if isinstance(field, f.Boolean):
        return st.booleans()
    if isinstance(field, f.Integer):
        return st.integers(field.least, field.most)
    if isinstance(field, f.Money):
        cents = st.integers(0, 10**9)
        return cents.map(lambda amount: {"amount": f"{amount // 100}.{amount % 100:02}", "currency": "EUR"})
    if isinstance(field, f.Percent):
        return st.integers(0, 100).map(str)
    if isinstance(field, f.Number):
        return st.integers(max(field.least or 0, (field.above or 0) + 1), 10**6).map(str)
    if isinstance(field, f.Date):
        return st.dates().map(lambda day: day.isoformat())
    if isinstance(field, f.Embedded):
        inner = {name: one for name, below in field.part.declared().items() if (one := values(below)) is not None}
        return st.fixed_dictionaries({}, optional=inner)
    return None


def bodies(record: type[Record]) -> st.SearchStrategy[JSON]:
    chosen = {
        name: made if field.required or field.default is not f.missing else made | st.none()
        for name, field in record.declared().items()
        if not field.computed
        and not field.once
        and name not in MOVED_BY_RULES.get(record.record_name, ())
        and (made := values(field)) is not None
    }
    return st.fixed_dictionaries(chosen)


def exported(suite: Suite, service: str, record: str, kind: str) -> bytes:
    params = {"record": record, "format": kind, "style": "machine"}
    job = suite.call(service, "record.export", params)
    suite.run_jobs(service)
    entry = suite.call(service, "job.file", {"id": job["id"].removeprefix(f"{service}-"), "which": "result"})
    content: bytes = suite.blobs.of(service, suite.tenant).open(entry["key"]).read()
    return content


def imported(suite: Suite, service: str, record: str, kind: str, content: bytes) -> JSON:
    blob = suite.blobs.of(service, suite.tenant).put(io.BytesIO(content))
    params = {"record": record, "blob": blob.key, "format": kind, "mode": "update", "match": "id"}
    job = suite.call(service, "record.import", {**params, "mapping": {"empty": "clear"}})
    suite.run_jobs(service)
    ended: JSON = suite.call(service, "job.get", {"id": job["id"].removeprefix(f"{service}-")})
    assert ended["state"] == "succeeded", ended
    return ended["result"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", candidates())
def test_an_exported_file_brings_changed_records_back(suite_of: Any, name: str) -> None:
    record = registry.records[name]
    suite = suite_of(record.service)
    restored = []

    @settings(PROPERTY, max_examples=1, phases=[Phase.generate])
    @given(st.lists(st.tuples(bodies(record), bodies(record)), min_size=6, max_size=6))
    def check(pairs: list[tuple[JSON, JSON]]) -> None:
        suite.tenant = new_id()
        before = {}
        for first, _ in pairs:
            with suppress(Problem):
                made = suite.create(name, first)
                before[made["id"]] = _plain(made)
        # A workbook is taken apart in a process of its own, which costs a second.
        for kind in ("csv", "jsonl", "xlsx") if name == "customer.account" else ("csv", "jsonl"):
            content = exported(suite, record.service, name, kind)
            for record_id, (_, second) in zip(before, pairs, strict=False):
                with suppress(Problem):
                    suite.update(name, record_id, second)
            result = imported(suite, record.service, name, kind, content)
            assert result["rejected"] == 0, (kind, result)
            after = {one["id"]: _plain(one) for one in suite.list(name)}
            assert [
                (word, after[one][word], value)
                for one, document in before.items()
                for word, value in document.items()
                if after[one][word] != value
            ] == [], kind
            restored.append(result["updated"])

    check()
    assert sum(restored) > 0


def _plain(document: JSON) -> JSON:
    return {name: value for name, value in document.items() if name not in ("version", "updated_at", "updated_by")}
