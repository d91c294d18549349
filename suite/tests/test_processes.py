"""Supervised processes end with their supervisor, also with one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from suite.servers.process import free_ports

ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
from suite.processes import Child, Supervisor
supervisor = Supervisor([Child("gateway", ("gateway", "--port", sys.argv[1]))], lambda line: None)
supervisor.start()
print(supervisor.pids()["gateway"], flush=True)
time.sleep(300)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent is gone")
def test_children_of_a_killed_supervisor_end():
    (port,) = free_ports(1)
    settings = {"GUANXI_BUS": "amqp://guest:guest@127.0.0.1:1/", "GUANXI_CONTEXT_KEY": "k" * 32}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(port)],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    try:
        # Its worker is there when gunicorn has taken over, in whose hands the wish of the command must still count.
        end = time.monotonic() + 30
        while not child.children():
            assert time.monotonic() < end
            time.sleep(0.05)
        everybody = [child, *child.children(recursive=True)]
        parent.kill()
        parent.wait()
        _, alive = psutil.wait_procs(everybody, timeout=30)
        assert not alive
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
