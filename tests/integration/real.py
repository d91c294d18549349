"""The suite as separate processes against a RabbitMQ and a PostgreSQL of its own."""

from __future__ import annotations

import http.client
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from sqlalchemy.engine import make_url

from chassis import provisioning
from chassis.bus.rabbit import link
from contracts.registry import SERVICES
from suite.servers import Postgres, RabbitMQ
from tests.integration.support import GUANXI, Api, environment, until


class RealSuite:
    """`prepare` makes servers, databases and queues; `start` runs `guanxi up --real`, or other commands."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self.streams_port = port, port + 1
        self.log = folder / "processes.log"
        self.broker = RabbitMQ(folder / "rabbitmq", management=True, say=lambda _: None)
        self.database = Postgres(folder / "postgres", max_connections=300, say=lambda _: None)
        self.environment: dict[str, str] = {}
        self.api_key = self.migrated = self.report = ""
        self._processes: dict[str, psutil.Popen] = {}

    def prepare(self) -> None:
        """Start the servers and migrate, as an operator would before the first start."""
        self.environment = environment(
            GUANXI_BUS=self.broker.start(),
            GUANXI_DATABASE_URL=self.database.start(),
            GUANXI_DATABASE_SECRET=secrets.token_hex(32),
            GUANXI_CONTEXT_KEY=secrets.token_hex(32),
            GUANXI_PORT=str(self.port),
        )
        begin = time.monotonic()
        self.migrated = self.command("migrate")
        assert "exchanges and queues are declared" in self.migrated
        self.report = f"migrated in {time.monotonic() - begin:.1f} s"

    def command(self, *arguments: str) -> str:
        """What a `guanxi` command prints. Fails when the command fails."""
        done = subprocess.run(
            [GUANXI, *arguments], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"guanxi {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def check(self, *options: str) -> tuple[int, str]:
        """The exit code of `guanxi check` and what it prints. It alone is told of the management API."""
        environment = {**self.environment, "GUANXI_BROKER_MANAGEMENT_URL": self.broker.management_url}
        command = [GUANXI, "check", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout + done.stderr

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """For what somebody does to the broker by hand."""
        connection = link.connect(self.broker.url, "a test")
        yield connection.channel()
        connection.close()

    def start(self, *commands: tuple[str, ...]) -> None:
        """Run `guanxi up --real`, or these commands side by side, until a tenant can be made or is known."""
        begin = time.monotonic()
        for command in commands or (("up", "--real"),):
            with self.log.open("ab") as output:
                self._processes[" ".join(command)] = psutil.Popen(
                    [GUANXI, *command],
                    env=self.environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        until(self.ready, 600, what="the gateway is ready")
        self.report += f", ready after {time.monotonic() - begin:.1f} s"
        if not self.api_key:
            printed = self.command(
                "tenant", "create", "acme", "--name", "Acme", "--email", "ada@acme.example", "--copies"
            )
            self.api_key = re.findall(r"gx_\S+", printed)[0]

    def ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, f"guanxi {name} has ended:\n{self.log.read_text()[-3000:]}"
        with suppress(OSError, http.client.HTTPException):
            return all(
                Api(f"http://127.0.0.1:{port}", timeout=5).send("GET", "/readyz").status == 200
                for port in ((self.port, self.streams_port) if "up --real" in self._processes else (self.port,))
            )
        return False

    def api(self, timeout: float = 30) -> Api:
        return Api(f"http://127.0.0.1:{self.port}", self.api_key, timeout)

    def streams(self, timeout: float = 60) -> Api:
        return Api(f"http://127.0.0.1:{self.streams_port}", self.api_key, timeout)

    def pid(self, service: str) -> int | None:
        """The process that serves a service at present."""
        for process in self._processes["up --real"].children():
            with suppress(psutil.NoSuchProcess):
                if process.cmdline()[-2:] == ["serve", service]:
                    return process.pid
        return None

    def kill(self, service: str) -> int:
        """SIGKILL to a service; returns the id that its process had."""
        pid = until(lambda: self.pid(service), 30, what=f"{service} runs")
        psutil.Process(pid).kill()
        return pid

    def memory(self) -> dict[str, int]:
        """Resident megabytes by process."""
        found = {}
        for process in self._processes["up --real"].children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                name = " ".join(process.cmdline()[-2:])
                found[name if "serve" in name else f"gateway {process.pid}"] = process.memory_info().rss // 10**6
        return found

    def sent(self) -> bool:
        """Whether no service has anything left to publish."""
        server = self.environment["GUANXI_DATABASE_URL"]
        for service in SERVICES:
            url = make_url(
                provisioning.service_url(server, service, "checker", self.environment["GUANXI_DATABASE_SECRET"])
            )
            with closing(psycopg2.connect(url.set(drivername="postgresql").render_as_string(False))) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT EXISTS (SELECT FROM unsent)")
                if cursor.fetchone() != (False,):
                    return False
        return True

    def stop(self) -> float:
        """Ctrl-C to what runs; returns the seconds until all had ended. Fails when one did not end in good order."""
        begin = time.monotonic()
        for process in self._processes.values():
            process.send_signal(signal.SIGINT)
        for name, process in self._processes.items():
            assert process.wait(60) == 0, f"guanxi {name} ended badly:\n{self.log.read_text()[-3000:]}"
        self._processes.clear()
        return time.monotonic() - begin

    def remove(self) -> None:
        """End everything, and delete databases and queues."""
        for process in self._processes.values():
            everybody = [process]
            with suppress(psutil.NoSuchProcess):
                everybody += process.children(recursive=True)
            for one in everybody:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            psutil.wait_procs(everybody, timeout=30)
        self.broker.remove()
        self.database.remove()
