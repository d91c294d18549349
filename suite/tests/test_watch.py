"""The embedded suite's own check: what it found is measured, and stopping does not wait for it."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite import watch
from suite.measurements import measure
from suite.watch import Watch

RULES = [
    {"invariant": "I3", "rule": "every change is in the event log", "faults": 2},
    {"invariant": "I3", "rule": "positions are dense", "faults": 0},
    {"invariant": "I4", "rule": "sums are sums", "faults": 0},
]


def saying(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(watch, "COMMAND", (sys.executable, "-c", program))


def test_what_the_check_found_is_counted_by_invariant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saying(monkeypatch, f"print({json.dumps(json.dumps({'clean': False, 'rules': RULES}))})")
    one = Watch(tmp_path, first=0.0)
    one.start()
    end = time.monotonic() + 20
    while not one.checked_at and time.monotonic() < end:
        one._thread.join(0.05)
    one.stop()
    assert one.violations == {"I3": 2, "I4": 0}


@pytest.mark.parametrize("said", ["print('no json')", 'print(\'{"clean": null, "error": "no database"}\')', "1/0"])
def test_a_check_that_could_not_be_made_is_no_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    saying(monkeypatch, said)
    one = Watch(tmp_path)
    with suppress(ValueError):
        one._take(one._check())
    assert (one.checked_at, one.violations) == (0.0, {})


def test_stopping_ends_a_check_that_is_under_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saying(monkeypatch, "import time; time.sleep(600)")
    one = Watch(tmp_path, first=0.0)
    one.start()
    one.stop()
    assert not one._thread.is_alive()


def test_stuck_work_and_the_checks_result_are_measured(suite_of: Any, tmp_path: Path) -> None:
    suite = suite_of("customer", "inventory", "sales")
    tea = suite.create("inventory.product", {"name": "Tea"})["id"]
    account = suite.create("customer.account", {"name": "Alfreds"})["id"]
    suite.settle()
    line = {"product_id": tea, "quantity": "1", "unit_price": {"amount": "1", "currency": "USD"}}
    data = {"account_id": account, "currency": "USD", "ordered_on": "2026-11-23", "lines": [line]}
    suite.run("sales.order", suite.create("sales.order", data)["id"], "place")
    suite.runtime("sales")._bury("evt-sales", b"\xff", {}, "no JSON")
    with suite.runtime("sales").database.operations() as connection:
        for key, seconds in (("late", -600), ("early", 600)):
            connection.exec_driver_sql(
                "INSERT INTO timers VALUES (%s, 'nobody rings this', %s, now() + make_interval(secs => %s))",
                (suite.tenant, key, seconds),
            )
    checked = Watch(tmp_path)
    checked._take(json.dumps({"clean": False, "rules": RULES}))
    bus = SimpleNamespace(blocked=lambda: False, connected=lambda: True)
    host: Any = SimpleNamespace(runtimes=suite.bus.runtimes, transport=bus, leading=lambda: {"sales": True})
    lines = dict(line.rsplit(" ", 1) for line in measure(host, checked).decode().splitlines() if line[0] != "#")
    assert float(lines['guanxi_sagas{service="sales",state="running"}']) >= 1
    assert float(lines['guanxi_sagas_age_seconds{service="sales"}']) > 0
    assert float(lines['guanxi_sagas{service="customer",state="running"}']) == 0
    assert float(lines['guanxi_dead_letters{service="sales"}']) >= 1
    assert float(lines['guanxi_timers_overdue{service="sales"}']) == 1
    assert 600 <= float(lines['guanxi_timers_overdue_seconds{service="sales"}']) < 700
    assert float(lines['guanxi_timers_overdue{service="customer"}']) == 0
    assert lines['guanxi_check_violations{invariant="I3"}'] == "2.0"
    suite.settle()
