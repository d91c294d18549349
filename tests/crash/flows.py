"""The flows whose every step is died at: what a client asks for, one function a stage.

A stage begins in a copy of the quiet state that the stage before it has left, and ends when nothing is left to happen.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from chassis.context import Context
from chassis.ids import new_id
from chassis.testing import Suite
from contracts.fields import instant
from tests.crash.world import Stage, World

JSON = dict[str, Any]


def furnish(suite: Suite) -> dict[str, str]:
    """A tenant with somebody who sells, customers, tea in stock, and quiet queues. Returns ids by name."""
    provision = {"slug": f"p-{new_id()[-12:]}", "name": "Tea", "email": "ida@tea.example", "password": "long enough pw"}
    operator = Context(tenant=new_id(), actor="service:operator")
    made = suite.call("identity", "identity.provision", provision, context=operator)
    suite.tenant, suite.user_id = made["tenant_id"], made["user_id"]
    suite.settle()
    known = {"tenant": suite.tenant, "user": suite.user_id}
    known["colleague"] = suite.create("identity.user", {"name": "Bo", "email": "bo@tea.example"})["id"]
    known["account"] = suite.create("customer.account", {"name": "Alfreds"})["id"]
    limit = {"amount": "20.00", "currency": "USD"}
    known["limited"] = suite.create("customer.account", {"name": "Small", "credit_limit": limit})["id"]
    price = {"amount": "4.995", "currency": "USD"}
    for name, stock in (("tea", "100"), ("rare", "2")):
        known[name] = suite.create("inventory.product", {"name": name, "sku": name.upper(), "price": price})["id"]
        move = {"kind": "receipt", "product_id": known[name], "quantity": stock, "reason": "Opening stock"}
        suite.create("inventory.stock-move", move)
    known["campaign"] = suite.create("marketing.campaign", {"name": "Spring"})["id"]
    suite.settle()
    assert not suite.dead()
    return known


def _draft(world: World, product: str = "tea", quantity: str = "3", account: str = "account") -> str:
    order = world.create(
        "sales.order",
        {
            "account_id": world.known[account],
            "currency": "USD",
            "ordered_on": "2026-03-02",
            "lines": [{"product_id": world.known[product], "quantity": quantity, "tax_rate": "19"}],
        },
    )
    world.known["order"] = str(order["id"])
    return world.known["order"]


def _status(world: World) -> str:
    return str(world.find("sales", "SELECT status FROM orders WHERE tenant_id = %s ORDER BY id DESC LIMIT 1"))


def draft(world: World) -> None:
    _draft(world)


def place(world: World) -> None:
    world.do("sales.order", world.known["order"], "place", {})
    world.settle()
    assert _status(world) == "confirmed"


def ship(world: World) -> None:
    world.do("sales.order", world.known["order"], "ship", {})
    world.settle()
    assert _status(world) == "shipped"


def _pay(world: World) -> None:
    receivable = str(world.find("sales", "SELECT id FROM receivables WHERE tenant_id = %s ORDER BY id DESC LIMIT 1"))
    owed = {"amount": "17.84", "currency": "USD"}
    allocation = {"receivable_id": receivable, "amount": owed}
    payment = {"account_id": world.known["account"], "amount": owed, "received_on": "2026-03-09", "reference": "wire"}
    world.create("sales.payment", {**payment, "allocations": [allocation]})


def pay(world: World) -> None:
    _pay(world)
    world.settle()
    assert _status(world) == "completed"


def refused_by_stock(world: World) -> None:
    order = _draft(world, product="rare", quantity="3")
    world.do("sales.order", order, "place", {})
    world.settle()
    assert _status(world) == "rejected"


def refused_by_credit(world: World) -> None:
    order = _draft(world, quantity="30", account="limited")
    world.do("sales.order", order, "place", {})
    world.settle()
    assert _status(world) == "rejected"


def cancel_confirmed(world: World) -> None:
    world.do("sales.order", world.known["order"], "cancel", {"reason": "changed my mind"})


def cancel_placed(world: World) -> None:
    """The saga is under way; its undo follows its ask, or overtakes it."""
    world.do("sales.order", world.known["order"], "place", {})
    world.do("sales.order", world.known["order"], "cancel", {"reason": "changed my mind"})


def ship_in_vain(world: World) -> None:
    """Inventory is away for longer than the saga waits; when it is back, it finds the ask and its undo."""
    world.away = {"inventory"}
    world.do("sales.order", world.known["order"], "ship", {})
    world.settle(waiting=False)
    world.forward(seconds=21)
    world.settle(waiting=False)
    world.away = set()
    world.settle()
    assert _status(world) == "confirmed"


def points_given_back(world: World) -> None:
    """A paid order earns points; cancelled before it is shipped, it gives them back."""
    _pay(world)
    world.settle()
    world.do("sales.order", world.known["order"], "cancel", {"reason": "not delivered"})
    world.settle()
    assert world.find("marketing", "SELECT sum(points) FROM point_entries WHERE tenant_id = %s") == 0


def overdue(world: World) -> None:
    world.forward(days=32)


def qualified(world: World) -> None:
    lead = world.create("marketing.lead", {"name": "Wu", "company": "Wu & Co", "campaign_id": world.known["campaign"]})
    world.known["lead"] = str(lead["id"])
    world.do("marketing.lead", world.known["lead"], "qualify")


def convert(world: World) -> None:
    world.do("marketing.lead", world.known["lead"], "convert", {})
    world.settle()
    assert world.find("marketing", "SELECT status FROM leads WHERE tenant_id = %s") == "converted"


def convert_in_vain(world: World) -> None:
    """Sales is away for longer than the saga waits: what customer has made is taken back."""
    world.away = {"sales"}
    world.do("marketing.lead", world.known["lead"], "convert", {})
    world.settle(waiting=False)
    world.forward(seconds=21)
    world.settle(waiting=False)
    world.away = set()
    world.settle()
    assert world.find("marketing", "SELECT status FROM leads WHERE tenant_id = %s") == "qualified"


def reminder(world: World) -> None:
    """An alarm that is set, moved, and rings."""
    first, second = (instant(world.now(minutes=minutes)) for minutes in (30, 60))
    planned = {"subject": "Call Alfreds", "account_id": world.known["account"], "remind_at": first}
    activity = world.create("customer.activity", planned)
    world.update("customer.activity", activity["id"], {"remind_at": second})
    world.settle()
    world.forward(minutes=61)
    world.settle()
    world.do("customer.activity", activity["id"], "complete", {"outcome": "They buy."})


def told(world: World) -> None:
    """The other events that somebody is told about, each with its e-mail."""
    contact = world.create("customer.contact", {"name": "Ana", "account_id": world.known["account"]})
    world.create("customer.interaction", {"summary": "Ana called", "account_id": contact["account_id"]})
    world.do("customer.account", world.known["account"], "transfer", {"owner_id": world.known["colleague"]})
    request = world.create("service.request", {"subject": "Late", "account_id": world.known["account"]})
    world.do("service.request", request["id"], "assign", {"owner_id": world.known["colleague"]})
    world.do("marketing.campaign", world.known["campaign"], "launch")


def _event(world: World, kind: str, record_id: str, **data: Any) -> None:
    """An event whose sender takes no part in a flow."""
    service, record, _ = kind.split(".")
    common = {"owner_id": None, "team_id": None, "deleted_at": None, "changed": [], "previous": {}}
    document = {
        "specversion": "1.0",
        "id": new_id(),
        "source": f"/{service}",
        "type": kind,
        "subject": f"{record}/{record_id}",
        "time": instant(world.now()),
        "tenant": world.tenant,
        "actor": f"service:{service}",
        "version": 1,
        "correlationid": new_id(),
        "causationid": "",
        "data": {"id": record_id, "version": 1, **common, **data},
    }
    world.inject(f"{service}.events", kind, document)


def webhook_disabled(world: World) -> None:
    reason = {"disabled_reason": "410"}
    _event(world, "notify.webhook.disabled", new_id(), name="Stock", user_id=world.known["colleague"], **reason)


def new_tenant(world: World) -> None:
    """The event by which the services furnish a tenant that identity has made."""
    _event(world, "identity.tenant.created", world.tenant, slug="tea", name="Tea")


def twin_accounts(world: World) -> None:
    """Two accounts that are one, with references in every service, more than one batch of them in some."""
    for name in ("winner", "loser"):
        account = world.create("customer.account", {"name": f"Alfreds {name}", "tags": [name]})["id"]
        world.known[name] = str(account)
    of_loser = {"account_id": world.known["loser"]}
    contacts = [world.create("customer.contact", {"name": name, **of_loser})["id"] for name in ("Ana", "Bo", "Cyd")]
    world.create("customer.group", {"name": "Both", "account_ids": [world.known["loser"], world.known["winner"]]})
    world.create("customer.activity", {"subject": "Call", **of_loser, "contact_id": contacts[0]})
    _draft(world, account="loser")
    world.create("sales.opportunity", {"name": "Tea for all", **of_loser})
    world.create("service.request", {"subject": "Cold tea", **of_loser})
    world.create("marketing.point-entry", {**of_loser, "points": 5, "reason": "welcome"})


def twin_products(world: World) -> None:
    """Two products that are one: stock of both, and some of it reserved."""
    world.known["winner"], world.known["loser"] = world.known["tea"], world.known["rare"]
    order = _draft(world, product="rare", quantity="1")
    world.do("sales.order", order, "place", {})
    world.settle()
    assert _status(world) == "confirmed"


def _merge(record: str) -> Stage:
    def merged(world: World) -> None:
        params = {"record": record, "id": world.known["winner"], "data": {"losers": [world.known["loser"]]}}
        world.request(record.split(".")[0], "record.merge", params)
        world.settle()
        assert _merge_state(world, record) == "merged"

    return merged


def _unmerge(record: str) -> Stage:
    def unmerged(world: World) -> None:
        world.request(
            record.split(".")[0], "record.unmerge", {"record": record, "id": world.known["winner"], "data": {}}
        )
        world.settle()
        assert _merge_state(world, record) == "unmerged"

    return unmerged


def _merge_state(world: World, record: str) -> str:
    return str(world.find(record.split(".")[0], "SELECT state FROM merges WHERE tenant_id = %s"))


def belongings(world: World) -> None:
    """An account with somebody who works there, and a chance in another service."""
    account = {"account_id": world.create("customer.account", {"name": "Tea House"})["id"]}
    world.known["house"] = str(account["account_id"])
    contact = world.create("customer.contact", {"name": "Ana Trujillo", "email": "ana@tea.example", **account})
    world.known["contact"] = str(contact["id"])
    about = {**account, "contact_id": contact["id"]}
    world.create("sales.opportunity", {"name": "Tea for Ana Trujillo", **about})
    world.create("service.request", {"subject": "Cold", "description": "Write to ana@tea.example", **about})


def _of_house(verb: str) -> Stage:
    def done(world: World) -> None:
        world.request("customer", f"record.{verb}", {"record": "customer.account", "id": world.known["house"]})
        world.settle()
        there = world.find("sales", "SELECT count(*) FROM opportunities WHERE tenant_id = %s AND deleted_at IS NULL")
        assert there == (1 if verb == "restore" else 0), (verb, there)

    return done


def purged(world: World) -> None:
    """Deleted once more, and gone for good in both services."""
    world.update("customer.account", world.known["house"], {"tags": ["going"]})
    _of_house("delete")(world)
    world.request("customer", "record.purge", {"record": "customer.account", "id": world.known["house"]})
    world.settle()
    assert world.find("sales", "SELECT count(*) FROM opportunities WHERE tenant_id = %s") == 0


def case_closed(world: World) -> None:
    """Open requests would stand against deleting the account."""
    request = str(world.find("service", "SELECT id FROM service_requests WHERE tenant_id = %s"))
    world.do("service.request", request, "resolve", {"resolution": "Warmed up"})


def erase(world: World) -> None:
    params = {"record": "customer.contact", "id": world.known["contact"], "data": {"reason": "Asked for it"}}
    world.request("customer", "record.erase", params)
    world.settle()
    assert world.find("customer", "SELECT state FROM erasures WHERE tenant_id = %s") == "erased"
    assert world.find("sales", "SELECT name FROM opportunities WHERE tenant_id = %s") == "Tea for —"


def file_attached(world: World) -> None:
    """The edge has stored the file before it asks for its row."""
    blob = world.house.blobs.of("customer", world.tenant).put(io.BytesIO(b"Signed in ink."))
    sent = {"data": {"name": "contract.txt"}, "blob": {"key": blob.key, "size": blob.size}}
    world.request("customer", "child.attach", {"record": "customer.account", "id": world.known["account"], **sent})
    world.settle()
    held = "SELECT count(*) FROM attachments AS a JOIN blob_holds AS h ON h.holder = 'attachment:' || a.id"
    assert world.find("customer", f"{held} WHERE a.tenant_id = %s AND h.key = a.sha256") == 1


@dataclass(frozen=True)
class Flow:
    """Stages, of which the first `given` only lead up to what is examined. `furnished` false: in an empty tenant."""

    name: str
    stages: tuple[Stage, ...]
    given: int = 0
    furnished: bool = True


FLOWS = (
    Flow("order placed, confirmed, shipped, paid, completed", (draft, place, ship, pay)),
    Flow("order refused by stock", (refused_by_stock,)),
    Flow("order refused by credit", (refused_by_credit,)),
    Flow("order cancelled when confirmed", (draft, place, cancel_confirmed), given=2),
    Flow("order cancelled while its saga runs", (draft, cancel_placed), given=1),
    Flow("shipping times out", (draft, place, ship_in_vain), given=2),
    Flow("points given back", (draft, place, points_given_back), given=2),
    Flow("receivable overdue", (draft, place, overdue), given=2),
    Flow("lead converted", (qualified, convert)),
    Flow("conversion times out", (qualified, convert_in_vain), given=1),
    Flow(
        "accounts merged and un-merged",
        (twin_accounts, _merge("customer.account"), _unmerge("customer.account")),
        given=1,
    ),
    Flow(
        "products merged and un-merged",
        (twin_products, _merge("inventory.product"), _unmerge("inventory.product")),
        given=1,
    ),
    Flow(
        "account deleted, restored and purged with what belongs to it",
        (belongings, case_closed, _of_house("delete"), _of_house("restore"), purged),
        given=2,
    ),
    Flow("person erased", (belongings, erase), given=1),
    Flow("file attached", (file_attached,)),
    Flow("reminder", (reminder,)),
    Flow("people told", (told,)),
    Flow("webhook disabled", (webhook_disabled,)),
    Flow("tenant furnished", (new_tenant,), furnished=False),
)
