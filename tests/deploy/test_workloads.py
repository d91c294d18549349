"""What every pod of the suite keeps to, and that the manifests are those of the registry."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from contracts.registry import SERVICES
from deploy.generate import kinds
from suite.cli import main
from tests.deploy.manifests import DEPLOY, JSON, ROOT, WORKLOADS, container, in_files, name, of_kind, template

ALL = pytest.mark.parametrize("workload", of_kind(*WORKLOADS), ids=name)
DEPLOYMENTS = pytest.mark.parametrize("workload", of_kind("Deployment"), ids=name)


def test_the_manifests_are_what_the_registry_says() -> None:
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "generate.py"), "--check"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, f"run `python deploy/generate.py`: {done.stdout}{done.stderr}"


def test_each_service_has_a_deployment_for_each_kind_of_work() -> None:
    found = {name(one): container(one)["args"] for one in of_kind("Deployment")}
    wanted = {
        f"{service}-{kind}": ["serve", service, "--only", kind] for service in SERVICES for kind in kinds(service)
    }
    assert wanted.items() <= found.items()
    assert found.keys() - wanted.keys() == {"gateway", "gateway-streams"}


@ALL
def test_every_container_runs_a_command_that_the_suite_has(workload: JSON) -> None:
    command, *rest = container(workload)["args"]
    context = main.commands[command].make_context(command, list(rest))
    assert context.params.get("host") in (None, "0.0.0.0")


@ALL
def test_all_pods_run_the_same_image_of_this_version(workload: JSON) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert container(workload)["image"] == f"guanxi:{version}"


@ALL
def test_every_pod_runs_without_privileges_or_a_token(workload: JSON) -> None:
    spec, one = template(workload)["spec"], container(workload)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert all("hostPath" not in volume for volume in spec["volumes"])


@ALL
def test_every_pod_may_write_to_its_own_tmp_and_those_with_files_to_the_blobs(workload: JSON) -> None:
    scratch, *shared = template(workload)["spec"]["volumes"]
    mounts = [{"name": scratch["name"], "mountPath": "/tmp"}]
    component = template(workload)["metadata"]["labels"]["app.kubernetes.io/component"]
    if component in ("rpc", "relay", "jobs", "http", "streams", "check", "reconcile"):
        (claim,) = of_kind("PersistentVolumeClaim")
        assert shared == [{"name": "blobs", "persistentVolumeClaim": {"claimName": name(claim)}}]
        looks_only = {"readOnly": True} if component in ("check", "reconcile") else {}
        mounts.append({"name": "blobs", "mountPath": "/blobs", **looks_only})
    else:
        assert shared == []
    assert container(workload)["volumeMounts"] == mounts
    assert scratch["emptyDir"]["sizeLimit"]


@ALL
def test_every_pod_asks_for_what_it_needs_and_bounds_its_memory(workload: JSON) -> None:
    resources = container(workload)["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert resources["limits"].keys() == {"memory"}


@ALL
def test_every_pod_has_an_account_that_exists_and_mounts_no_token(workload: JSON) -> None:
    accounts = {name(one): one for one in of_kind("ServiceAccount")}
    assert accounts[template(workload)["spec"]["serviceAccountName"]]["automountServiceAccountToken"] is False


@ALL
def test_every_pod_has_time_to_drain(workload: JSON) -> None:
    assert template(workload)["spec"]["terminationGracePeriodSeconds"] == 40


@DEPLOYMENTS
def test_liveness_asks_the_process_alone_and_readiness_what_it_depends_on(workload: JSON) -> None:
    one = container(workload)
    asked = {kind: one[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}


@DEPLOYMENTS
def test_probes_go_to_the_port_that_the_process_is_told(workload: JSON) -> None:
    one = container(workload)
    given = {each["name"]: each.get("value") for each in one["env"]}
    (port,) = one["ports"]
    told = given.get("GUANXI_PROBE_PORT") or given["GUANXI_PORT"]
    assert str(port["containerPort"]) == told
    assert {one[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")} == {port["name"]}


@DEPLOYMENTS
def test_a_rolling_upgrade_never_takes_a_replica_away_first(workload: JSON) -> None:
    assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert workload["spec"]["replicas"] == 2


@DEPLOYMENTS
def test_the_selector_of_a_deployment_selects_its_pods_and_no_others(workload: JSON) -> None:
    selector = workload["spec"]["selector"]["matchLabels"].items()
    selected = [name(one) for one in of_kind(*WORKLOADS) if selector <= template(one)["metadata"]["labels"].items()]
    assert selected == [name(workload)]


@DEPLOYMENTS
def test_a_disruption_leaves_one_replica_of_everything(workload: JSON) -> None:
    (budget,) = [one for one in of_kind("PodDisruptionBudget") if name(one) == name(workload)]
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == workload["spec"]["selector"]


def test_services_send_to_pods_that_exist_and_to_a_port_that_they_name() -> None:
    found = of_kind("Service")
    assert {"gateway", "gateway-streams"} <= {name(one) for one in found}
    for one in found:
        selected = [
            workload
            for workload in of_kind("Deployment")
            if one["spec"]["selector"].items() <= template(workload)["metadata"]["labels"].items()
        ]
        assert selected, name(one)
        for workload in selected:
            ports = {port["name"] for port in container(workload)["ports"]}
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports


def test_the_check_reports_for_machines_and_is_never_run_twice_at_once() -> None:
    (check,) = [one for one in of_kind("CronJob") if name(one) == "check"]
    assert container(check)["args"] == ["check", "--json"]
    assert check["spec"]["concurrencyPolicy"] == "Forbid"
    assert check["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_the_data_is_checked_every_hour_and_repaired_by_night() -> None:
    crons = {name(one): one for one in of_kind("CronJob")}
    commands = {one: (crons[one]["spec"]["schedule"], container(crons[one])["args"]) for one in ("check", "reconcile")}
    assert commands == {
        "check": ("17 * * * *", ["check", "--json"]),
        "reconcile": ("47 3 * * *", ["check", "--repair", "--json"]),
    }


def test_only_the_migration_gets_the_superuser() -> None:
    holders = {
        name(one)
        for one in of_kind(*WORKLOADS)
        for each in container(one)["env"]
        if each["name"] == "GUANXI_DATABASE_URL"
    }
    assert holders == {"migrate"}


def test_the_gateway_gets_no_secret_of_the_databases() -> None:
    for one in of_kind("Deployment"):
        if name(one).startswith("gateway"):
            secret = {each["name"] for each in container(one)["env"] if "valueFrom" in each}
            files = {"GUANXI_S3_ACCESS_KEY", "GUANXI_S3_SECRET_KEY"}
            assert secret == {"GUANXI_BUS", "GUANXI_CONTEXT_KEY"} | files


def test_every_file_of_manifests_can_be_read() -> None:
    assert all(found for found in in_files().values())
