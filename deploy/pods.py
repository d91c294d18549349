"""What all pods of the suite have in common: image, probes, bounds, security, replicas."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

VERSION = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]["version"]
IMAGE = f"guanxi:{VERSION}"
# A process drains for up to 20 s and needs a few more to let go of its connections; the rest is margin.
GRACE_SECONDS = 40
REPLICAS = 2
# What is applied before the services of a new version start: see docs/scaling.md.
PREPARE = {"guanxi-phase": "prepare"}

# Where the processes that handle files find them: a volume that many nodes write to.
BLOBS = {"name": "blobs", "mountPath": "/blobs"}

# Memory in MiB, asked for and at most: an idle process takes about 100; a heavy reader holds a batch of 500 events,
# the relay a window of 256, each event of up to 1 MiB; two jobs may take 1 GiB each.
MEMORY = {
    "rpc": (160, 512),
    "events": (160, 512),
    "relay": (160, 640),
    "jobs": (200, 2560),
    "heavy": (256, 1536),
    "gateway": (256, 768),
}
CPU = {"rpc": "100m", "events": "100m", "relay": "50m", "jobs": "100m", "gateway": "200m"}

# Secrets are named here and made by whoever installs: deploy/k8s/base/README.md tells what each holds.
SECRETS = {
    "GUANXI_BUS": "guanxi-bus",
    "GUANXI_CONTEXT_KEY": "guanxi-keys",
    "GUANXI_DATABASE_SECRET": "guanxi-keys",
    "GUANXI_DATABASE_URL": "guanxi-superuser",
    "GUANXI_BROKER_MANAGEMENT_URL": "guanxi-broker-management",
    "GUANXI_SMTP_URL": "guanxi-smtp",
    "GUANXI_ELASTICSEARCH": "guanxi-elasticsearch",
    "GUANXI_S3_ACCESS_KEY": "guanxi-blobs",
    "GUANXI_S3_SECRET_KEY": "guanxi-blobs",
}


def labels(name: str, component: str) -> JSON:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": component}


def everywhere(name: str, component: str) -> JSON:
    return labels(name, component) | {"app.kubernetes.io/part-of": "guanxi"}


def resource(api: str, kind: str, name: str, spec: JSON | None = None, **marks: Any) -> JSON:
    """A manifest; `marks` are its labels."""
    found: JSON = {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": marks}}
    return found | ({"spec": spec} if spec is not None else {})


def secret(variable: str, *, optional: bool = False) -> JSON:
    reference: JSON = {"name": SECRETS[variable], "key": variable}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference | ({"optional": True} if optional else {})}}


def value(variable: str, given: object) -> JSON:
    return {"name": variable, "value": str(given)}


def probe(path: str, port: str, **timing: int) -> JSON:
    return {"httpGet": {"path": path, "port": port}, **timing}


def probes(port: str, ready_failures: int) -> JSON:
    """Liveness asks nobody, so that trouble elsewhere kills no process; readiness asks what the process depends on."""
    return {
        "startupProbe": probe("/livez", port, periodSeconds=2, timeoutSeconds=2, failureThreshold=60),
        "livenessProbe": probe("/livez", port, periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "readinessProbe": probe("/readyz", port, periodSeconds=3, timeoutSeconds=5, failureThreshold=ready_failures),
    }


def container(name: str, args: list[str], env: list[JSON], settings: str, size: str, cpu: str, **more: Any) -> JSON:
    asked, most = MEMORY[size]
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "envFrom": [{"configMapRef": {"name": settings}}],
        "env": env,
        **more,
        # Memory is bounded; the processor is only shared, since a bound on it stalls a process that others leave idle.
        "resources": {"requests": {"cpu": cpu, "memory": f"{asked}Mi"}, "limits": {"memory": f"{most}Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def pod(name: str, component: str, account: str, one: JSON, **more: Any) -> JSON:
    return {
        "metadata": {"labels": everywhere(name, component)},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            # Otherwise a Service that is named like one of our variables would set it.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **more,
            "containers": [one],
            "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}],
        },
    }


def mount_files(spec: JSON, *, read_only: bool = False) -> None:
    mount = BLOBS | ({"readOnly": True} if read_only else {})
    spec["containers"][0]["volumeMounts"].append(mount)
    spec["volumes"].append({"name": "blobs", "persistentVolumeClaim": {"claimName": "guanxi-blobs"}})


def with_files(made: JSON, *, scratch: str | None = None) -> JSON:
    """A deployment whose pods mount the blobs; `scratch` moves /tmp from memory to the node's disk."""
    spec = made["spec"]["template"]["spec"]
    mount_files(spec)
    if scratch:
        spec["volumes"][0]["emptyDir"] = {"sizeLimit": scratch}
    return made


def deployment(name: str, component: str, account: str, full_name: str, one: JSON) -> JSON:
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels(name, component)},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    spec = {
        "replicas": REPLICAS,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": labels(name, component)},
        "template": pod(name, component, account, one, topologySpreadConstraints=spread),
    }
    return resource("apps/v1", "Deployment", full_name, spec, **everywhere(name, component))


def disruption(name: str, component: str, full_name: str) -> JSON:
    """One at a time: of two or more replicas at least one stays, and a single one does not block a node's drain."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": labels(name, component)},
    }
    return resource("policy/v1", "PodDisruptionBudget", full_name, spec, **everywhere(name, component))


def account(name: str) -> JSON:
    marks = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "guanxi"}
    return resource("v1", "ServiceAccount", name, **marks, **PREPARE) | {"automountServiceAccountToken": False}
