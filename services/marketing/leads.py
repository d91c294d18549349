"""Leads: people who may become customers, until they do or are given up."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import conflict
from chassis.records import Store
from contracts import marketing as contracts
from services.marketing.models import Lead

leads = Store(Lead)
SETTLED = ("converting", "converted")


@leads.guards
def settled_is_settled(lead: Lead, work: Work) -> None:
    """While a lead becomes a customer, and afterwards, the customer's records are the ones to edit."""
    if lead.status in SETTLED:
        raise conflict("wrong_state", f"A lead that is {lead.status} is not edited.", field="status", state=lead.status)


@leads.erases
def not_while_converting(lead: Lead, work: Work) -> None:
    """Conversion carries the lead's words to other services at this very moment."""
    if lead.status == "converting":
        raise conflict(
            "wrong_state", "A lead is not erased while it is being converted.", field="status", state=lead.status
        )


@leads.command(contracts.qualify)
def qualify(lead: Lead, work: Work) -> None:
    """Conversion leads back to qualified as well, but only its saga may: nobody qualifies a lead under its hands."""
    if lead.status == "converting":
        raise conflict("wrong_state", "This lead is being converted already.", field="status", state=lead.status)
    lead.move("qualified")


@leads.command(contracts.disqualify)
def disqualify(lead: Lead, work: Work, body: Any) -> None:
    lead.move("disqualified")
    lead.reason = body.reason
