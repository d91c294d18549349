"""A real server that speaks S3 and checks signatures, on localhost: `rclone serve s3` over a folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY, SECRET, BUCKET = "GUANXITESTKEY", "a secret of the tests", "guanxi-files"


class Objects:
    """The server, which can be away and come back with what it had. `environment` is what a process is told of it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="guanxi-objects-"))
        (self.root / BUCKET).mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.location = f"s3://{BUCKET}/tests"
        self.environment = {
            "GUANXI_S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "GUANXI_S3_ACCESS_KEY": KEY,
            "GUANXI_S3_SECRET_KEY": SECRET,
        }
        self.start()

    def start(self) -> None:
        program = Path(sys.executable).parent / "rclone"
        address, keys = f"127.0.0.1:{self.port}", f"{KEY},{SECRET}"
        self._process = subprocess.Popen(
            [program, "serve", "s3", "--addr", address, "--auth-key", keys, "--config", "/dev/null", self.root],
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def path(self, service: str, tenant: str, key: str) -> Path:
        """Where the server keeps an object, for tests that damage it."""
        return self.root / BUCKET / "tests" / service / tenant / key

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.root)
