"""A service in a process of its own, to be killed: `python -m chassis.bus.tests.replica <url> <service>`.

Prints `ready`, then the key of each call that it begins; it never answers any.
"""

# ruff: noqa: E402
from chassis import bus

bus.start()

import sys
import threading

from chassis.bus.ports import Endpoint
from chassis.bus.tests.support import until
from chassis.bus.transport import connect


def begin(request):
    print(request["key"], flush=True)
    threading.Event().wait(600)


if __name__ == "__main__":
    url, name = sys.argv[1:]
    endpoint = Endpoint(name, begin, None, None, (), None, lambda *letter: None)
    running = connect(url).serve([endpoint], {"rpc"})
    until(lambda: all(running.ready().values()))
    print("ready", flush=True)
    threading.Event().wait(600)
