"""The pages on additions, followed to the letter in a copy: their differences fit, and what they promise is so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from suite.servers.postgres import Postgres
from tests.docs.reader import BLOCK, ROOT, Reader, section

NEW_RECORD = (ROOT / "docs/new-record.md").read_text("utf-8")
NEW_SERVICE = (ROOT / "docs/new-service.md").read_text("utf-8")
NOTHING = "Models and database agree: nothing to write.\n"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("additions")
    server = Postgres(folder / "postgres", max_connections=200)
    try:
        yield Reader(folder / "copy", server.start())
    finally:
        server.remove()


def published(reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reader.copy / "contracts/published/openapi.json").read_text("utf-8"))
    return found


def test_a_field_is_one_line_and_the_migration_that_the_page_shows(reader: Reader) -> None:
    last = max((reader.copy / "services/customer/migrations/versions").glob("[0-9]*.py")).name[:4]
    text = section(NEW_RECORD, "A field")
    reader.follow(text)
    made = reader.migration("customer", "accounts_have_employees")
    (shown,) = (block for kind, block in BLOCK.findall(text) if kind == "python")
    assert made.endswith(f"\n\n{shown}")
    assert f'revision = "{int(last) + 1:04}"\ndown_revision = "{last}"\n' in made
    assert '"employees.gte"' in json.dumps(published(reader))


def test_a_record_is_a_declaration_a_class_a_store_a_line_and_a_migration(reader: Reader) -> None:
    reader.follow(section(NEW_RECORD, "A record"))
    made = reader.migration("customer", "territories")
    assert made.rstrip().endswith('protect(op, "territories")')
    assert 'name="fk_territories_group_id"' in made
    assert reader.run('make migration SERVICE=customer MESSAGE="again"') == NOTHING
    assert {"/v1/territories", "/v1/territories/{id}/restore"} <= set(published(reader)["paths"])
    events = reader.copy.glob("contracts/published/events/customer.territory.*.schema.json")
    assert sorted(path.name.split(".")[2] for path in events) == ["created", "deleted", "purged", "restored", "updated"]


def test_a_service_is_added_and_its_own_tests_pass(reader: Reader) -> None:
    before, its_tests = NEW_SERVICE.split("\n## Its tests\n")
    reader.follow(before)
    assert reader.run('make migration SERVICE=feedback MESSAGE="again"') == NOTHING
    assert "/v1/invitations/{id}/answer" in published(reader)["paths"]
    services = ("identity", "customer", "inventory", "sales", "feedback")
    prepare = f"from chassis.testing import prepare_templates; prepare_templates({reader.server!r}, {services})"
    reader.run(f'.venv/bin/python -c "{prepare}"')
    reader.follow(its_tests)
    drawn = re.search(r"services/feedback/\n(.*?)```", NEW_SERVICE, re.DOTALL)
    assert drawn
    names = {path.name for path in reader.copy.glob("services/feedback/**/*.py")}
    assert {name for name in names if name not in drawn[1]} == set()


def test_what_was_added_keeps_the_rules_of_declarations_and_style_and_has_its_manifests(reader: Reader) -> None:
    reader.run(".venv/bin/python -m pytest -q contracts/tests/test_declarations.py")
    reader.run(".venv/bin/python -m ruff check contracts services")
    reader.run(".venv/bin/python -m ruff format --check contracts services")
    reader.run(".venv/bin/python deploy/generate.py")
    assert (reader.copy / "deploy/k8s/base/services/feedback.yaml").is_file()
