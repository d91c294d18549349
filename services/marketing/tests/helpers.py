"""Events of services that a test does not start, and a sales service that knows opportunities of leads only."""

from __future__ import annotations

from typing import Any

from chassis.bus.wire import encode
from chassis.database import Work
from chassis.ids import derived_id, new_id
from chassis.runtime import Runtime
from chassis.saga import Refused
from chassis.service import Service
from contracts import pipelines

JSON = dict[str, Any]


def event(suite: Any, kind: str, data: JSON) -> bytes:
    """The bytes of an event of the suite's tenant; `data` needs `id` and `version`."""
    service, record, _ = kind.split(".")
    document = {
        "specversion": "1.0",
        "id": new_id(),
        "source": f"/{service}",
        "type": kind,
        "subject": f"{record}/{data['id']}",
        "tenant": suite.tenant,
        "correlationid": new_id(),
        "version": data["version"],
        "data": {"deleted_at": None, "owner_id": None, "team_id": None, "changed": [], "previous": {}, **data},
    }
    return encode(document)


def account_known(suite: Any, account_id: str | None = None, **fields: Any) -> str:
    """Let marketing hear of an account. Returns its id."""
    data = {"id": account_id or new_id(), "version": 1, "name": "Bo & Co", **fields}
    suite.runtime("marketing").event(event(suite, "customer.account.created", data))
    return data["id"]


def receivable(account_id: str, order_id: str, version: int, status: str, net: str = "120.90") -> JSON:
    return {
        "id": derived_id("receivable", order_id),
        "version": version,
        "order_id": order_id,
        "account_id": account_id,
        "status": status,
        "net": {"amount": net, "currency": "EUR"},
    }


def deliver(suite: Any, *bodies: bytes) -> None:
    for body in bodies:
        suite.runtime("marketing").event(body)


class Ledger:
    """What the stand-in for sales has made, by lead, and how it shall answer."""

    def __init__(self) -> None:
        self.opportunities: dict[str, Any] = {}
        self.refuse: Refused | None = None
        self.removed: list[str] = []


def start_sales(suite: Any, ledger: Ledger) -> None:
    """Start a participant named sales: a real service on a real inbox, in a database that another service lends it."""

    def create(request: Any, work: Work) -> JSON:
        if ledger.refuse is not None:
            raise ledger.refuse
        ledger.opportunities[request.lead_id] = request
        return {"opportunity_id": derived_id("opportunity", request.lead_id)}

    def remove(request: Any, work: Work) -> None:
        ledger.opportunities.pop(request.lead_id, None)
        ledger.removed.append(request.lead_id)

    class Sales(Service):
        name = "sales"
        asks = ((pipelines.create_from_lead, create), (pipelines.remove_from_lead, remove))

    lent = suite.databases.open("identity", suite.clock)
    database = type(lent)(lent.app, lent.ops, suite.clock, None)
    suite.bus.runtimes["sales"] = Runtime(Sales, database, suite.signer, suite.bus, suite.clock)
