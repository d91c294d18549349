"""Settings have names that the suite reads, and no secret is in a file."""

from __future__ import annotations

import re

import pytest
import yaml
from sqlalchemy.engine import make_url

from contracts.registry import SERVICES
from deploy.pods import SECRETS
from tests.deploy.manifests import (
    DEPLOY,
    JSON,
    K8S,
    ROOT,
    WORKLOADS,
    container,
    env_file,
    known_variables,
    name,
    of_kind,
)

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SECRET_NAMES = re.compile(r"PASSWORD|SECRET|_KEY$|GUANXI_BUS$|_URL$")
# Of the services of compose that are not ours.
SERVERS = ("postgres", "rabbitmq", "elasticsearch")


@pytest.mark.parametrize("workload", of_kind(*WORKLOADS), ids=name)
def test_every_variable_of_a_pod_is_read_by_the_suite(workload: JSON) -> None:
    assert {one["name"] for one in container(workload)["env"]} <= known_variables()


@pytest.mark.parametrize("path", sorted(K8S.rglob("*.env")), ids=lambda path: str(path.relative_to(K8S)))
def test_every_variable_of_a_settings_file_is_read_by_the_suite(path) -> None:
    assert env_file(path).keys() <= known_variables()


def test_every_variable_that_compose_gives_is_read_by_the_suite() -> None:
    given = {
        key for one, service in COMPOSE["services"].items() if one not in SERVERS for key in service["environment"]
    }
    assert given and given <= known_variables()


def test_the_documented_settings_are_the_ones_that_are_read() -> None:
    documented = set(re.findall(r"GUANXI_[A-Z0-9_]+", (ROOT / "docs/scaling.md").read_text()))
    # The command line's options stand for the first three; the others concern the embedded suite and its clients.
    elsewhere = {"GUANXI_STREAMS", "GUANXI_HOST", "GUANXI_WORKERS", "GUANXI_DATA", "GUANXI_API_KEY"}
    elsewhere |= {"GUANXI_CHECK_AFTER"}
    assert documented == known_variables() - elsewhere


@pytest.mark.parametrize("workload", of_kind(*WORKLOADS), ids=name)
def test_secrets_of_a_pod_are_references(workload: JSON) -> None:
    for one in container(workload)["env"]:
        if one["name"] in SECRETS:
            reference = one["valueFrom"]["secretKeyRef"]
            assert (reference["name"], reference["key"]) == (SECRETS[one["name"]], one["name"])
        else:
            assert not SECRET_NAMES.search(one["name"])


def test_no_manifest_is_a_secret() -> None:
    assert of_kind("Secret") == []


def test_no_file_holds_a_password() -> None:
    # A password in an address is a reference to a variable or the word PASSWORD.
    address = re.compile(r"://[^/\s:@]*:(?!\$\{|PASSWORD@|password@)[^@\s/]+@")
    offending = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != ".env"
        for found in address.finditer(path.read_text())
    ]
    assert offending == []


def test_the_example_of_secrets_has_none_and_compose_refuses_it() -> None:
    example = env_file(DEPLOY / "example.env")
    text = (DEPLOY / "compose.yaml").read_text()
    demanded = set(re.findall(r"\$\{(\w+):\?", text))
    assert demanded == {one for one in example if SECRET_NAMES.search(one) and not one.endswith("_URL")}
    assert {example[one] for one in demanded} == {""}
    # A default beside the demand, or a use without it, would let an empty secret through.
    assert {one for one, rest in re.findall(r"\$\{(\w+)(:[?-])?", text) if rest != ":?"}.isdisjoint(demanded)
    assert set(re.findall(r"\$\{(\w+)", text)) == example.keys()


def test_the_file_with_secrets_is_not_committed_nor_sent_to_the_builder() -> None:
    assert ".env" in (DEPLOY / ".gitignore").read_text().splitlines()
    assert "**/.env*" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()


def test_every_address_of_a_database_names_a_driver_that_the_image_has() -> None:
    given = [env_file(K8S / "base/services.env")["GUANXI_DATABASE_URL"]]
    given += [
        service["environment"]["GUANXI_DATABASE_URL"]
        for service in COMPOSE["services"].values()
        if "GUANXI_DATABASE_URL" in service["environment"]
    ]
    for text in (DEPLOY / "k8s/base/README.md", DEPLOY / "k8s/overlays/prod/README.md"):
        given += re.findall(r"postgresql[+\w]*://[^\s`\]]+", text.read_text())
    assert len(given) > len(SERVICES)
    # A plain `postgresql://` means the driver that SQLAlchemy likes best, which is another one.
    assert {make_url(one).drivername for one in given} == {"postgresql+psycopg2"}
