"""A private RabbitMQ node on this machine, a child of the launcher, apart from any system broker."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

from suite.servers.process import Account, Folder, Say, ServerError, free_ports, say, tail, wait_until

USER = VHOST = "guanxi"

# The scripts of the Debian package on the search path switch users and log to fixed places; these do not.
SCRIPTS = (Path("/usr/lib/rabbitmq/bin"), Path("/usr/local/lib/rabbitmq/bin"), Path("/opt/rabbitmq/sbin"))


def available() -> bool:
    """Whether the RabbitMQ server and the Erlang runtime are installed."""
    return _scripts() is not None and shutil.which("erl") is not None and shutil.which("epmd") is not None


def _scripts() -> Path | None:
    return next((folder for folder in SCRIPTS if (folder / "rabbitmq-server").exists()), None)


class RabbitMQ:
    """A broker with its files in the folder `data`, free loopback ports and a user with a password of its own.

    `management` opens the management API too; it makes every stop five seconds slower, and `ctl` does without it.
    The ports stay the same for this object's later starts. `kill` and `restart` cause the faults that clients must
    survive. A node left behind by a killed launcher is ended by the next `start`; durable messages stay.
    """

    def __init__(self, data: Path, *, management: bool = False, say: Say = say):
        self._folder = Folder(data, say)
        self._management = management
        self._say = say
        self._account: Account | None = None
        self._home = Path()
        self._ports: list[int] = []
        self._names: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The AMQP URL of the user `guanxi`, an administrator, on the virtual host `guanxi`."""
        return f"amqp://{USER}:{self._folder.password()}@127.0.0.1:{self._ports[0]}/{VHOST}"

    @property
    def management_url(self) -> str:
        """The base URL of the management API, with the same user. ServerError when it was not asked for."""
        if not self._management:
            raise ServerError("this RabbitMQ runs without its management API")
        return f"http://{USER}:{self._folder.password()}@127.0.0.1:{self._ports[1]}"

    @property
    def pid(self) -> int | None:
        """The node's process id while it runs, for whoever wants to signal it."""
        return self._node.pid if self._node and self._node.poll() is None else None

    def start(self) -> str:
        """Start the node, making user and virtual host on first use; returns `url` once it speaks AMQP.

        Raises ServerError when RabbitMQ is not installed, another launcher holds the folder, or the node fails.
        """
        if self.pid:
            return self.url
        scripts = _scripts()
        if scripts is None or not available():
            raise ServerError("no RabbitMQ here: install the package rabbitmq-server")
        self._folder.hold()
        try:
            self._start(scripts)
        except BaseException:
            self.stop()
            raise
        return self.url

    def _start(self, scripts: Path) -> None:
        self._account, self._home = self._folder.prepare("rabbitmq")
        if left := self._account.processes_in(self._home):
            self._say(f"Stopping the RabbitMQ {min(left)} that an earlier run left in {self._home}")
            self._account.end_processes(self._home)
        fixed = bool(self._ports)
        for last in (False, False, fixed, True):
            self._ports = self._ports or free_ports(4)
            self._configure()
            log = self._home / "console.log"
            begin = log.stat().st_size if log.exists() else 0
            if self._launch(scripts, log):
                return
            self._end()
            told = tail(log, begin)
            if last or fixed or "eaddrinuse" not in told:
                raise ServerError(f"RabbitMQ did not start:\n{told}")
            self._ports = []

    def _configure(self) -> None:
        """Written anew at each start; the password is in it, so it belongs to the server's user alone."""
        amqp, management, _, _ = self._ports
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{amqp}",
            f"default_user = {USER}",
            f"default_pass = {self._folder.password()}",
            f"default_vhost = {VHOST}",
            "default_user_tags.administrator = true",
            "disk_free_limit.absolute = 500MB",
            "vm_memory_high_watermark.absolute = 1GB",
            "log.file.level = warning",
        ]
        if self._management:
            lines += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {management}"]
        plugins = "rabbitmq_management" if self._management else ""
        texts = {
            "rabbitmq.conf": "\n".join(lines) + "\n",
            "enabled_plugins": f"[{plugins}].\n",
            "rabbitmq-env.conf": "",
        }
        for name, text in texts.items():
            path = self._home / name
            path.unlink(missing_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            self._own(path)

    def _own(self, path: Path) -> None:
        if self._account:
            self._account.own(path)

    def _environment(self) -> dict[str, str]:
        """Every path and port of the node, so that nothing below /etc, /var or the user's home is read or written."""
        home = self._home
        node = hashlib.sha256(str(home).encode()).hexdigest()[:8]
        _, _, distribution, names = self._ports
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": f"guanxi-{node}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(home / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "node.pid"),
            # Threads that wait for work sleep at once; by default they spin, which two cores feel.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            # The start script then becomes the node instead of a shell in between, which would swallow signals.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _launch(self, scripts: Path, log: Path) -> bool:
        assert self._account
        environment = self._environment()
        with log.open("ab") as output:
            # A name server of its own: the one that a node starts by itself would outlive it on the common port.
            self._names = self._account.popen(["epmd"], cwd=self._home, env=environment, output=output)
            node = self._account.popen([scripts / "rabbitmq-server"], cwd=self._home, env=environment, output=output)
        self._node = node
        amqp, management, _, _ = self._ports

        def ready() -> bool:
            """The listeners open last of all, AMQP's before that of the management API."""
            return _speaks_amqp(amqp) and (not self._management or _listens(management))

        return wait_until(lambda: node.poll() is not None or ready(), 120) and node.poll() is None

    def ctl(self, *args: str, timeout: float = 60) -> str:
        """Run `rabbitmqctl` on this node, e.g. `ctl("add_user", "erp", "secret")`; returns what it printed.

        Takes about a second; for the virtual host say `-p guanxi`. Raises ServerError with the text when it fails.
        """
        scripts = _scripts()
        if not self._account or not scripts:
            raise ServerError("this RabbitMQ has not been started")
        return self._account.run(
            [scripts / "rabbitmqctl", "-q", *args], cwd=self._home, env=self._environment(), timeout=timeout
        )

    def stop(self) -> None:
        """Stop in good order and free the folder."""
        if self._node and self._node.poll() is None:
            self._node.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._node.wait(60)
        self._end()
        self._folder.release()

    def kill(self) -> None:
        """SIGKILL, as a crash would: what was confirmed is on disk, and `start` finds it on the same ports.

        Save for what was declared less than about a second before, measured on 3.10.8: the broker writes its registers
        behind its answers. A classic queue may be gone with its messages; a quorum queue may come back listed but dead
        (publishing is refused, reading hangs) until it is deleted and declared again.
        """
        self._end()

    def restart(self) -> str:
        """Stop in good order and start again on the same ports; returns `url`."""
        self.stop()
        return self.start()

    def _end(self) -> None:
        for process in (self._node, self._names):
            if process:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._node = self._names = None
        if self._account:
            # Erlang's helper processes lead sessions of their own and end with the node, but not at the same instant.
            self._account.end_processes(self._home, patience=5)

    def remove(self) -> None:
        """End the node, and delete all messages, users and settings for good: that needs no end in good order."""
        self._end()
        self._folder.release()
        self._folder.remove()


def _speaks_amqp(port: int) -> bool:
    """A broker answers the protocol header with the method Connection.Start, a frame of type 1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        return connection.recv(1) == b"\x01"
    return False


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
