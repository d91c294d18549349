"""The manifests as these tests see them: what lies in the files, and what kustomize makes of an overlay."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

JSON = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
K8S = DEPLOY / "k8s"
OVERLAYS = ("dev", "prod")
WORKLOADS = ("Deployment", "Job", "CronJob")

# Where the suite reads its environment. Names below a prefix are completed; elsewhere they are written in full.
_PREFIXED = ("chassis/settings.py", "chassis/s3.py", "gateway/settings.py")
_IN_FULL = (
    "chassis/egress.py",
    "suite/configuration.py",
    "suite/imports.py",
    "gateway/gunicorn_conf.py",
    "gateway/wsgi.py",
    "services/notify/settings.py",
    "services/eventlog/broker.py",
)


@cache
def in_files() -> dict[str, list[JSON]]:
    """Every manifest below `deploy/k8s`, by the path of its file."""
    return {
        str(path.relative_to(K8S)): [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
        for path in sorted(K8S.rglob("*.yaml"))
    }


def of_kind(*kinds: str) -> list[JSON]:
    """Manifests of the base and the components, as they lie in the files."""
    return [one for found in in_files().values() for one in found if isinstance(one, dict) and one["kind"] in kinds]


@cache
def built(overlay: str) -> list[JSON]:
    """An overlay as kustomize builds it. Skips the test where kubectl is not installed."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: nobody has built this overlay")
    done = subprocess.run(
        ["kubectl", "kustomize", str(K8S / "overlays" / overlay)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def template(workload: JSON) -> JSON:
    """The pod's template of a Deployment, Job or CronJob."""
    spec = workload["spec"]
    spec = spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec
    found: JSON = spec["template"]
    return found


def container(workload: JSON) -> JSON:
    (found,) = template(workload)["spec"]["containers"]
    return found


def name(manifest: JSON) -> str:
    return str(manifest["metadata"]["name"])


def selects(selector: JSON, labels: dict[str, str]) -> bool:
    """Whether a label selector (equality and `In`) selects these labels; an empty one selects all."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    equal = all(labels.get(key) == wanted for key, wanted in selector.get("matchLabels", {}).items())
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions)
    return equal and all(labels.get(one["key"]) in one["values"] for one in expressions)


def env_file(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {key: value for key, _, value in lines}


@cache
def known_variables() -> frozenset[str]:
    """Every environment variable that a process of the suite reads."""
    found = {f"GUANXI_{one}" for path in _PREFIXED for one in _asked_of_env(path)}
    found |= {one for path in _IN_FULL for one in _strings(path) if re.fullmatch(r"GUANXI_[A-Z_]+", one)}
    return frozenset(found)


def _strings(path: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Call):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield str(node.slice.value)


def _asked_of_env(path: str) -> Iterator[str]:
    """The names in `env.str("NAME", …)` and its like."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr=kind), args=[ast.Constant(value=str(name)), *_]
            ) if kind != "prefixed":
                yield name
