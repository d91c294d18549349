"""Every pod is shut in, and has exactly the edges that its settings need."""

from __future__ import annotations

import pytest

from tests.deploy.manifests import JSON, WORKLOADS, container, name, of_kind, selects, template

ALL = pytest.mark.parametrize("workload", of_kind(*WORKLOADS), ids=name)


def edges(workload: JSON) -> dict[str, JSON]:
    labels = template(workload)["metadata"]["labels"]
    return {
        name(policy): policy["spec"]
        for policy in of_kind("NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
    }


@ALL
def test_every_pod_is_denied_everything_that_no_edge_allows(workload: JSON) -> None:
    denied = edges(workload)["deny-all"]
    assert sorted(denied["policyTypes"]) == ["Egress", "Ingress"]
    assert not denied.get("ingress") and not denied.get("egress")


@ALL
def test_a_pod_reaches_the_servers_that_it_was_told_of_and_no_others(workload: JSON) -> None:
    given = {each["name"] for each in container(workload)["env"]}
    told_of_database = "GUANXI_DATABASE_SECRET" in given
    reached = edges(workload).keys()
    assert "to-dns" in reached
    assert ("to-database" in reached) == told_of_database
    assert ("to-bus" in reached) == ("GUANXI_BUS" in given)
    assert ("to-broker-management" in reached) == ("GUANXI_BROKER_MANAGEMENT_URL" in given)
    assert ("to-mail" in reached) == ("GUANXI_SMTP_URL" in given)
    assert ("to-elasticsearch" in reached) == ("GUANXI_ELASTICSEARCH" in given)
    assert ("to-blobs" in reached) == ("GUANXI_S3_ACCESS_KEY" in given)
    # An address without a secret in it stands in the settings of all services.
    told_of_settings = any(one["configMapRef"]["name"] == "guanxi-services" for one in container(workload)["envFrom"])
    works = template(workload)["metadata"]["labels"]["app.kubernetes.io/component"] in (
        "rpc",
        "events",
        "relay",
        "jobs",
    )
    assert ("to-scanner" in reached) == (told_of_settings and works)
    assert ("to-webhooks" in reached) == name(workload).startswith("notify-")


def test_the_edges_lead_to_the_servers_own_ports() -> None:
    found = {
        name(policy): {port["port"] for edge in policy["spec"].get("egress", []) for port in edge["ports"]}
        for policy in of_kind("NetworkPolicy")
        if policy["spec"].get("egress")
    }
    assert found == {
        "to-dns": {53},
        "to-bus": {5671, 5672},
        "to-database": {5432},
        "to-broker-management": {15671, 15672},
        "to-elasticsearch": {9200},
        "to-blobs": {443, 9000},
        "to-scanner": {3310},
        "to-mail": {25, 465, 587},
        "to-webhooks": {443, 8443},
    }


@ALL
def test_nobody_reaches_a_pod_but_for_http_and_measuring(workload: JSON) -> None:
    reachable = {policy for policy, spec in edges(workload).items() if spec.get("ingress")}
    component = template(workload)["metadata"]["labels"]["app.kubernetes.io/component"]
    http = {"from-monitoring", "from-ingress"}
    wanted = {"relay": {"from-monitoring"}, "http": http, "streams": http}
    assert reachable == wanted.get(component, set())


def test_no_edge_lets_everybody_in() -> None:
    for policy in of_kind("NetworkPolicy"):
        for edge in policy["spec"].get("ingress", []):
            assert edge["from"] and edge["ports"], name(policy)
