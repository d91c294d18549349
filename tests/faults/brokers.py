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
        """From here on this node lets no other one in, and no other one takes it in.

        All at once: a node that has lost one of two others would be told by the third that it is itself cut off in
        part, and with it the one that it lost would pause.
        """
        others = [other.name for other in self.nodes if other is not node]
        words = [f"erlang:set_cookie('{name}', {LOST})" for name in others]
        node.ctl("eval", ", ".join([*words, *(f"erlang:disconnect_node('{name}')" for name in others)]) + ".")

    def let_in(self, node: Node) -> None:
        """The nodes find each other again by themselves."""
        others = [other.name for other in self.nodes if other is not node]
        node.ctl("eval", ", ".join(f"erlang:set_cookie('{name}', '{self._cookie}')" for name in others) + ".")

    def await_whole(self) -> float:
        """The seconds until every node says that all run and none is apart."""
        began = time.monotonic()
        until(lambda: all(self._whole(node) for node in self.nodes), 120, every=0.5, what="the cluster is whole")
        return time.monotonic() - began

    def _whole(self, node: Node) -> bool:
        # A node that has paused still tells the nodes that it saw last.
        try:
            told = node.ctl("eval", "rabbit:is_running() andalso length(rabbit_nodes:all_running()).")
            return told.strip() == str(NODES)
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
