"""Events of services that a test does not start, delivered as unkindly as all others, and a receiver of webhooks."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chassis.bus.ports import Outgoing
from chassis.bus.wire import encode
from chassis.ids import new_id

JSON = dict[str, Any]


def publish(suite: Any, kind: str, data: JSON, *, event_id: str | None = None) -> JSON:
    """Let an event happen; `data` needs no more than what is special about it."""
    service, record, _ = kind.split(".")
    data = {
        "id": new_id(),
        "version": 1,
        "deleted_at": None,
        "owner_id": None,
        "team_id": None,
        "changed": [],
        "previous": {},
        **data,
    }
    event: JSON = {
        "specversion": "1.0",
        "id": event_id or new_id(),
        "source": f"/{service}",
        "type": kind,
        "subject": f"{record}/{data['id']}",
        "time": "2026-01-02T03:04:05Z",
        "tenant": suite.tenant,
        "actor": "service:test",
        "correlationid": new_id(),
        "causationid": "",
        "version": data["version"],
        "data": data,
    }
    suite.bus.publish([Outgoing(f"{service}.events", kind, event["id"], encode(event))])
    return event


def user(suite: Any, **fields: Any) -> str:
    """A user whom the services have heard of. Returns his id."""
    made: JSON = {"id": new_id(), "name": "Nancy", "email": "nancy@example.com", "status": "active", "locale": "en"}
    made |= {"member_of": [], "gets_copies": False} | fields
    publish(suite, "identity.user.created", made)
    user_id: str = made["id"]
    return user_id


class Receiver:
    """Keeps what it gets and answers with the statuses it was told, then with 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status, headers = outer.answers.pop(0) if outer.answers else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def events(self) -> list[JSON]:
        return [json.loads(body) for _, body in self.got]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
