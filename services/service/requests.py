"""Service requests: who works on them, how long they rest, how they end."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.numbering import next_number
from chassis.records import Store, references
from contracts import service as contracts
from services.service.models import Request

requests = Store(Request)


@requests.computes
def begin(request: Request, work: Work) -> None:
    """A request is binding from its first moment, so it has its number at once, whoever opens it."""
    request.number = request.number or next_number(work, request)
    request.held_seconds, request.reopened = request.held_seconds or 0, request.reopened or 0


@requests.computes
def contact_belongs_to_account(request: Request, work: Work) -> None:
    """Whoever names only the contact means the contact's account; a contact of another account is a mistake."""
    before = request.was or {}
    unchanged = all(before.get(name) == getattr(request, name) for name in ("contact_id", "account_id"))
    if request.contact_id is None or unchanged:
        return
    contact = references.copy_of(work, "customer.contact", request.contact_id)
    if contact is None or contact["account_id"] is None:
        return
    request.account_id = request.account_id or contact["account_id"]
    if request.account_id != contact["account_id"]:
        raise invalid({"contact_id": "Is a contact of another account."})


@requests.guards
def closed_is_closed(request: Request, work: Work) -> None:
    if request.status == "closed":
        raise conflict("wrong_state", "A closed request is history and is not edited.", field="status", state="closed")


@requests.command(contracts.assign)
def assign(request: Request, work: Work, body: Any) -> None:
    """Give it to somebody, who works on it from now on: time on hold ends."""
    _only_from(request, "assign", "new", "assigned", "held")
    _end_hold(request, work)
    request.move("assigned")
    request.owner_id = body.owner_id


@requests.command(contracts.hold)
def hold(request: Request, work: Work) -> None:
    """Wait for the customer: this time is not ours."""
    request.move("held")
    request.held_since = work.now


@requests.command(contracts.resume)
def resume(request: Request, work: Work) -> None:
    _only_from(request, "resume", "held")
    _end_hold(request, work)
    request.move("assigned")


@requests.command(contracts.resolve)
def resolve(request: Request, work: Work, body: Any) -> None:
    _end_hold(request, work)
    request.move("resolved")
    request.resolution, request.resolved_at = body.resolution, work.now


@requests.command(contracts.reopen)
def reopen(request: Request, work: Work) -> None:
    """The customer is not content. What was said stays until there is a better answer."""
    _only_from(request, "reopen", "resolved")
    request.move("assigned")
    request.resolved_at = None
    request.reopened += 1


@requests.command(contracts.close)
def close(request: Request, work: Work) -> None:
    request.move("closed")


def _only_from(request: Request, verb: str, *states: str) -> None:
    """Several verbs lead to `assigned`; each has its own beginnings."""
    if request.status not in states:
        detail = f"A request that is {request.status} has nothing to {verb}."
        raise conflict("wrong_state", detail, field="status", state=request.status)


def _end_hold(request: Request, work: Work) -> None:
    if request.held_since is not None:
        # Another machine's clock may stand before the one that began the hold.
        request.held_seconds += max(0, round((work.now - request.held_since).total_seconds()))
        request.held_since = None
