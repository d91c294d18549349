"""I1: what is promised to customers is held in stock, what was shipped left it, and each binding order is owed once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Key, Look, Side

BINDING = "status IN ('confirmed', 'shipped', 'completed') AND history IS NULL"
LINES = (
    "SELECT tenant_id, {order} || ' ' || (line->>'product_id') || ' '"
    " || trim_scale(sum((line->>'quantity')::numeric)) AS key"
    " FROM {table}, jsonb_array_elements(lines) AS line WHERE {condition}"
    " GROUP BY tenant_id, {order}, line->>'product_id'"
)
PROMISED = Side("sales", LINES.format(table="orders", order="id", condition="status = 'confirmed'"))
HELD = Side("inventory", LINES.format(table="reservations", order="order_id", condition="status = 'made'"))
SHIPPED = Side(
    "sales",
    LINES.format(table="orders", order="id", condition="status IN ('shipped', 'completed') AND history IS NULL"),
)
ISSUED = Side(
    "inventory",
    "SELECT tenant_id, order_id || ' ' || product_id || ' ' || trim_scale(-sum(change)) AS key FROM stock_moves"
    " WHERE order_id IS NOT NULL GROUP BY tenant_id, order_id, product_id HAVING sum(change) <> 0",
)


@rule(
    "I1",
    "confirmed orders that are not shipped hold exactly their lines in stock, and no other order does",
    moving=True,
)
def reservations(look: Look) -> Seen:
    rows, missing, extra = _twins_count_as_one(look, *look.compare([PROMISED], [HELD]))
    states = _states(look, {_order(key) for key in [*missing, *extra]})
    # A placed order holds stock while its saga runs, which I7 watches.
    extra = Counter({key: count for key, count in extra.items() if states.get(_order(key), ("",))[0] != "placed"})
    return seen(rows, _by_order(states, missing, extra, "reserved"))


@rule("I1", "shipped orders have left the stock exactly with their lines, and no other order has", moving=True)
def issues(look: Look) -> Seen:
    rows, missing, extra = _twins_count_as_one(look, *look.compare([SHIPPED], [ISSUED]))
    states = _states(look, {_order(key) for key in [*missing, *extra]})
    return seen(rows, _by_order(states, missing, extra, "issued"))


@rule("I1", "each order confirmed here has exactly one receivable of its total")
def receivables_of_orders(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT o.tenant_id, 'order ' || o.id AS subject,"
        " CASE WHEN count(r.id) <> 1 THEN 'is ' || o.status || ' and has ' || count(r.id) || ' receivables'"
        "  WHEN max(r.amount) <> o.total OR max(r.amount_currency) <> o.total_currency"
        "  THEN 'costs ' || o.total || ' ' || o.total_currency || ', its receivable says ' || max(r.amount) || ' '"
        "   || max(r.amount_currency) END AS fault"
        " FROM orders AS o LEFT JOIN receivables AS r ON r.tenant_id = o.tenant_id AND r.order_id = o.id"
        f" WHERE o.{BINDING.replace(' history', ' o.history')}"
        " GROUP BY o.tenant_id, o.id, o.status, o.total, o.total_currency",
    )


@rule("I1", "each receivable belongs to an order that was confirmed, and a cancelled order owes nothing")
def orders_of_receivables(look: Look) -> Seen:
    return look.audit(
        "sales",
        "SELECT r.tenant_id, 'receivable ' || r.id AS subject,"
        " CASE WHEN o.id IS NULL THEN 'has no order'"
        "  WHEN o.status IN ('draft', 'placed', 'rejected') THEN 'belongs to an order that is ' || o.status"
        "  WHEN o.status = 'cancelled' AND r.status NOT IN ('reversed', 'written_off')"
        "  THEN 'is ' || r.status || ' although its order is cancelled'"
        "  WHEN o.status <> 'cancelled' AND r.status = 'reversed' THEN 'is reversed although its order is ' || o.status"
        " END AS fault"
        " FROM receivables AS r LEFT JOIN orders AS o ON o.tenant_id = r.tenant_id AND o.id = r.order_id",
    )


def _twins_count_as_one(
    look: Look, rows: int, missing: Counter[Key], extra: Counter[Key]
) -> tuple[int, Counter[Key], Counter[Key]]:
    """Entries of the ledger stay with the product they were made for, while orders follow a merge and its undoing: so
    products that were one, if only for a while, are compared by their sum."""
    families: dict[str, str] = {}
    for row in look.rows(
        "inventory", "SELECT tenant_id, winner_id, losers FROM merges WHERE record = 'inventory.product' ORDER BY id"
    ):
        members = [row.winner_id, *row.losers]
        joined = {families.get(member, member) for member in members}
        families |= dict.fromkeys([one for one, head in families.items() if head in joined], row.winner_id)
        families |= dict.fromkeys(members, row.winner_id)
    sums: tuple[Counter[tuple[str, str, str]], ...] = (Counter(), Counter())
    for side, keys in zip(sums, (missing, extra), strict=True):
        for key in keys:
            side[_family(key, families)] += _quantity(key)  # type: ignore[assignment]
    even = {family for family in sums[0] if sums[0][family] == sums[1][family]}
    kept = [
        Counter({key: count for key, count in keys.items() if _family(key, families) not in even})
        for keys in (missing, extra)
    ]
    return rows, kept[0], kept[1]


def _family(key: Key, families: dict[str, str]) -> tuple[str, str, str]:
    order, product, _ = key[1].split(" ")
    return key[0], order, families.get(product, product)


def _quantity(key: Key) -> Decimal:
    return Decimal(key[1].rsplit(" ", 1)[1])


def _order(key: Key) -> tuple[str, str]:
    return key[0], key[1].split(" ", 1)[0]


def _states(look: Look, orders: set[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """The status of orders, and the saga that is at work on them."""
    found = look.rows(
        "sales",
        "SELECT o.tenant_id, o.id, o.status, coalesce(string_agg(s.name, ', '), '') AS sagas FROM orders AS o"
        " LEFT JOIN sagas AS s ON s.tenant_id = o.tenant_id AND s.record_id = o.id AND s.ended_at IS NULL"
        " WHERE o.id = ANY(%(ids)s::uuid[]) GROUP BY o.tenant_id, o.id, o.status",
        ids=[order for _, order in orders],
    )
    return {(row.tenant_id, row.id): (row.status, row.sagas) for row in found}


def _by_order(
    states: dict[tuple[str, str], tuple[str, str]], missing: dict[Key, int], extra: dict[Key, int], verb: str
) -> list[Fault]:
    """One fault for each order, whatever the number of its lines."""
    lines: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for index, keys in enumerate((missing, extra)):
        for key in keys:
            _, product, quantity = key[1].split(" ")
            lines.setdefault(_order(key), ([], []))[index].append(f"{quantity} of product {product}")
    faults = []
    for (tenant, order), (wanted, found) in sorted(lines.items()):
        status, sagas = states.get((tenant, order), ("unknown to sales", ""))
        says = f"is {status}; its lines ask for {_list(wanted)}, {verb} are {_list(found)}"
        says += f" ({sagas} is still running)" if sagas else ""
        faults.append(Fault(tenant, "inventory", f"order {order}", says))
    return faults


def _list(lines: list[str]) -> str:
    shown = ", ".join(sorted(lines)[:3])
    return f"{shown} and {len(lines) - 3} more" if len(lines) > 3 else shown or "nothing"


rules = (reservations, issues, receivables_of_orders, orders_of_receivables)
