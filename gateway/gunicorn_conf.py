"""How gunicorn runs the gateway: threads, because waiting for the bus is all that a request does."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from gateway.settings import THREADS, THREADS_OF_STREAMS

_streams = os.environ.get("GUANXI_STREAMS", "").lower() in ("1", "true", "yes", "on")

bind = f"{os.environ.get('GUANXI_HOST', '127.0.0.1')}:{os.environ.get('GUANXI_PORT', '8080')}"
worker_class = "gthread"
workers = int(os.environ.get("GUANXI_WORKERS", "2"))
threads = int(os.environ.get("GUANXI_THREADS", THREADS_OF_STREAMS if _streams else THREADS))
# The client of the bus has a thread and a connection of its own, neither of which survives a fork.
preload_app = False
timeout = 30
graceful_timeout = 15
keepalive = 75
backlog = 512
worker_connections = 1000
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
# It would be a file in the home directory, which a container may not have; nothing here is steered through it.
control_socket_disable = True
accesslog = None
errorlog = "-"

_own_folder: list[str] = []


def on_starting(server: Any) -> None:
    """Name the folder in which workers share their measurements: they import prometheus_client, which decides by it."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        _own_folder.append(tempfile.mkdtemp(prefix="guanxi-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = _own_folder[0]


def child_exit(server: Any, worker: Any) -> None:
    """A worker that is gone has no requests in flight."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """The values of this run mean nothing to the next one."""
    for folder in _own_folder:
        shutil.rmtree(folder, ignore_errors=True)
