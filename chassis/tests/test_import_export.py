"""What a machine's export holds comes back by an import as it was: of every record, in every format."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.records.exporting import machine, writers
from chassis.records.importing import mapping, reading
from chassis.records.importing.documents import Reader
from chassis.tests.test_export import values
from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry

JSON = dict[str, Any]
IMPORTED = sorted(name for name, record in registry.load().records.items() if "import" in record.operations)


def _export(record: type[Record], documents: list[JSON], path: Path, kind: str) -> bytes:
    shape: Any = machine.Shape(SimpleNamespace(record=record), None, frozenset())  # type: ignore[arg-type]
    work: Any = None
    with writers.FORMATS[kind](path, shape) as writer:
        for row in shape.documents(work, documents) if kind == "jsonl" else shape.rows(work, documents):
            writer.write(row)
    return path.read_bytes()


def _import(record: type[Record], content: bytes, kind: str) -> list[JSON]:
    with reading.open_source(lambda: io.BytesIO(content), kind) as source:
        plan = mapping.plan(record, source.columns, {}, match="id", mode="update", zone="Asia/Shanghai")
        assert plan.unmatched == []
        found = list(Reader(plan).documents(source.rows()))
    for document in found:
        assert document.errors == []
        for wanted in document.wanted:
            wanted.into[wanted.name] = wanted.text
    return [{"id": document.key, **_there(document.data)} for document in found]


def _there(data: JSON) -> JSON:
    return {name: value for name, value in data.items() if value is not None}


def _writable(record: type[Record], document: JSON) -> JSON:
    """What an import may write of a record, and its id."""
    found: JSON = {"id": document["id"]}
    for name, field in record.declared().items():
        if not field.computed and document[name] is not None:
            found[name] = _part(field, document[name])
    return found


def _part(field: f.Field, value: Any) -> Any:
    if isinstance(field, f.Parts):
        return [_of(field, part) for part in value]
    return _of(field, value) if isinstance(field, f.Embedded) else value


def _of(field: f.Parts | f.Embedded, part: JSON) -> JSON:
    declared = field.part.declared()
    return {
        name: value
        for name, value in part.items()
        if not (name in declared and (value is None or declared[name].computed))
    }


def _values(field: f.Field) -> list[Any]:
    """Words have no blanks around them: an import takes those away."""
    found = values(field)
    word = isinstance(field, (f.Email, f.Code, f.Currency))
    return [value for value in found if value == value.strip() and value] if word else found


@pytest.mark.parametrize("name", IMPORTED)
def test_an_import_of_an_export_is_what_was_exported(name: str, tmp_path: Path) -> None:
    record = registry.records[name]
    candidates = {field_name: [None, *_values(field)] for field_name, field in record.declared().items()}
    candidates["id"] = values(record.declared()["id"])
    # Each field runs through its values at a pace of its own, so that they meet in many combinations.
    documents = [
        {
            field_name: found[number * (1 + place % 3) % len(found)]
            for place, (field_name, found) in enumerate(candidates.items())
        }
        for number in range(16)
    ]
    expected = [_writable(record, document) for document in documents]
    for kind in writers.FORMATS:
        content = _export(record, documents, tmp_path / f"x.{kind}", kind)
        assert _import(record, content, kind) == expected, kind
