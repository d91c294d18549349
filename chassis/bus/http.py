"""An HTTP server on green threads, for the suite in one process. Everywhere else gunicorn serves the gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import eventlet
import eventlet.wsgi

log = logging.getLogger(__name__)
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class HttpServer:
    """Serves a WSGI application at an address until `stop`. Raises OSError when the port is taken."""

    def __init__(self, application: Application, host: str, port: int) -> None:
        self._socket = eventlet.listen((host, port))
        self.port: int = self._socket.getsockname()[1]
        self._thread = eventlet.spawn(
            eventlet.wsgi.server,
            self._socket,
            application,
            log=logging.getLogger("guanxi.http"),
            log_output=False,
            debug=False,
            max_size=200,
            keepalive=True,
            socket_timeout=75,
            minimum_chunk_size=1,
        )

    def stop(self) -> None:
        """Take no new connections; what is being answered ends with the process."""
        self._thread.kill()
        self._socket.close()
