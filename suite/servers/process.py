"""What both server launchers need: a user to run as, a folder which that user can enter, a lock, free ports."""

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

ELSEWHERE = Path("/var/lib/guanxi")
"""Where root's servers keep their files when the server's user cannot enter the data folder."""

Say = Callable[[str], None]


class ServerError(Exception):
    """A server cannot be started or does not answer. The text says what an operator can do about it."""


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Account:
    """The operating system user that a server runs as. Servers refuse root, so root lends them an existing user."""

    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def choose(cls, home: Path, *names: str) -> "Account":
        """The current user; for root the owner of `home` if that is somebody else, or the first existing of `names`."""
        if os.getuid() != 0:
            return cls(os.getuid(), os.getgid(), borrowed=False)
        with suppress(FileNotFoundError):
            owner = home.stat()
            if owner.st_uid != 0:
                return cls(owner.st_uid, owner.st_gid, borrowed=True)
        for name in (*names, "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid, borrowed=True)
        raise ServerError(
            f"root needs an existing user to run this server as; none of {', '.join(names)} or nobody exists"
        )

    def popen(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], output: BinaryIO | int
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, so that Ctrl-C on the terminal reaches the launcher alone."""
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=self.uid if self.borrowed else None,
            group=self.gid if self.borrowed else None,
            extra_groups=[self.gid] if self.borrowed else None,
        )

    def run(self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], timeout: float = 120) -> str:
        """Run to the end and return what it printed; ServerError with the same text when it fails or takes too long."""
        with self.popen(command, cwd=cwd, env=env, output=subprocess.PIPE) as process:
            try:
                printed = process.communicate(timeout=timeout)[0].decode(errors="replace")
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise ServerError(f"{Path(command[0]).name} did not end within {timeout:g} s") from None
        if process.returncode != 0:
            raise ServerError(f"{Path(command[0]).name} failed:\n{printed.strip()}")
        return printed

    def may(self, flag: str, path: Path) -> bool:
        """Ask the kernel itself, as that user: mode bits alone would miss access lists and closed parent folders."""
        try:
            self.run(["/bin/sh", "-c", f'test {flag} "$1"', "sh", path], cwd=Path("/"), env={})
        except ServerError:
            return False
        return True

    def own(self, path: Path) -> None:
        if self.borrowed:
            os.chown(path, self.uid, self.gid)

    def processes_in(self, folder: Path) -> list[int]:
        """Ids of this user's processes whose working folder is `folder`: what a killed launcher or server left behind.

        Asked as that user, because root in a container may not look into other users' processes. Empty where there
        is no /proc; the servers' own pid files are the only guard there.
        """
        look = 'for cwd in /proc/[0-9]*/cwd; do if [ "$cwd" -ef "$1" ]; then echo "$cwd"; fi; done'
        printed = self.run(["/bin/sh", "-c", look, "sh", folder], cwd=Path("/"), env={})
        return [int(line.split("/")[2]) for line in printed.split()]

    def end_processes(self, folder: Path, patience: float = 30) -> None:
        """Ask what still runs in `folder` to end, wait, and insist with SIGKILL when `patience` seconds are over."""
        for sign, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, 10)):
            for pid in self.processes_in(folder):
                with suppress(ProcessLookupError):
                    os.kill(pid, sign)
            if wait_until(lambda: not self.processes_in(folder), limit):
                return
        raise ServerError(
            f"an earlier run left processes in {folder} that cannot be ended: {self.processes_in(folder)}"
        )


class Folder:
    """A launcher's data folder: `lock`, `password`, and `server/`, which alone belongs to the server's user.

    Held by one launcher at a time. Where the server's user cannot enter it, `server` is a link to a folder
    below `ELSEWHERE`, and `say` is told so; no folder above is ever opened up instead.
    """

    def __init__(self, data: Path, say: Say):
        self.data = data.absolute()
        self.server = self.data / "server"
        self._say = say
        self._lock: BinaryIO | None = None

    def hold(self) -> None:
        """Make the folder if need be and lock it. Raises ServerError while another launcher has it."""
        if self._lock:
            return
        try:
            self.data.mkdir(mode=0o711 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
            lock = (self.data / "lock").open("a+b")
        except OSError as error:
            raise ServerError(f"{self.data} cannot be used: {error.strerror} ({error.filename})") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().decode(errors="replace").strip() or "unknown"
            lock.close()
            raise ServerError(f"{self.data} is in use by the process {holder}; stop that one first") from None
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def prepare(self, *names: str) -> tuple[Account, Path]:
        """The account to run as and the real path of a private folder that this account owns."""
        if self.server.is_symlink() and not self.server.exists():
            raise ServerError(f"the files of {self.data} were kept in {os.readlink(self.server)}, which is gone")
        account = Account.choose(self.server, *names)
        if not self.server.exists():
            if account.may("-x", self.data):
                self.server.mkdir(mode=0o700)
            else:
                self.server.symlink_to(self._elsewhere())
            account.own(self.server)
        home = self.server.resolve()
        if home.stat().st_uid != account.uid or not account.may("-x", home):
            raise ServerError(f"{home} cannot be entered by the user {account.uid}, as whom the server must run")
        return account, home

    def _elsewhere(self) -> Path:
        ELSEWHERE.mkdir(mode=0o711, exist_ok=True)
        # Not named after the data path alone: a folder made anew in the same place must not find old files.
        place = Path(tempfile.mkdtemp(prefix=f"{self.data.name}-", dir=ELSEWHERE))
        self._say(f"An unprivileged user cannot enter {self.data}, so the server keeps its files in {place}")
        return place

    def password(self) -> str:
        """The server's password, made on first use and readable by the launcher alone."""
        path = self.data / "password"
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        return path.read_text()

    def remove(self) -> None:
        """Delete everything that a launcher put here, and the folder itself when nothing else is in it."""
        shutil.rmtree(self.server.resolve(), ignore_errors=True)
        if self.server.is_symlink():
            self.server.unlink()
        for name in ("password", "lock"):
            (self.data / name).unlink(missing_ok=True)
        for folder in (self.data, ELSEWHERE):
            with suppress(OSError):
                folder.rmdir()


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that were free a moment ago; whoever uses them must still expect to lose the race."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Poll `done` every 20 ms; whether it came true in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def tail(log: Path, start: int = 0, size: int = 2000) -> str:
    """The end of what a server logged from byte `start` on, for an error message."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(start)
        return file.read()[-size:].decode(errors="replace").strip()
    return ""
