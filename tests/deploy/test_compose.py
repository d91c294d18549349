"""The suite on one machine with containers."""

from __future__ import annotations

import re
import tomllib

import yaml

from contracts.registry import SERVICES
from suite.cli import main
from tests.deploy.manifests import DEPLOY, JSON, ROOT

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVERS = {"postgres", "rabbitmq"}
# Started only by those who ask for them.
OPTIONAL = {"elasticsearch"}


def ours() -> dict[str, JSON]:
    return {one: service for one, service in COMPOSE["services"].items() if one not in SERVERS | OPTIONAL}


def test_every_service_of_the_registry_runs() -> None:
    wanted = {service: ["serve", service] for service in SERVICES}
    found = {one: service["command"] for one, service in ours().items()}
    assert wanted.items() <= found.items()
    assert found.keys() - wanted.keys() == {"migrate", "gateway", "gateway-streams"}


def test_every_container_runs_a_command_that_the_suite_has() -> None:
    for service in ours().values():
        command, *rest = service["command"]
        main.commands[command].make_context(command, list(rest))


def test_every_container_of_the_suite_is_shut_in() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for one, service in ours().items():
        assert service["image"] == f"guanxi:{version}", one
        assert service["read_only"] is True and service["tmpfs"] == ["/tmp"], one
        assert service["cap_drop"] == ["ALL"], one
        assert service["security_opt"] == ["no-new-privileges:true"], one
        assert service["stop_grace_period"] == "40s", one


def test_services_start_after_the_migration_and_the_migration_after_the_servers() -> None:
    services = COMPOSE["services"]
    for service in SERVICES:
        assert services[service]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["depends_on"] == {one: {"condition": "service_healthy"} for one in sorted(SERVERS)}
    assert all("healthcheck" in services[one] for one in [*SERVERS, *SERVICES, "gateway", "gateway-streams"])


def test_only_the_gateway_is_published_and_to_this_machine_alone() -> None:
    published = {one: service["ports"] for one, service in COMPOSE["services"].items() if "ports" in service}
    assert published.keys() == {"gateway", "gateway-streams"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_only_the_migration_knows_the_superuser() -> None:
    knowing = {
        one
        for one, service in COMPOSE["services"].items()
        if "GUANXI_POSTGRES_PASSWORD" in str(service.get("environment"))
    }
    assert knowing == {"postgres", "migrate"}


def test_postgres_allows_the_connections_that_all_services_may_hold() -> None:
    (allowed,) = [
        int(found.group(1))
        for one in COMPOSE["services"]["postgres"]["command"]
        if (found := re.fullmatch(r"max_connections=(\d+)", one))
    ]
    # The pools of a process (12 for its work, 2 for operations), its lock, and some for people and migrations.
    assert allowed >= len(SERVICES) * (12 + 2 + 1) + 20


def test_the_servers_are_the_supported_majors() -> None:
    assert {one: COMPOSE["services"][one]["image"] for one in SERVERS} == {
        "postgres": "postgres:17",
        "rabbitmq": "rabbitmq:4-management",
    }


def test_elasticsearch_starts_only_where_its_profile_is_asked_for() -> None:
    for one in OPTIONAL:
        service = COMPOSE["services"][one]
        assert service["profiles"] == [one]
        assert "healthcheck" in service and service["networks"] == ["inside"] and "ports" not in service
    given = COMPOSE["services"]["search"]["environment"]["GUANXI_ELASTICSEARCH"]
    assert given == "${GUANXI_ELASTICSEARCH:-}"
