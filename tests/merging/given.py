"""A business with twins, what its databases hold, and whether the check is content with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import NullPool

from chassis.context import Context
from chassis.ids import new_id
from chassis.testing import Databases, Suite
from suite.check.command import check

JSON = dict[str, Any]
# What says how something came about, and not what is: it may only grow.
TRACES = {
    "changes", "unsent", "inbox", "idempotency", "sagas", "asked", "counters", "timers", "merges", "events",
    "feed_positions", "merged_subjects", "progress", "alembic_version", "chassis_version", "dead_letters",
    "recent_records", "recent_searches", "words",
}  # fmt: skip
MOVING = {"version", "updated_at", "updated_by", "changed_at", "tokens"}
SHOWN = {"facets": "facets - 'updated_at' AS facets"}
"""The index tells when a record was last changed as well, and makes its tokens of that too."""

COLUMNS = (
    "SELECT c.relname, array_agg(a.attname::text) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition GROUP BY c.relname ORDER BY 1"
)


def usd(amount: str) -> JSON:
    return {"amount": amount, "currency": "USD"}


class Business:
    """One tenant's doings, through the services."""

    bus = blobs = ""
    management = None

    def __init__(self, suite: Suite, databases: Databases) -> None:
        self.suite, self.databases = suite, databases
        self._engines: dict[str, Engine] = {}
        made = suite.call(
            "identity",
            "identity.provision",
            {
                "slug": f"m-{new_id()[-12:]}",
                "name": "Twins",
                "currency": "USD",
                "email": "owner@example.com",
                "password": "a long enough password",
            },
            context=Context(tenant=new_id(), actor="service:operator"),
        )
        suite.tenant, suite.user_id = made["tenant_id"], made["user_id"]
        suite.settle()

    def account(self, name: str = "Alfreds", **fields: Any) -> str:
        return str(self.suite.create("customer.account", {"name": name, **fields})["id"])

    def product(self, name: str = "Tea", on_hand: str = "100", **fields: Any) -> str:
        product = self.suite.create("inventory.product", {"name": name, "price": usd("10"), "tax_rate": "0", **fields})
        self.suite.create("inventory.stock-move", {"kind": "receipt", "product_id": product["id"], "quantity": on_hand})
        return str(product["id"])

    def order(self, account: str, lines: list[tuple[str, str]], *verbs: str) -> str:
        data = {
            "account_id": account,
            "currency": "USD",
            "ordered_on": "2026-11-23",
            "lines": [{"product_id": product, "quantity": quantity} for product, quantity in lines],
        }
        order = self.suite.create("sales.order", data)["id"]
        for verb in verbs:
            self.suite.run("sales.order", order, verb)
            self.suite.settle()
        return str(order)

    def pay(self, account: str, order: str, amount: str) -> str:
        (receivable,) = self.suite.list("sales.receivable", ["order_id", "eq", order])
        share = {"receivable_id": receivable["id"], "amount": usd(amount)}
        data = {"account_id": account, "amount": usd(amount), "received_on": "2026-11-23", "allocations": [share]}
        return str(self.suite.create("sales.payment", data)["id"])

    def merge(self, record: str, winner: str, *losers: str, settle: bool = True, **options: Any) -> str:
        data = {"losers": list(losers), **({"choices": options.pop("choices")} if "choices" in options else {})}
        made = self.suite.request(
            record.split(".")[0], "record.merge", {"record": record, "id": winner, "data": data}, **options
        )
        assert made["status"] == 202
        if settle:
            self.suite.settle()
        return str(made["body"]["merge_id"])

    def unmerge(self, record: str, winner: str, merge_id: str | None = None, *, settle: bool = True) -> None:
        params = {"record": record, "id": winner, "data": {"merge_id": merge_id} if merge_id else {}}
        self.suite.request(record.split(".")[0], "record.unmerge", params)
        if settle:
            self.suite.settle()

    def merges(self, record: str, winner: str) -> list[JSON]:
        found: list[JSON] = self.suite.call(record.split(".")[0], "record.merges", {"record": record, "id": winner})[
            "items"
        ]
        return found

    # --- looking

    def holds(self) -> dict[tuple[str, str], list[str]]:
        """Everything that the databases hold of this tenant, without versions and traces.

        Entries by which a merge carried a balance over and back cancel out, and what they opened stays empty.
        """
        found = {}
        for service in self.suite.bus.runtimes:
            with self._engine(service).connect() as connection:
                for table, columns in connection.exec_driver_sql(COLUMNS).all():
                    if table not in TRACES:
                        kept = ", ".join(SHOWN.get(name, f'"{name}"') for name in columns if name not in MOVING)
                        rows = connection.exec_driver_sql(
                            f'SELECT to_jsonb(x)::text FROM (SELECT {kept} FROM "{table}" WHERE tenant_id = %s'
                            f"{APART.get(table, '')}) AS x",
                            (self.suite.tenant,),
                        )
                        found[service, table] = sorted(row[0] for row in rows)
        return found

    def dangling(self, *losers: str) -> list[tuple[str, str, str]]:
        """Columns of records that still name one of these: service, table, row."""
        found = []
        for (service, table), rows in self.holds().items():
            if table in (
                "merged_records",
                "merged_subjects",
                "repointed",
                "copies",
                "copy_keys",
                "external_ids",
                "documents",
                "keys",
                "words",
                "order_points",
            ):
                continue
            for row in rows:
                for loser in losers:
                    if loser in row and f'"id": "{loser}"' not in row:
                        found.append((service, table, row))
        return found

    def violated(self) -> list[str]:
        results = check(self, self.suite.tenant, wait=lambda seconds: None, pauses=())
        return [f"{one.rule.says}: {one.seen.faults}" for one in results if one.state == "violated"]

    def database_url(self, service: str, role: str) -> str:
        return self.databases.url(service, role)

    def _engine(self, service: str) -> Engine:
        if service not in self._engines:
            url = make_url(self.databases.server).set(database=f"{self.databases.name}_{service}")
            self._engines[service] = create_engine(url, poolclass=NullPool)
        return self._engines[service]


APART = {
    "stock_moves": " AND cause NOT LIKE 'merge:%%'",
    "point_entries": " AND reason IS DISTINCT FROM 'Merged accounts' AND reason IS DISTINCT FROM 'Un-merged accounts'",
    "stock_levels": " AND (on_hand <> 0 OR reserved <> 0)",
    "point_accounts": " AND balance <> 0",
    "account_facts": " AND NOT (record = 'points' AND count = 0)",
    # The index and the log hold what their own records say; tests of theirs compare them.
    "documents": " AND record NOT IN ('inventory.stock-move', 'marketing.point-entry', 'marketing.point-account')",
    "keys": " AND record NOT IN ('inventory.stock-move', 'marketing.point-entry', 'marketing.point-account')",
}
