"""How gunicorn gets its app."""

from __future__ import annotations

import falcon.testing
import pytest
from environs import EnvError

from chassis.bus.ports import BusUnavailable
from chassis.errors import Problem
from gateway import gunicorn_conf, wsgi
from gateway.tests.conftest import KEY


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (Problem(401, "unauthenticated", "No such token."), True),
        (Problem(503, "unavailable", "No database."), False),
        (BusUnavailable(), False),
    ],
)
def test_ready_means_that_identity_answers_over_the_bus(bus, signer, answer, ready):
    bus.answers["identity.authenticate"] = answer
    readiness = wsgi.BusReadiness(bus, signer)
    assert readiness() == {"identity": ready}
    assert readiness() == {"identity": ready}
    assert len(bus.requests) == 1


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
    with pytest.raises(EnvError, match=missing):
        wsgi.build()


def test_a_short_key_is_refused(monkeypatch):
    monkeypatch.setenv("GUANXI_BUS", "amqp://guest:guest@127.0.0.1:1/")
    monkeypatch.setenv("GUANXI_CONTEXT_KEY", "secret")
    with pytest.raises(ValueError, match="32 bytes"):
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
