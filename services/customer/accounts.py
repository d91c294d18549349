"""Accounts, contacts and groups, and who looks after them."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.records import Store
from contracts import customer as contracts
from services.customer.models import Account, Contact, Group

accounts, contacts, groups = Store(Account), Store(Contact), Store(Group)


@accounts.computes
def place(account: Account, work: Work) -> None:
    """City and country stand beside the address, so that lists can filter and sort by them."""
    account.city = account.address.city if account.address else None
    account.country = account.address.country if account.address else None


@accounts.erases
def only_a_person(account: Account, work: Work) -> None:
    if not account.person:
        raise conflict(
            "not_a_person", "Only the account of a private person is erased; a company is deleted.", field="person"
        )


@accounts.command(contracts.claim)
def claim(account: Account, work: Work) -> None:
    """Take a customer whom nobody looks after. Two who claim at once: the row lock lets one win (撞单)."""
    if account.owner_id is not None and account.owner_id != work.context.user_id:
        raise conflict(
            "account_owned", "Somebody else looks after this account.", field="owner_id", owner_id=account.owner_id
        )
    account.owner_id = work.context.user_id


@accounts.command(contracts.release)
def release(account: Account, work: Work) -> None:
    """Give the customer back to the pool (公海)."""
    account.owner_id = None


@accounts.command(contracts.transfer)
def transfer(account: Account, work: Work, body: Any) -> None:
    account.owner_id = body.owner_id


@groups.computes
def two_levels(group: Group, work: Work) -> None:
    """A group stands below a group or on top: never deeper, never in a circle."""
    if group.parent_id is None:
        return
    parent = groups.find(work, group.parent_id)
    if parent is None or parent.parent_id is not None or parent.id == group.id:
        raise invalid({"parent_id": "Must be a group of the first level."})
    if groups.where(work, "parent_id = %s", (group.id,)):
        raise invalid({"parent_id": "A group that has groups below it stays on the first level."})
