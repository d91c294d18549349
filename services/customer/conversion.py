"""Marketing's lead becomes an account and a contact, or is taken back if the conversion fails."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import Problem
from chassis.ids import derived_id
from chassis.records import survivors
from chassis.saga import Refused
from services.customer.accounts import accounts, contacts

JSON = dict[str, Any]


def create_from_lead(request: Any, work: Work) -> JSON:
    """Make the account, unless the lead goes to one that exists, and the contact; their ids follow from the lead."""
    try:
        return _create(request, work)
    except Problem as problem:
        # Somebody gave the lead's key to another record, or restored what an undone conversion had made.
        if problem.code != "external_id_taken":
            raise
        raise Refused(problem.code, problem.detail) from problem


def _create(request: Any, work: Work) -> JSON:
    if request.account_id is not None:
        account = accounts.find(work, survivors.survivor_of(work, accounts.name, request.account_id))
        if account is None:
            raise Refused("unknown_account", "The account does not exist.")
    else:
        account = accounts.add(
            work,
            accounts.make(
                id=derived_id("account", work.tenant, request.lead_id, work.context.cause),
                name=request.company,
                kind="prospect",
                source=request.source,
                phone=request.phone,
                owner_id=request.owner_id,
                team_id=request.team_id,
                external_ids={"lead": request.lead_id},
            ),
        )
    contact = contacts.add(
        work,
        contacts.make(
            id=derived_id("contact", work.tenant, request.lead_id, work.context.cause),
            account_id=account.id,
            name=request.name,
            title=request.title,
            email=request.email,
            phone=request.phone,
            owner_id=request.owner_id,
            team_id=request.team_id,
            external_ids={"lead": request.lead_id},
        ),
    )
    return {"account_id": account.id, "contact_id": contact.id}


def remove_from_lead(request: Any, work: Work) -> None:
    """Take back what the conversion of this lead made; nothing is there when the undo overtook its ask.

    By the ids that the conversion gave: the external id may have gone to a survivor, which must stay.
    """
    for store, kind in ((contacts, "contact"), (accounts, "account")):
        made = store.find(work, derived_id(kind, work.tenant, request.lead_id, work.context.cause), lock=True)
        if made is not None:
            store.remove(work, made)
