"""Jobs over HTTP: whose they are by their id, what starts them, and their files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from chassis import blobs
from chassis.errors import not_found
from gateway.tests.conftest import ID, PRINCIPAL

JOB = f"sales-{ID}"
TENANT = "0199a1b2-c3d4-7e5f-8a6b-0000000000aa"


def test_the_id_of_a_job_names_the_service_that_is_asked(client, bus):
    for path, method, verb in (("", "job.get", "GET"), ("/cancel", "job.cancel", "POST"), ("/run", "job.run", "POST")):
        assert client.simulate_request(verb, f"/v1/jobs/{JOB}{path}").status_code == 200
        service, request, _ = bus.asked()[-1]
        assert (service, request["method"], request["params"]) == ("sales", method, {"id": ID})


@pytest.mark.parametrize("job", [ID, f"nowhere-{ID}", "sales-1", f"sales-{ID}x", f"sales_{ID}"])
def test_what_is_no_jobs_id_is_not_found_and_asks_nobody(client, bus, job):
    for path, verb in (("", "GET"), ("/cancel", "POST"), ("/result", "GET")):
        answer = client.simulate_request(verb, f"/v1/jobs/{job}{path}")
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert bus.asked() == []


def test_ones_own_jobs_are_listed_by_collection(client, bus):
    assert client.simulate_get("/v1/jobs").status_code == 400
    client.simulate_get("/v1/jobs", query_string="collection=orders&state=running&limit=5")
    service, request, _ = bus.asked()[0]
    assert (service, request["method"]) == ("sales", "job.list")
    assert request["params"] == {"record": "sales.order", "state": "running", "limit": 5, "after": None}


def test_an_export_is_accepted_with_the_address_of_its_job(client, bus):
    bus.answers["record.export"] = {"status": 202, "body": {"id": JOB}, "location": f"/v1/jobs/{JOB}"}
    answer = client.simulate_post("/v1/orders/export", json={"format": "xlsx", "fields": ["number"], "sort": "-number"})
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{JOB}")
    assert bus.last["params"] == {
        "record": "sales.order",
        "filter": None,
        "deleted": None,
        "sort": "-number",
        "fields": ["number"],
        "format": "xlsx",
        "style": "human",
    }


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("export", {"format": "pdf"}, "format"),
        ("export", {"style": 1}, "style"),
        ("export", {"fields": ["nothing"]}, "fields"),
        ("export", {"limit": 5}, "limit"),
        ("bulk-jobs", {"action": "explode"}, "action"),
        ("bulk-jobs", {"action": "delete", "patch": {}}, "patch"),
        ("bulk-jobs", {"action": "update", "all": "yes", "patch": {}}, "all"),
        ("bulk-jobs", {"action": "update", "filter": [], "patch": {}}, "filter"),
        ("bulk-jobs", {"action": "update", "all": True, "patch": {"version": 3}}, "version"),
        ("bulk-jobs", {"action": "update", "all": True}, ""),
    ],
)
def test_a_wrong_body_is_refused_with_the_field_and_asks_nobody(client, bus, path, body, field):
    answer = client.simulate_post(f"/v1/accounts/{path}", json=body)
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json["errors"]]
    assert bus.asked() == []


def test_a_file_is_streamed_as_an_attachment_that_no_page_shows(make, bus, tmp_path: Path):
    bus.answers["identity.authenticate"] = {"status": 200, "body": {**PRINCIPAL, "tenant": TENANT}}
    content = b"<script>alert(1)</script>" * 100_000
    blob = blobs.connect(tmp_path.as_uri()).of("sales", TENANT).put(io.BytesIO(content))
    entry = {"key": blob.key, "name": '订单 "1".csv', "type": "text/csv; charset=utf-8", "size": blob.size}
    bus.answers["job.file"] = {"status": 200, "body": entry}
    answer = make(blobs=tmp_path.as_uri()).simulate_get(f"/v1/jobs/{JOB}/result")
    assert answer.content == content
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%E8%AE%A2%E5%8D%95%20%221%22.csv"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert bus.last["params"] == {"id": ID, "which": "result"}


def test_a_file_of_somebody_else_is_not_found(client, bus):
    bus.answers["job.file"] = not_found("job")
    assert client.simulate_get(f"/v1/jobs/{JOB}/errors").status_code == 404
