"""Bases, components and overlays fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contracts.registry import SERVICES
from deploy.generate import heavy, kinds, takes_commands
from tests.deploy.manifests import K8S, OVERLAYS, WORKLOADS, built, container, in_files, name, of_kind, template

KUSTOMIZATIONS = sorted(K8S.rglob("kustomization.yaml"))


def _id(path: Path) -> str:
    return str(path.parent.relative_to(K8S))


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=_id)
def test_what_a_kustomization_names_exists_and_nothing_is_left_out(path: Path) -> None:
    found = yaml.safe_load(path.read_text())
    named = [path.parent / one for one in [*found.get("resources", []), *found.get("components", [])]]
    named += [path.parent / one["path"] for one in found.get("patches", [])]
    named += [path.parent / env for one in found.get("configMapGenerator", []) for env in one.get("envs", [])]
    assert [str(one) for one in named if not one.exists()] == []
    here = {one for one in path.parent.rglob("*") if one.suffix in (".yaml", ".env")} - {path}
    assert sorted(here - set(named)) == []


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=_id)
def test_every_kustomization_is_explained(path: Path) -> None:
    assert (path.parent / "README.md").read_text().startswith("# ")


def test_every_component_is_part_of_production() -> None:
    found = yaml.safe_load((K8S / "overlays/prod/kustomization.yaml").read_text())
    assert {Path(one).name for one in found["components"]} == {one.name for one in (K8S / "components").iterdir()}


def test_no_name_is_given_twice_to_things_of_a_kind() -> None:
    kinds = {one["kind"] for found in in_files().values() for one in found if isinstance(one, dict)}
    for kind in kinds - {"Kustomization", "Component"}:
        names = [name(one) for one in of_kind(kind)]
        assert len(names) == len(set(names)), kind


def test_queues_that_scale_a_service_are_its_own() -> None:
    found = {
        name(one): {trigger["metadata"]["queueName"] for trigger in one["spec"]["triggers"]}
        for one in of_kind("ScaledObject")
    }
    wanted = {f"{service}-rpc": {f"rpc-{service}"} for service in SERVICES}
    for service in SERVICES:
        if not heavy(service):
            commands = {f"cmd-{service}"} if takes_commands(service) else set()
            wanted[f"{service}-events"] = {f"evt-{service}"} | commands
    assert found == wanted


def test_whatever_scales_names_a_deployment_and_its_authentication() -> None:
    deployments = {name(one) for one in of_kind("Deployment")}
    for one in of_kind("ScaledObject", "HorizontalPodAutoscaler"):
        assert one["spec"]["scaleTargetRef"]["name"] in deployments
    known = {name(one) for one in of_kind("TriggerAuthentication")}
    for one in of_kind("ScaledObject"):
        assert {trigger["authenticationRef"]["name"] for trigger in one["spec"]["triggers"]} == known


def test_the_ingress_publishes_the_api_through_services_that_exist_and_keeps_probes_inside() -> None:
    (ingress,) = of_kind("Ingress")
    (rule,) = ingress["spec"]["rules"]
    paths = {one["path"]: one["backend"]["service"]["name"] for one in rule["http"]["paths"]}
    assert paths.pop("/v1/events") == "gateway-streams"
    assert paths.keys() == {"/v1", "/docs", "/openapi.json", "/asyncapi.json"}
    assert set(paths.values()) == {"gateway"}
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]


def test_the_ingress_and_the_gateway_agree_on_the_host() -> None:
    (ingress,) = of_kind("Ingress")
    assert (
        f"GUANXI_ALLOWED_HOSTS={ingress['spec']['rules'][0]['host']}\n"
        in (K8S / "components/ingress/gateway.env").read_text()
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_builds_with_one_image_in_one_namespace(overlay: str) -> None:
    found = built(overlay)
    assert {container(one)["image"] for one in found if one["kind"] in WORKLOADS} == {
        container(of_kind("Job")[0])["image"]
    }
    assert {one["metadata"].get("namespace", "guanxi") for one in found} == {"guanxi"}
    assert (
        len([one for one in found if one["kind"] == "Deployment"])
        == sum(len(kinds(service)) for service in SERVICES) + 2
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_settings_map_that_a_pod_of_an_overlay_reads_is_built_with_it(overlay: str) -> None:
    found = built(overlay)
    maps = {name(one) for one in found if one["kind"] == "ConfigMap"}
    read = {
        source["configMapRef"]["name"]
        for one in found
        if one["kind"] in WORKLOADS
        for source in container(one)["envFrom"]
    }
    assert read == maps


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_that_the_migration_needs_is_applied_with_it(overlay: str) -> None:
    early = [one for one in built(overlay) if one["metadata"]["labels"].get("guanxi-phase") == "prepare"]
    (job,) = [one for one in early if one["kind"] == "Job"]
    assert not {"Deployment", "CronJob"} & {one["kind"] for one in early}
    assert container(job)["envFrom"][0]["configMapRef"]["name"] in {
        name(one) for one in early if one["kind"] == "ConfigMap"
    }
    assert template(job)["spec"]["serviceAccountName"] in {
        name(one) for one in early if one["kind"] == "ServiceAccount"
    }
    edges = {name(one) for one in early if one["kind"] == "NetworkPolicy"}
    assert {"deny-all", "to-dns", "to-bus", "to-database"} <= edges
    assert "Namespace" in {one["kind"] for one in early}


def test_in_production_either_the_manifest_or_a_scaler_says_how_many_replicas_there_are() -> None:
    found = built("prod")
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]
        for one in found
        if one["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")
    }
    fixed = {name(one): one["spec"].get("replicas") for one in found if one["kind"] == "Deployment"}
    assert {one for one, count in fixed.items() if count is None} == scaled
    assert {count for count in fixed.values() if count is not None} == {2}
    assert {f"{service}-relay" for service in SERVICES} <= fixed.keys() - scaled


def test_in_development_there_is_one_replica_of_everything() -> None:
    assert {one["spec"]["replicas"] for one in built("dev") if one["kind"] == "Deployment"} == {1}
