"""Writes the Kubernetes manifests that follow from the service registry: `python deploy/generate.py`.

The services differ by a few values only, so nobody copies their manifests by hand. What is written is committed, and a
test compares it with what this would write; `--check` does the same and exits 1 where they differ.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import yaml

warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

from contracts.registry import SERVICES  # noqa: E402
from deploy.pods import (  # noqa: E402
    CPU,
    JSON,
    PREPARE,
    REPLICAS,
    account,
    container,
    deployment,
    disruption,
    everywhere,
    labels,
    mount_files,
    pod,
    probes,
    resource,
    secret,
    value,
    with_files,
)
from suite.host import KINDS, definition_of  # noqa: E402

HERE = Path(__file__).resolve().parent
K8S = HERE / "k8s"
HEADER = "# Written by `python deploy/generate.py` from the service registry. Change the generator, not this file.\n"

HTTP_PORT, PROBE_PORT = 8080, 8090
# Connections to PostgreSQL that one process may hold for its work. The relay works in two threads, one step at a time.
# Jobs have connections of their own, three each.
POOL = {"rpc": 12, "events": 8, "relay": 4, "jobs": 2}
SERVICE_SECRETS = ("GUANXI_BUS", "GUANXI_CONTEXT_KEY", "GUANXI_DATABASE_SECRET")
# Only where files lie in a store of objects and not in the volume.
FILE_SECRETS = ("GUANXI_S3_ACCESS_KEY", "GUANXI_S3_SECRET_KEY")
# A service without these does less: no AMQP subscriptions for outsiders, no e-mail, searches in PostgreSQL.
OPTIONAL_SECRETS = {
    "eventlog": "GUANXI_BROKER_MANAGEMENT_URL",
    "notify": "GUANXI_SMTP_URL",
    "search": "GUANXI_ELASTICSEARCH",
}


def heavy(service: str) -> bool:
    """Whether one reader at a time takes this service's events in batches, so that more replicas only stand by."""
    return definition_of(service).batch is not None


def kinds(service: str) -> tuple[str, ...]:
    """The kinds of work that a service has; one without records has no jobs."""
    return KINDS if definition_of(service).stores else tuple(kind for kind in KINDS if kind != "jobs")


def takes_commands(service: str) -> bool:
    definition = definition_of(service)
    return bool(definition.asks or definition.sagas)


def service_files(service: str) -> list[JSON]:
    found: list[JSON] = [account(service)]
    for kind in kinds(service):
        env = [value("GUANXI_PROBE_PORT", PROBE_PORT), value("GUANXI_POOL_SIZE", POOL[kind])]
        env += [secret(variable) for variable in SERVICE_SECRETS]
        env += [secret(variable, optional=True) for variable in FILE_SECRETS]
        if service in OPTIONAL_SECRETS:
            env.append(secret(OPTIONAL_SECRETS[service], optional=True))
        size = "heavy" if kind == "events" and heavy(service) else kind
        ports = [{"name": "probes", "containerPort": PROBE_PORT}]
        one = container(
            kind,
            ["serve", service, "--only", kind],
            env,
            "guanxi-services",
            size,
            CPU[kind],
            ports=ports,
            **probes("probes", ready_failures=3),
        )
        full_name = f"{service}-{kind}"
        made = deployment(service, kind, service, full_name, one)
        if kind != "events":
            # A call looks into a file before its record is written; the relay sweeps what nothing needs any more; a job
            # writes its file to the scratch space first.
            made = with_files(made, scratch="8Gi" if kind == "jobs" else None)
        found.append(made)
        found.append(disruption(service, kind, full_name))
    return found


def gateway_files() -> list[JSON]:
    found: list[JSON] = [account("gateway")]
    # One process holds all streams of a pod in its threads; the rest of the API has two processes.
    for component, workers, extra in (("http", 2, []), ("streams", 1, ["--streams"])):
        name = "gateway" if component == "http" else "gateway-streams"
        args = ["gateway", *extra, "--host", "0.0.0.0", "--workers", str(workers)]
        env = [value("GUANXI_PORT", HTTP_PORT), secret("GUANXI_BUS"), secret("GUANXI_CONTEXT_KEY")]
        env += [secret(variable, optional=True) for variable in FILE_SECRETS]
        one = container(
            "gateway",
            args,
            env,
            "guanxi-gateway",
            "gateway",
            CPU["gateway"],
            ports=[{"name": "http", "containerPort": HTTP_PORT}],
            # All replicas lose the bus together. For half a minute they answer that themselves, with Retry-After,
            # before they are taken out of the Service and nobody answers any more.
            **probes("http", ready_failures=10),
            # Proxies go on sending for a moment after a pod was told to end.
            lifecycle={"preStop": {"exec": {"command": ["sleep", "5"]}}},
        )
        # An upload for a store of objects waits in the scratch space until it is whole.
        found.append(with_files(deployment("gateway", component, "gateway", name, one), scratch="8Gi"))
        found.append(disruption("gateway", component, name))
        port = {"name": "http", "port": 80, "targetPort": "http"}
        spec = {"type": "ClusterIP", "selector": labels("gateway", component), "ports": [port]}
        found.append(resource("v1", "Service", name, spec, **everywhere("gateway", component)))
    return found


def migrate_files() -> list[JSON]:
    """The Job is applied alone and awaited before anything of its version starts."""
    env = [secret(name) for name in ("GUANXI_DATABASE_URL", *SERVICE_SECRETS)]
    one = container("migrate", ["migrate"], env, "guanxi-services", "rpc", CPU["rpc"])
    spec = {
        "backoffLimit": 6,
        "activeDeadlineSeconds": 1800,
        "ttlSecondsAfterFinished": 86400,
        "template": pod("migrate", "migrate", "migrate", one, restartPolicy="Never"),
    }
    return [
        account("migrate"),
        resource("batch/v1", "Job", "migrate", spec, **everywhere("migrate", "migrate"), **PREPARE),
    ]


def check_files() -> list[JSON]:
    env = [secret(name) for name in SERVICE_SECRETS]
    # Without the management the bindings of queues are not checked.
    env.append(secret(OPTIONAL_SECRETS["eventlog"], optional=True))
    env += [secret(name, optional=True) for name in FILE_SECRETS]
    one = container("check", ["check", "--json"], env, "guanxi-services", "rpc", CPU["rpc"])
    template = pod("check", "check", "check", one, restartPolicy="Never")
    # By night what agrees is sealed, so that inboxes may be tidied, and what is missing is published again.
    mending = container("reconcile", ["check", "--repair", "--json"], env, "guanxi-services", "rpc", CPU["rpc"])
    by_night = pod("check", "reconcile", "check", mending, restartPolicy="Never")
    crons = [
        cron("check", "17 * * * *", "check", {"backoffLimit": 0, "template": template}),
        cron("reconcile", "47 3 * * *", "check", {"backoffLimit": 0, "template": by_night}),
    ]
    for one in crons:
        mount_files(one["spec"]["jobTemplate"]["spec"]["template"]["spec"], read_only=True)
    return [account("check"), *crons]


def months_files() -> list[JSON]:
    """Migrating again makes the partitions of the months ahead, so that a version may stay for as long as it likes."""
    env = [secret(name) for name in SERVICE_SECRETS]
    one = container("months", ["migrate", "--no-provision"], env, "guanxi-services", "rpc", CPU["rpc"])
    template = pod("migrate", "months", "migrate", one, restartPolicy="Never")
    return [cron("months", "41 2 1,15 * *", "migrate", {"backoffLimit": 3, "template": template})]


def cron(name: str, schedule: str, account_name: str, job: JSON) -> JSON:
    spec = {
        "schedule": schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 7,
        "jobTemplate": {"spec": {"activeDeadlineSeconds": 3000, **job}},
    }
    return resource("batch/v1", "CronJob", name, spec, **everywhere(account_name, name))


def blobs_files() -> list[JSON]:
    """Uploads, exports and attachments. Processes on several nodes write there at once."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}}
    marks = {"app.kubernetes.io/part-of": "guanxi", **PREPARE}
    return [resource("v1", "PersistentVolumeClaim", "guanxi-blobs", spec, **marks)]


INSIDE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]


def network_files() -> list[JSON]:
    """Nothing reaches out but by these edges. Nothing is reached: components add who may reach gateway and probes."""
    part_of = {"matchLabels": {"app.kubernetes.io/part-of": "guanxi"}}
    # The second is the fixed address of a cluster's cache on each node, where it has one.
    dns = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]

    def named(*names: str) -> JSON:
        return {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": list(names)}]}

    def servers(role: str) -> list[JSON]:
        return [{"namespaceSelector": {"matchLabels": {f"guanxi-{role}": "true"}}}]

    def policy(name: str, selector: JSON, to: list[JSON] | None, *ports: int, udp: bool = False) -> JSON:
        edge: JSON = {"to": to} if to is not None else {}
        protocols = ("UDP", "TCP") if udp else ("TCP",)
        edge["ports"] = [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]
        spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": [edge]}
        marks = {"app.kubernetes.io/part-of": "guanxi", **PREPARE}
        return resource("networking.k8s.io/v1", "NetworkPolicy", name, spec, **marks)

    nothing = resource(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "deny-all",
        {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        **{"app.kubernetes.io/part-of": "guanxi", **PREPARE},
    )
    return [
        nothing,
        policy("to-dns", part_of, dns, 53, udp=True),
        policy("to-bus", named(*SERVICES, "gateway", "migrate", "check"), servers("bus"), 5672, 5671),
        policy("to-database", named(*SERVICES, "migrate", "check"), servers("database"), 5432),
        policy("to-broker-management", named("eventlog", "check"), servers("bus"), 15672, 15671),
        policy("to-elasticsearch", named("search"), servers("search"), 9200),
        policy("to-blobs", named(*SERVICES, "gateway", "check"), servers("blobs"), 443, 9000),
        policy("to-scanner", named(*SERVICES), servers("scanner"), 3310),
        policy("to-mail", named("notify"), None, 25, 465, 587),
        # The service checks every address itself; this is the second wall around what lies inside.
        policy("to-webhooks", named("notify"), [{"ipBlock": {"cidr": "0.0.0.0/0", "except": INSIDE}}], 443, 8443),
    ]


def kustomization(resources: list[str]) -> list[JSON]:
    generated = [
        {
            "name": name,
            "envs": [f"{name.removeprefix('guanxi-')}.env"],
            "options": {"labels": {"app.kubernetes.io/part-of": "guanxi", **PREPARE}},
        }
        for name in ("guanxi-services", "guanxi-gateway")
    ]
    return [
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "guanxi",
            "resources": resources,
            "configMapGenerator": generated,
        }
    ]


def scaled_object(service: str, kind: str, triggers: list[tuple[str, int]]) -> JSON:
    """`triggers` are queues with the number of messages that one replica is given to work on."""
    spec = {
        "scaleTargetRef": {"name": f"{service}-{kind}"},
        "minReplicaCount": REPLICAS,
        "maxReplicaCount": 10 if kind == "rpc" else 6,
        "pollingInterval": 10,
        "cooldownPeriod": 120,
        "fallback": {"failureThreshold": 3, "replicas": REPLICAS + 1},
        "triggers": [
            {
                "type": "rabbitmq",
                # The management API counts what is prefetched too, which a queue's own length leaves out.
                "metadata": {"protocol": "http", "mode": "QueueLength", "queueName": queue, "value": str(messages)},
                "authenticationRef": {"name": "guanxi-broker"},
            }
            for queue, messages in triggers
        ],
    }
    return resource("keda.sh/v1alpha1", "ScaledObject", f"{service}-{kind}", spec, **everywhere(service, kind))


def keda_files() -> list[JSON]:
    """Calls are scaled before they wait long, reactions later. Heavy readers are not: a second one would only watch."""
    found = []
    for service in SERVICES:
        found.append(scaled_object(service, "rpc", [(f"rpc-{service}", 20)]))
        if not heavy(service):
            commands = [(f"cmd-{service}", 200)] if takes_commands(service) else []
            found.append(scaled_object(service, "events", [(f"evt-{service}", 200), *commands]))
    return found


def files() -> dict[str, str]:
    """Every generated file: its path below `deploy/k8s` and its text."""
    base: dict[str, list[JSON]] = {
        "namespace.yaml": [
            resource(
                "v1",
                "Namespace",
                "guanxi",
                **{
                    "app.kubernetes.io/part-of": "guanxi",
                    "pod-security.kubernetes.io/enforce": "restricted",
                    **PREPARE,
                },
            )
        ],
        "network.yaml": network_files(),
        "blobs.yaml": blobs_files(),
        "migrate.yaml": migrate_files(),
        "check.yaml": check_files(),
        "months.yaml": months_files(),
        "gateway.yaml": gateway_files(),
        **{f"services/{service}.yaml": service_files(service) for service in SERVICES},
    }
    written = {f"base/{path}": manifests for path, manifests in base.items()}
    written["base/kustomization.yaml"] = kustomization(list(base))
    written["components/keda/scaledobjects.yaml"] = keda_files()
    return {path: HEADER + _text(manifests) for path, manifests in written.items()}


class _Plain(yaml.SafeDumper):
    """Without anchors, which would tie together what only happens to be equal."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(manifests: list[JSON]) -> str:
    return yaml.dump_all(manifests, Dumper=_Plain, sort_keys=False, width=120, explicit_start=True)


def outdated() -> list[str]:
    """Paths below `deploy/k8s` that differ from what would be written, or that no service needs any more."""
    wanted = files()
    differing = [path for path, text in wanted.items() if _read(K8S / path) != text]
    stray = [f"base/services/{path.name}" for path in (K8S / "base/services").glob("*.yaml")]
    return differing + [path for path in stray if path not in wanted]


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main(arguments: list[str]) -> int:
    changed = outdated()
    for path in changed:
        print(path)
    if arguments == ["--check"]:
        return 1 if changed else 0
    wanted = files()
    for path in changed:
        if path in wanted:
            (K8S / path).parent.mkdir(parents=True, exist_ok=True)
            (K8S / path).write_text(wanted[path])
        else:
            (K8S / path).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
