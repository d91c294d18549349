"""The client in a process with real threads (see `threads.py`), against a service in this one."""

import json
import subprocess
import sys
import threading

import pytest

SCENES = {
    "many": {"own_answers": [True] * 8},
    "forked": {"child": {"echo": {"child": True}}, "parent": {"echo": {"parent": True}}},
    "refused": {"unavailable_in_time": True},
    "late": {"unknown_in_time": True},
    "published": {"outcomes": ["confirmed", "unroutable"]},
    "healthy": {"connected": True, "blocked": False, "offloaded": 2},
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_process_with_real_threads_is_served_alike(rabbit, broker, scene):
    def handler(request):
        if request.get("slow"):
            threading.Event().wait(2)
        return {"echo": request}

    service = rabbit.service(rpc=handler).start()
    command = [sys.executable, "-m", "chassis.bus.tests.threads", broker.url, service.name, scene]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"patched": False, "result": SCENES[scene]}
