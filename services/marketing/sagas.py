"""A lead becomes an account, a contact and an opportunity, or stays a lead.

qualified ──convert──▶ converting ─▶ customer.create-from-lead ─▶ sales.create-from-lead ─▶ converted
    ▲                                  undo: remove-from-lead       undo: remove-from-lead
    └──────────────── refused, or no answer in time: everything undone, reason kept ◀──┘
"""

from __future__ import annotations

from typing import Any

from chassis import saga
from chassis.database import Work
from chassis.errors import invalid
from chassis.permissions import covers, scope
from chassis.records import references
from chassis.saga import PIVOT, Saga, Step
from contracts import customer, marketing, pipelines
from services.marketing.leads import leads
from services.marketing.models import Lead

JSON = dict[str, Any]


def _company(lead: Lead) -> str:
    return lead.company or lead.name


def customer_of(lead: Lead, data: JSON) -> JSON:
    """What customer needs to know. A lead without a company is a customer of its own name."""
    return {
        "lead_id": lead.id,
        "company": _company(lead),
        "name": lead.name,
        "email": lead.email,
        "phone": lead.phone,
        "title": lead.title,
        "source": lead.source,
        "owner_id": lead.owner_id,
        "team_id": lead.team_id,
        "account_id": data["account_id"],
    }


def keep_customer(lead: Lead, reply: JSON, data: JSON, work: Work) -> None:
    data["account_id"], data["contact_id"] = reply["account_id"], reply["contact_id"]


def opportunity_of(lead: Lead, data: JSON) -> JSON:
    return {
        "lead_id": lead.id,
        "account_id": data["account_id"],
        "contact_id": data["contact_id"],
        "name": data["opportunity_name"] or _company(lead),
        "value": lead.wire()["value"],
        "owner_id": lead.owner_id,
        "team_id": lead.team_id,
    }


def keep_opportunity(lead: Lead, reply: JSON, data: JSON, work: Work) -> None:
    data["opportunity_id"] = reply["opportunity_id"]


def only_the_lead(lead: Lead, data: JSON) -> JSON:
    return {"lead_id": lead.id}


def mark_converted(lead: Lead, data: JSON, work: Work) -> None:
    lead.move("converted")
    lead.account_id, lead.contact_id = data["account_id"], data["contact_id"]
    lead.opportunity_id = data["opportunity_id"]
    leads.save(work, lead, event=marketing.LeadConverted)


def back_to_qualified(lead: Lead, reason: str, detail: str, data: JSON, work: Work) -> None:
    lead.move("qualified")
    lead.reason = (f"{reason}: {detail}" if detail else reason)[:500]
    leads.save(work, lead)


convert_lead = Saga(
    "convert_lead",
    leads,
    (
        Step(
            "create customer",
            asks=customer.create_from_lead,
            body=customer_of,
            then=keep_customer,
            undo=customer.remove_from_lead,
            undo_body=only_the_lead,
        ),
        Step(
            "create opportunity",
            asks=pipelines.create_from_lead,
            body=opportunity_of,
            then=keep_opportunity,
            undo=pipelines.remove_from_lead,
            undo_body=only_the_lead,
        ),
        Step("mark converted", does=mark_converted, kind=PIVOT),
    ),
    otherwise=back_to_qualified,
)


@leads.command(marketing.convert)
def convert(lead: Lead, work: Work, body: Any) -> None:
    """Converting promises nothing yet: the saga makes the records, or leads back to qualified with a reason."""
    lead.move("converting")
    lead.reason = None
    if body.account_id is not None:
        _refuse_unseen(work, body.account_id)
    saga.start(work, convert_lead, lead, {"account_id": body.account_id, "opportunity_name": body.opportunity_name})


def _refuse_unseen(work: Work, account_id: str) -> None:
    """An account that does not exist, or that the principal may not read, is nobody's target."""
    account = references.copy_of(work, "customer.account", account_id)
    granted = scope(work.context, "customer.account", "read")
    if account is None or not covers(work.context, granted, account["owner_id"], account["team_id"]):
        raise invalid({"account_id": "There is no such record."}, code="unknown_reference")
