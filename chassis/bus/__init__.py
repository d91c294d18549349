"""The message bus: remote calls, events and saga messages between services.

Only this package knows Nameko, AMQP and eventlet. A service hands plain callables over (`ports.Endpoint`) and gets a
`Caller` and a `Publisher` back; whether RabbitMQ or the same process carries the bytes is a setting
(`transport.connect`). Importing this module is light and patches nothing, because the gateway's threads use the client
without eventlet.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_patched = False
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
"""The server ends statements of services before that (`statement_timeout`); this is for a server that is not there.
Whatever waits behind such a connection, an event or a dead letter, waits no longer either."""


def start() -> None:
    """Make this process cooperative. Must be the first thing that a service process does, before other imports.

    Raises RuntimeError when psycopg2 stayed blocking: one slow query would then stop every other request and the
    heartbeats with it, so that the broker would deliver running messages a second time.
    """
    global _patched
    with warnings.catch_warnings():
        # eventlet says on every import that it is in maintenance mode, which is why only this package knows it.
        warnings.simplefilter("ignore")
        import eventlet
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="eventlet")
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    eventlet.monkey_patch()
    import psycopg2.extensions

    psycopg2.extensions.set_wait_callback(_wait_for_database)
    if psycopg2.extensions.get_wait_callback() is None:
        raise RuntimeError("psycopg2 has no green wait callback: a query would block the whole process")
    _patched = True


def _wait_for_database(connection: Any) -> None:
    """Let other green threads run until the database has answered, for a limited time.

    eventlet's own callback waits without a limit, and libpq's `connect_timeout` does not count here: behind a link that
    swallows everything one request would wait for ever, and with it a worker and a connection of the pool.
    """
    import psycopg2
    from eventlet.hubs import trampoline
    from psycopg2 import extensions

    while (state := connection.poll()) != extensions.POLL_OK:
        # While it connects, a connection is in states that psycopg2 has no names for.
        connected = connection.status in (extensions.STATUS_READY, extensions.STATUS_BEGIN)
        limit = ANSWER_SECONDS if connected else CONNECT_SECONDS
        silent = psycopg2.OperationalError(f"the database did not answer within {limit:g} s")
        reading = state == extensions.POLL_READ
        trampoline(connection.fileno(), read=reading, write=not reading, timeout=limit, timeout_exc=silent)


def started() -> bool:
    """Whether `start` ran in this process, in other words whether threads are green here."""
    return _patched


def offload(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function that computes or blocks in C for long (password hashes, big files) beside the event loop.

    In a process that is not patched, where real threads serve the requests, this is a plain call.
    """
    if not _patched:
        return function(*args, **kwargs)
    from eventlet import tpool

    result: R = tpool.execute(function, *args, **kwargs)
    return result
