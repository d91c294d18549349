"""Three nodes of RabbitMQ that form a cluster on this machine, and can be cut off from each other."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections import Counter
from pathlib import Path

from suite.servers import RabbitMQ
from suite.servers.process import ServerError, free_ports
from tests.integration.support import until

NODES = 3
LOST = "lost"
"""A cookie that nobody has: who is known by it is not let in."""


class Node(RabbitMQ):
    """One node of a cluster. All of them ask one name server, have one cookie and one password."""

    def __init__(self, data: Path, names: int, cookie: str, password: str) -> None:
        super().__init__(data, say=lambda _: None)
        self._names_port, self._cookie = names, cookie
        data.mkdir(mode=0o711)
        with os.fdopen(os.open(data / "password", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)

    @property
    def name(self) -> str:
        return self._environment()["RABBITMQ_NODENAME"]

    def _configure(self) -> None:
        super()._configure()
        with (self._home / "rabbitmq.conf").open("a") as file:
            file.write("cluster_partition_handling = pause_minority\n")
        cookie = self._home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(self._cookie)
            cookie.chmod(0o400)
            self._own(cookie)

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "ERL_EPMD_PORT": str(self._names_port)}


class Cluster:
    """Three nodes on this machine in the place of one broker. `url` names all of them."""

    def __init__(self, folder: Path) -> None:
        (names,), cookie, password = free_ports(1), secrets.token_hex(16), secrets.token_urlsafe(24)
        self._cookie = cookie
        folder.mkdir(mode=0o711, exist_ok=True)
        self._folder = folder
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self._names: subprocess.Popen[bytes] | None = None
        self.nodes = [Node(folder / f"node-{number}", names, cookie, password) for number in range(NODES)]

    @property
    def url(self) -> str:
        return ";".join(node.url for node in self.nodes)

    def start(self) -> str:
        """Start the nodes and join them; returns `url`."""
        # None of the nodes may own the name server, which would end with it.
        self._names = subprocess.Popen(
            ["epmd"], env=self._environment, cwd=self._folder, start_new_session=True, stdout=subprocess.DEVNULL
        )
        first, *others = self.nodes
        first.start()
        for node in others:
            node.start()
            node.ctl("stop_app")
            node.ctl("join_cluster", first.name)
            node.ctl("start_app")
        return self.url

    def ctl(self, *arguments: str, timeout: float = 60) -> str:
        """`rabbitmqctl` on the first node that answers."""
        for node in self.nodes:
            if node.pid:
                try:
                    return node.ctl(*arguments, timeout=timeout)
                except ServerError:
                    continue
        raise ServerError("no node answers")

    def leader(self) -> Node:
        """The node that leads most of the quorum queues."""
        printed = self.ctl("-p", "guanxi", "list_queues", "leader", "--no-table-headers")
        led = Counter(line.strip() for line in printed.splitlines() if "@" in line)
        ((name, _),) = led.most_common(1)
        return next(node for node in self.nodes if node.name == name)

    def cut_off(self, node: Node) -> None:
        """From here on neither this node nor any other one lets the other in."""
        self._know(node, LOST)

    def let_in(self, node: Node) -> None:
        self._know(node, self._cookie)

    def _know(self, node: Node, cookie: str) -> None:
        for one, other in [*((node, other) for other in self._others(node)), *((o, node) for o in self._others(node))]:
            words = f"erlang:set_cookie('{other.name}', '{cookie}')"
            drop = f", erlang:disconnect_node('{other.name}')" if cookie == LOST else ""
            one.ctl("eval", f"{words}{drop}.")

    def _others(self, node: Node) -> list[Node]:
        return [one for one in self.nodes if one is not node]

    def await_whole(self) -> float:
        """The seconds until every node says that all run and none is apart."""
        began = time.monotonic()
        until(lambda: all(self._whole(node) for node in self.nodes), 120, every=0.5, what="the cluster is whole")
        return time.monotonic() - began

    def _whole(self, node: Node) -> bool:
        try:
            return node.ctl("eval", "length(rabbit_nodes:all_running()).").strip() == str(NODES)
        except ServerError:
            return False

    def remove(self) -> None:
        """End all at once: one that is stopped alone would wait for the others, or pause the last."""
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            node.remove()
        if self._names:
            self._names.kill()
            self._names.wait()
