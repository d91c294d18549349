"""Addresses that tenants name are called through `chassis.egress` and through nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLING = {"requests", "urllib.request", "http.client", "smtplib", "imaplib", "poplib", "ftplib", "socket", "httpx"}
# What each of these calls is named by the operator, never by a tenant; or it only listens or speaks to the broker.
ALLOWED = {
    "chassis/egress.py": "the door itself",
    "chassis/scanning.py": "the virus scanner of the installation",
    "services/notify/mail.py": "the mail server of the installation",
    "services/notify/deliveries.py": "its errors",
    "services/eventlog/broker.py": "the management address of the installation's broker",
}


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def test_nothing_else_in_services_and_chassis_can_call_out():
    callers = set()
    for path in [*ROOT.glob("services/*/*.py"), *ROOT.glob("chassis/*.py"), *ROOT.glob("chassis/records/**/*.py")]:
        if "tests" not in path.parts and _imported(path) & CALLING:
            callers.add(str(path.relative_to(ROOT)))
    assert callers == set(ALLOWED)
