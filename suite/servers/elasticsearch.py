"""A private Elasticsearch node on this machine, a child of the launcher: the true server, minimally equipped."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from suite.servers.process import ELSEWHERE, Account, Folder, Say, ServerError, free_ports, say, tail, wait_until

VERSION = "8.19.0"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
HEAP = "512m"
NAME = f"elasticsearch-{VERSION}"

SETTINGS = {
    "cluster.name": "guanxi",
    "node.name": "guanxi",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "xpack.security.enabled": "false",
    "action.auto_create_index": "false",
    "action.destructive_requires_name": "false",
    # In bytes and not in shares: a laptop whose disk is nine tenths full has room for an index nonetheless.
    "cluster.routing.allocation.disk.watermark.low": "2gb",
    "cluster.routing.allocation.disk.watermark.high": "1gb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "500mb",
    "cluster.info.update.interval": "10s",
}


def place() -> Path:
    """Where the programs are: `GUANXI_ELASTICSEARCH_HOME`, else this user's cache, which for root others can enter."""
    if said := os.environ.get("GUANXI_ELASTICSEARCH_HOME"):
        return Path(said)
    if os.getuid() == 0:
        return ELSEWHERE / NAME
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "guanxi" / NAME


def available() -> bool:
    """Whether the programs and a Java for them are installed."""
    return (place() / "bin" / "elasticsearch").exists() and shutil.which("java") is not None


def fetch(say: Say = say) -> Path:
    """Bring the programs to `place()` by the ordinary Maven client, which keeps its own copy; returns the place.

    Raises ServerError where Maven or Java is missing, or the download fails. What is there is left as it is.
    """
    home = place()
    if (home / "bin" / "elasticsearch").exists():
        return home
    if "GUANXI_ELASTICSEARCH_HOME" in os.environ:
        raise ServerError(f"GUANXI_ELASTICSEARCH_HOME names {home}, where no Elasticsearch is")
    if not shutil.which("mvn") or not shutil.which("java"):
        raise ServerError("Elasticsearch is fetched by Maven: install the packages maven and openjdk-17-jre-headless")
    home.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    draft = home.with_name(f"{home.name}.{os.getpid()}")
    say(f"Fetching Elasticsearch {VERSION} to {home}")
    # Strict checksums: a file that was damaged on its way must not become a server.
    command = ["mvn", "-B", "-q", "-C", UNPACK, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={draft}"]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise ServerError(f"Maven could not fetch Elasticsearch:\n{done.stdout[-2000:].strip()}")
        unpacked = draft / NAME
        for path in (unpacked, *unpacked.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        with suppress(FileExistsError):
            unpacked.rename(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return home


class Elasticsearch:
    """One node with its files in the folder `data`, on free loopback ports, without passwords: for this machine alone.

    The ports stay the same for this object's later starts. `kill`, `pause` and `restart` cause the faults that clients
    must survive. A node left behind by a killed launcher is ended by the next `start`; what it had acknowledged stays.
    `settings` stand in place of those of the same name in `SETTINGS`.
    """

    def __init__(self, data: Path, *, heap: str = HEAP, settings: dict[str, str] | None = None, say: Say = say):
        self._folder = Folder(data, say)
        self._heap = heap
        self._settings = SETTINGS | (settings or {})
        self._say = say
        self._account: Account | None = None
        self._home = Path()
        self._ports: list[int] = []
        self._node: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def pid(self) -> int | None:
        """The launcher's process id while it runs; the server is its child in the same process group."""
        return self._node.pid if self._node and self._node.poll() is None else None

    def start(self) -> str:
        """Start the node; returns `url` once it answers and its indices are there (about ten seconds).

        Raises ServerError when Elasticsearch is not installed, another launcher holds the folder, or the node fails.
        """
        if self.pid:
            return self.url
        if not available():
            raise ServerError("no Elasticsearch here: python -m suite.servers.elasticsearch fetches it")
        self._folder.hold()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self.url

    def _start(self) -> None:
        self._account, self._home = self._folder.prepare("elasticsearch")
        if left := self._processes():
            self._say(f"Stopping the Elasticsearch {min(left)} that an earlier run left in {self._home}")
            self._end_processes(30)
        if not self._account.may("-r", place() / "bin" / "elasticsearch"):
            raise ServerError(f"{place()} cannot be entered by the user that the server must run as")
        fixed = bool(self._ports)
        for last in (False, False, fixed, True):
            self._ports = self._ports or free_ports(2)
            self._configure()
            log = self._home / "console.log"
            begin = log.stat().st_size if log.exists() else 0
            if self._launch(log):
                return
            self._end()
            told = tail(log, begin)
            if last or fixed or "Address already in use" not in told:
                raise ServerError(f"Elasticsearch did not start:\n{told}")
            self._ports = []

    def _configure(self) -> None:
        assert self._account
        folder = self._home / "config"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(place() / "config", folder)
        http_port, transport_port = self._ports
        settings = {
            **self._settings,
            "path.data": self._home / "data",
            "path.logs": self._home / "logs",
            "http.port": http_port,
            "transport.port": transport_port,
        }
        # Relative paths in it lie beside the programs, where the server may not write.
        options = (folder / "jvm.options").read_text().splitlines()
        unwanted = ("gc.log", "-XX:HeapDumpPath", "-XX:ErrorFile", "-XX:+HeapDumpOnOutOfMemoryError")
        kept = [line for line in options if not any(one in line for one in unwanted)]
        (folder / "jvm.options").write_text(
            "\n".join([*kept, f"-XX:ErrorFile={self._home}/fatal-%p.log", self._mark, ""])
        )
        (folder / "elasticsearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        for path in (folder, *folder.rglob("*")):
            self._account.own(path)

    def _launch(self, log: Path) -> bool:
        assert self._account
        java = shutil.which("java")
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "ES_PATH_CONF": str(self._home / "config"),
            "ES_JAVA_HOME": str(Path(java or "").resolve().parents[1]),
            "ES_JAVA_OPTS": f"-Xms{self._heap} -Xmx{self._heap}",
            "ES_TMPDIR": str(self._home / "tmp"),
        }
        (self._home / "tmp").mkdir(exist_ok=True)
        self._account.own(self._home / "tmp")
        with log.open("ab") as output:
            self._node = node = self._account.popen(
                [place() / "bin" / "elasticsearch"], cwd=self._home, env=environment, output=output
            )
        self._account.own(log)
        return wait_until(lambda: node.poll() is not None or self._ready(), 180) and node.poll() is None

    def _ready(self) -> bool:
        """Yellow is whole on a single node: every primary shard that there is has been opened."""
        with suppress(OSError, http.client.HTTPException, ValueError):
            health = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
            return health["status"] in ("yellow", "green") and not health["timed_out"]
        return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the node as its operator, e.g. `ask("GET", "/_cat/indices?format=json")`; returns the JSON."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def pause(self) -> None:
        """Stop every process of the node where it stands (SIGSTOP): it holds its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, sign: signal.Signals) -> None:
        if self._node:
            os.killpg(self._node.pid, sign)

    def stop(self) -> None:
        """Stop in good order and free the folder."""
        if self._node and self._node.poll() is None:
            self._signal(signal.SIGCONT)
            self._node.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._node.wait(60)
        self._end()
        self._folder.release()

    def kill(self) -> None:
        """SIGKILL, as a crash would: what was acknowledged is on disk, and `start` finds it on the same ports."""
        self._end()

    def restart(self) -> str:
        """Stop in good order and start again on the same ports; returns `url`."""
        self.stop()
        return self.start()

    def _end(self) -> None:
        if self._node:
            with suppress(ProcessLookupError):
                self._signal(signal.SIGKILL)
            self._node.wait()
        self._node = None
        # The server is a child of the launcher that was waited for, and ends a moment after it.
        self._end_processes(5)

    def _processes(self) -> list[int]:
        """This node's servers by the mark on their command line: their working folder is that of the programs."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if self._mark.encode() in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    @property
    def _mark(self) -> str:
        return f"-Dguanxi.folder={self._home}"

    def _end_processes(self, patience: float) -> None:
        for sign, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, 10)):
            for pid in self._processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, sign)
            if wait_until(lambda: not self._processes(), limit):
                return
        raise ServerError(f"an Elasticsearch in {self._home} cannot be ended: {self._processes()}")

    def remove(self) -> None:
        """End it, and delete every index for good: that needs no end in good order."""
        self._end()
        self._folder.release()
        self._folder.remove()


if __name__ == "__main__":
    print(fetch())
