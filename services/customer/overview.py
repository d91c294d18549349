"""The whole relationship with an account on one page: facts kept from everybody's events, summed when asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from chassis.database import Work
from chassis.service import on
from contracts import fields as f
from services.customer.accounts import accounts

JSON = dict[str, Any]
ENDED_ORDERS = ("rejected", "cancelled")


def _keep(work: Work, record: str, data: JSON, **fact: Any) -> None:
    """Keep the fact of a record in its highest version: also when it no longer belongs to any account."""
    row = {
        "tenant_id": work.tenant,
        "record": record,
        "record_id": data["id"],
        "account_id": data.get("account_id"),
        "version": data["version"],
        "deleted": data.get("deleted_at") is not None,
        **dict.fromkeys(("status", "number", "title", "amount", "currency", "happened_on", "happened_at", "count")),
        **fact,
    }
    columns = ", ".join(f'"{name}"' for name in row)
    updates = ", ".join(
        f'"{name}" = excluded."{name}"' for name in row if name not in ("tenant_id", "record", "record_id")
    )
    work.later(
        f"INSERT INTO account_facts ({columns}) VALUES ({', '.join(['%s'] * len(row))})"
        f" ON CONFLICT (tenant_id, record, record_id) DO UPDATE SET {updates}"
        " WHERE account_facts.version < excluded.version",
        list(row.values()),
    )


@on("sales.order.*")
def on_order(event: JSON, work: Work) -> None:
    data = event["data"]
    total = data["total"] or {}
    _keep(
        work,
        "order",
        data,
        status=data["status"],
        number=data.get("number"),
        amount=total.get("amount"),
        currency=total.get("currency"),
        happened_on=data["ordered_on"],
    )


@on("sales.receivable.*")
def on_receivable(event: JSON, work: Work) -> None:
    data = event["data"]
    _keep(
        work,
        "receivable",
        data,
        status=data["status"],
        number=data.get("number"),
        amount=data["open"]["amount"],
        currency=data["open"]["currency"],
        happened_on=data["due_on"],
    )


@on("sales.opportunity.*")
def on_opportunity(event: JSON, work: Work) -> None:
    _keep(work, "opportunity", event["data"], status=event["data"]["status"], title=event["data"]["name"])


@on("service.request.*")
def on_request(event: JSON, work: Work) -> None:
    data = event["data"]
    _keep(work, "request", data, status=data["status"], number=data.get("number"), title=data["subject"])


@on("marketing.point-account.*")
def on_points(event: JSON, work: Work) -> None:
    _keep(work, "points", event["data"], count=event["data"]["balance"])


@on("customer.contact.*")
def on_contact(event: JSON, work: Work) -> None:
    _keep(work, "contact", event["data"])


@on("customer.activity.*")
def on_activity(event: JSON, work: Work) -> None:
    _keep(work, "activity", event["data"], status=event["data"]["status"], title=event["data"]["subject"])


@on("customer.interaction.*")
def on_interaction(event: JSON, work: Work) -> None:
    _keep(work, "interaction", event["data"], happened_at=event["data"]["happened_at"])


reactions = (on_order, on_receivable, on_opportunity, on_request, on_points, on_contact, on_activity, on_interaction)


def overview(work: Work, account_id: str) -> JSON:
    """The page of one account that the principal may read."""
    accounts.get(work, account_id)
    rows = work.sql(
        "SELECT record, record_id, status, number, title, amount, currency, happened_on, happened_at, count"
        " FROM account_facts WHERE tenant_id = %s AND account_id = %s AND NOT deleted ORDER BY record_id DESC",
        (work.tenant, account_id),
    ).all()
    kinds: dict[str, list[Any]] = {}
    for row in rows:
        kinds.setdefault(row.record, []).append(row)
    orders, requests = kinds.get("order", []), kinds.get("request", [])
    orders.sort(key=lambda row: (row.happened_on, row.record_id), reverse=True)
    by_status: dict[str, int] = {}
    for row in orders:
        by_status[row.status] = by_status.get(row.status, 0) + 1
    contacted = [row.happened_at for row in kinds.get("interaction", []) if row.happened_at]
    return {
        "account_id": account_id,
        "orders_count": len(orders),
        "orders_by_status": by_status,
        "totals": _totals(orders, kinds.get("receivable", []), work.today()),
        "recent_orders": [
            {
                "id": row.record_id,
                "number": row.number,
                "status": row.status,
                "total": {"amount": f.plain(row.amount), "currency": row.currency} if row.amount is not None else None,
                "ordered_on": row.happened_on.isoformat(),
            }
            for row in orders[:10]
        ],
        "requests_open": sum(row.status not in ("resolved", "closed") for row in requests),
        "recent_requests": [
            {"id": row.record_id, "number": row.number, "subject": row.title, "status": row.status}
            for row in requests[:10]
        ],
        "contacts_count": len(kinds.get("contact", [])),
        "activities_open": sum(row.status == "open" for row in kinds.get("activity", [])),
        "opportunities_open": sum(row.status == "open" for row in kinds.get("opportunity", [])),
        "points": sum(row.count or 0 for row in kinds.get("points", [])),
        "last_order_on": orders[0].happened_on.isoformat() if orders else None,
        "last_contact_at": f.instant(max(contacted)) if contacted else None,
    }


def _totals(orders: list[Any], receivables: list[Any], today: dt.date) -> list[JSON]:
    sums: dict[str, dict[str, Decimal]] = {}

    def add(currency: str | None, name: str, amount: Decimal | None) -> None:
        if currency and amount is not None:
            of = sums.setdefault(currency, dict.fromkeys(("ordered", "receivable_open", "overdue"), Decimal(0)))
            of[name] += amount

    for row in orders:
        if row.status not in (*ENDED_ORDERS, "draft"):
            add(row.currency, "ordered", row.amount)
    for row in receivables:
        add(row.currency, "receivable_open", row.amount)
        if row.happened_on is not None and row.happened_on < today:
            add(row.currency, "overdue", row.amount)
    return [
        {"currency": currency, **{name: f.plain(value) for name, value in of.items()}}
        for currency, of in sorted(sums.items())
    ]
