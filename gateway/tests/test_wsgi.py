"""How gunicorn gets its app."""

from __future__ import annotations

import threading
import time

import falcon.testing
import pytest

from chassis.bus.ports import BusUnavailable, OutcomeUnknown
from chassis.environment import SettingsError
from chassis.errors import Problem
from contracts.registry import SERVICES
from gateway import gunicorn_conf, wsgi
from gateway.tests.conftest import KEY


class Broker:
    """A transport that is there or not."""

    def __init__(self, connected=True, blocked=False):
        self._connected, self._blocked = connected, blocked

    def connected(self):
        return self._connected

    def blocked(self):
        return self._blocked


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        ({"status": 200, "body": None}, True),
        (Problem(503, "unavailable", "No database."), False),
        (BusUnavailable(), False),
        (OutcomeUnknown(), False),
    ],
)
def test_readiness_names_the_broker_and_every_service(bus, signer, answer, ready):
    bus.answers["service.ready"] = answer
    readiness = wsgi.BusReadiness(bus, Broker(), signer)
    assert readiness() == {"broker": True, **dict.fromkeys(SERVICES, ready)}
    assert readiness() == {"broker": True, **dict.fromkeys(SERVICES, ready)}
    assert sorted(service for service, _, _ in bus.requests) == sorted(SERVICES)


@pytest.mark.parametrize("broker", [Broker(connected=False), Broker(blocked=True)])
def test_without_a_broker_that_takes_messages_nobody_is_asked(bus, signer, broker):
    assert wsgi.BusReadiness(bus, broker, signer)() == {"broker": False, **dict.fromkeys(SERVICES, False)}
    assert not bus.requests


def test_a_service_that_hangs_delays_readiness_by_a_second_and_hides_no_other(bus, signer):
    class Hanging:
        def call(self, service, request, *, timeout):
            if service == "sales":
                threading.Event().wait(timeout)
                raise OutcomeUnknown
            return bus.call(service, request, timeout=timeout)

    began = time.monotonic()
    found = wsgi.BusReadiness(Hanging(), Broker(), signer)()
    assert [name for name, up in found.items() if not up] == ["sales"]
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(("missing", "status"), [("marketing", 200), ("identity", 503), ("broker", 503)])
def test_a_gateway_is_ready_without_services_that_not_everybody_needs(make, missing, status):
    found = {"broker": True, **dict.fromkeys(SERVICES, True), missing: False}
    answer = make(create={"readiness": lambda: found, "essential": wsgi.ESSENTIAL}).simulate_get("/readyz")
    assert (answer.status_code, answer.json["dependencies"][missing]) == (status, "down")
    assert answer.json["missing"] == ([missing] if status == 503 else [])


def test_the_client_of_the_bus_is_made_by_the_first_call(bus):
    class Transport:
        made = 0

        def caller(self):
            self.made += 1
            return bus

    transport = Transport()
    caller = wsgi.LateCaller(transport)
    assert transport.made == 0
    caller.call("identity", {"method": "identity.me"}, timeout=1)
    assert transport.made == 1


@pytest.mark.parametrize("missing", ["GUANXI_BUS", "GUANXI_CONTEXT_KEY"])
def test_without_its_bus_or_its_key_the_process_does_not_start(monkeypatch, missing):
    monkeypatch.setenv("GUANXI_BUS", "amqp://guest:guest@127.0.0.1:1/")
    monkeypatch.setenv("GUANXI_CONTEXT_KEY", KEY)
    monkeypatch.delenv(missing)
    with pytest.raises(SettingsError, match=missing):
        wsgi.build()


def test_a_short_key_is_refused(monkeypatch):
    monkeypatch.setenv("GUANXI_BUS", "amqp://guest:guest@127.0.0.1:1/")
    monkeypatch.setenv("GUANXI_CONTEXT_KEY", "secret")
    with pytest.raises(ValueError, match="GUANXI_CONTEXT_KEY: Shorter than minimum length 32"):
        wsgi.build()


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("GUANXI_BUS", "amqp://guest:guest@127.0.0.1:1/")
    monkeypatch.setenv("GUANXI_CONTEXT_KEY", KEY)
    monkeypatch.setenv("GUANXI_HTTPS", "true")
    monkeypatch.setenv("GUANXI_ALLOWED_HOSTS", "CRM.example,localhost")
    client = falcon.testing.TestClient(wsgi.build())
    assert "Strict-Transport-Security" in client.simulate_get("/livez").headers
    assert client.simulate_get("/nowhere", host="crm.example").status_code == 404
    assert client.simulate_get("/nowhere", host="evil.example").status_code == 421


def test_workers_are_threads_that_load_the_app_after_the_fork():
    assert gunicorn_conf.worker_class == "gthread"
    assert not gunicorn_conf.preload_app
    assert gunicorn_conf.graceful_timeout == 15
