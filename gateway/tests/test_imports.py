"""Files for import: stored as they come, never held, and handed to the record's service by their key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon.testing
import pytest

from chassis.errors import Problem
from gateway.imports import XLSX
from gateway.tests.conftest import ID, PRINCIPAL, FakeBus

CSV = "name,城市\nAcme,北京\n".encode()
JOB = {"id": f"customer-{ID}"}
JSON = dict[str, Any]


@pytest.fixture
def client(make: Callable[..., Any], bus: FakeBus, tmp_path: Path) -> falcon.testing.TestClient:
    bus.answers["identity.authenticate"] = {"status": 200, "body": {**PRINCIPAL, "tenant": ID}}
    bus.answers["record.import"] = {"status": 202, "body": JOB, "location": f"/v1/jobs/{JOB['id']}"}
    return make(blobs=tmp_path.as_uri(), import_limit=10_000)


def _stored(folder: Path, key: str) -> bytes:
    return (folder / "customer" / ID / key[:2] / key[2:]).read_bytes()


@pytest.mark.parametrize(
    ("kind", "form", "encoding"),
    [
        ("text/csv", "csv", None),
        ("text/csv; charset=GB18030", "csv", "gb18030"),
        ('TEXT/CSV;charset="utf8"', "csv", "utf-8"),
        (XLSX, "xlsx", None),
        ("application/jsonl", "jsonl", None),
    ],
)
def test_the_body_is_the_file(
    client: Any, bus: FakeBus, tmp_path: Path, kind: str, form: str, encoding: str | None
) -> None:
    answer = client.simulate_post(
        "/v1/accounts/import",
        params={"mode": "upsert", "match": "external:erp", "dry_run": "true", "mapping": "Old CRM"},
        headers={"Content-Type": kind, "Idempotency-Key": "k1"},
        body=CSV,
    )
    assert (answer.status_code, answer.json, answer.headers["Location"]) == (202, JOB, f"/v1/jobs/{JOB['id']}")
    key = hashlib.sha256(CSV).hexdigest()
    assert bus.last["params"] == {
        "record": "customer.account",
        "mode": "upsert",
        "match": "external:erp",
        "dry_run": True,
        "saved": "Old CRM",
        "format": form,
        "encoding": encoding,
        "blob": key,
    }
    assert (bus.last["key"], bus.last["route"]) == ("k1", "POST /v1/accounts/import")
    assert _stored(tmp_path, key) == CSV


def _form(*parts: tuple[str, str, bytes]) -> JSON:
    body = b""
    for disposition, kind, content in parts:
        body += f"--xx\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()
        body += content + b"\r\n"
    return {"body": body + b"--xx--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=xx"}}


FILE = ('name="file"; filename="a.CSV"', "application/octet-stream", CSV)
MAPPING = {"columns": {"城市": "address.city"}}
PART = ('name="mapping"', "application/json", json.dumps(MAPPING).encode())


@pytest.mark.parametrize("parts", [(FILE, PART), (PART, FILE)])
def test_a_form_carries_file_and_mapping_in_either_order(client: Any, bus: FakeBus, tmp_path: Path, parts: Any) -> None:
    assert client.simulate_post("/v1/accounts/import", **_form(*parts)).status_code == 202
    params = bus.last["params"]
    assert (params["mapping"], params["format"], params["mode"]) == (MAPPING, "csv", "create")
    assert _stored(tmp_path, params["blob"]) == CSV


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": CSV, "headers": {"Content-Type": "text/html"}}, 415, "unsupported_media_type"),
        ({"body": CSV, "headers": {"Content-Type": "text/csv; charset=utf-7"}}, 415, "unsupported_media_type"),
        ({"body": b"", "headers": {"Content-Type": "text/csv"}}, 400, "empty_body"),
        ({"body": b"x" * 10_001, "headers": {"Content-Type": "text/csv"}}, 413, "body_too_large"),
        ({"body": CSV, "headers": {"Content-Type": "text/csv"}, "params": {"mode": "replace"}}, 400, "bad_parameter"),
        ({"body": CSV, "headers": {"Content-Type": "text/csv"}, "params": {"dry_run": "1"}}, 400, "bad_parameter"),
        ({"body": CSV, "headers": {"Content-Type": "text/csv"}, "params": {"x": "1"}}, 400, "unknown_parameter"),
        (_form(PART), 400, "malformed_form"),
        (_form(FILE, FILE), 400, "malformed_form"),
        (_form(FILE, ('name="other"', "text/plain", b"x")), 400, "malformed_form"),
        (_form(FILE, ('name="mapping"', "application/json", b"{")), 400, "malformed_json"),
        (_form(('name="file"; filename="a.exe"', "application/octet-stream", CSV)), 415, "unsupported_media_type"),
        (_form(('name="file"; filename="a.csv"', "text/csv", b"")), 400, "empty_body"),
        ({**_form(FILE), "body": b"--yy"}, 400, "malformed_form"),
        ({"body": CSV, "headers": {"Content-Type": "multipart/form-data"}}, 400, "malformed_form"),
    ],
)
def test_what_is_no_file_is_refused_and_no_service_asked(
    client: Any, bus: FakeBus, request_: JSON, status: int, code: str
) -> None:
    answer = client.simulate_post("/v1/accounts/import", **request_)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert bus.asked("record.import") == []


def test_who_may_not_write_uploads_nothing(client: Any, bus: FakeBus, tmp_path: Path) -> None:
    grants = {"customer.account": {"read": "all", "update": "own"}}
    bus.answers["identity.authenticate"] = {"status": 200, "body": {**PRINCIPAL, "tenant": ID, "grants": grants}}
    answer = client.simulate_post("/v1/accounts/import", body=CSV, headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert list(tmp_path.iterdir()) == []


def test_mappings_are_saved_by_name(client: Any, bus: FakeBus) -> None:
    bus.answers["import.delete_mapping"] = {"status": 204, "body": None}
    bus.answers["import.mapping"] = Problem(404, "not_found", "There is no such mapping.")
    path = "/v1/accounts/import/mappings/Old%20CRM"
    assert client.simulate_put(path, json=MAPPING).status_code == 200
    assert bus.last["params"] == {"record": "customer.account", "name": "Old CRM", "mapping": MAPPING}
    assert client.simulate_get(path).status_code == 404
    assert client.simulate_delete(path).status_code == 204
    assert client.simulate_get("/v1/accounts/import/mappings").status_code == 200
