"""Load on loopback: wrk for single requests, a paced writer for whole orders. All of it bounded in time."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


def wrk(url: str, seconds: int, *, token: str = "", body: str = "", connections: int = 8) -> JSON:
    """`{rate, p50, p99, errors}`: requests per second and milliseconds. `body` is Lua code that sets up a POST."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(body or "")
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
        command += ["-H", f"Authorization: Bearer {token}"] if token else []
        command += ["-s", script.name] if body else []
        text = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "rate": float(rate.group(1)) if rate else 0.0,
        "p50": _milliseconds(text, "50%"),
        "p99": _milliseconds(text, "99%"),
        "errors": int(bad.group(1)) if bad else 0,
    }


def _milliseconds(text: str, which: str) -> float:
    found = re.search(rf"\s{re.escape(which)}\s+([\d.]+)(us|ms|s)\b", text)
    return float(found.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found.group(2)] if found else 0.0


@dataclass
class Orders:
    """Whole orders: created and placed at a steady pace by some clients, each waiting for nothing but its answers."""

    host: str
    port: int
    token: str
    accounts: list[str]
    products: list[str]
    placed: list[tuple[str, float]] = field(default_factory=list)
    errors: int = 0

    def run(self, seconds: float, rate: float, clients: int = 8) -> None:
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._client, args=(number, end, clients / rate)) for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, number: int, end: float, pause: float) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=15)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        due, step = time.monotonic() + pause * number / 8, 0
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            due, step = due + pause, step + 1
            lines = [
                {"product_id": self.products[(number * 7 + step * 3 + k) % len(self.products)], "quantity": "1"}
                for k in range(3)
            ]
            body = {
                "account_id": self.accounts[(number + step) % len(self.accounts)],
                "currency": "USD",
                "ordered_on": "2026-11-23",
                "lines": lines,
            }
            made = self._send(connection, "/v1/orders", body, headers)
            if made is not None:
                began = time.time()
                if self._send(connection, f"/v1/orders/{made['id']}/place", {}, headers) is not None:
                    self.placed.append((made["id"], began))

    def _send(
        self, connection: http.client.HTTPConnection, path: str, body: JSON, headers: dict[str, str]
    ) -> JSON | None:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            self.errors += 1
            return None
        found: JSON = json.loads(content)
        return found


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (0.0, 0.0)
    return statistics.median(values), statistics.quantiles(values, n=100)[98]
