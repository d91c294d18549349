"""Opportunities on their way through a sales process, and the targets that they are measured by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.ids import derived_id
from chassis.records import Store, survivors
from chassis.saga import Refused
from chassis.service import on
from contracts import pipelines as contracts
from services.sales.models import Opportunity, Pipeline, Target

JSON = dict[str, Any]
pipelines, opportunities, targets = Store(Pipeline), Store(Opportunity), Store(Target)
USUAL = (("Contacted", "10"), ("Needs known", "30"), ("Quoted", "60"), ("Negotiating", "80"))


@opportunities.computes
def starts_in_a_stage(opportunity: Opportunity, work: Work) -> None:
    """An opportunity always stands in a pipeline: at first in the first stage of its own or of the default one."""
    if opportunity.pipeline_id is None:
        default = pipelines.where(work, '"default"') or pipelines.where(work, "true")
        opportunity.pipeline_id = default[0].id if default else None
    if opportunity.pipeline_id is None:
        raise invalid({"pipeline_id": "There is no pipeline yet."})
    if (opportunity.was or {}).get("pipeline_id") != opportunity.pipeline_id or opportunity.stage_id is None:
        pipeline = pipelines.find(work, opportunity.pipeline_id)
        if pipeline is None:
            raise invalid({"pipeline_id": "There is no such record."}, code="unknown_reference")
        _stand(opportunity, pipeline.stages[0])


def _stand(opportunity: Opportunity, stage: Any) -> None:
    opportunity.stage_id, opportunity.stage_name, opportunity.probability = stage.id, stage.name, stage.probability


@opportunities.guards
def closed_is_closed(opportunity: Opportunity, work: Work) -> None:
    if opportunity.status != "open":
        raise conflict(
            "wrong_state", f"An opportunity that is {opportunity.status} is not edited.", state=opportunity.status
        )


@opportunities.command(contracts.move)
def move(opportunity: Opportunity, work: Work, body: Any) -> None:
    """To another stage of the same pipeline; the change rows are the stage log."""
    closed_is_closed(opportunity, work)
    pipeline = pipelines.find(work, opportunity.pipeline_id)
    stage = next((one for one in pipeline.stages if one.id == body.stage_id), None) if pipeline else None
    if stage is None:
        raise invalid({"stage_id": "The pipeline has no such stage."}, code="unknown_stage")
    _stand(opportunity, stage)


@opportunities.command(contracts.win)
def win(opportunity: Opportunity, work: Work) -> None:
    opportunity.move("won")
    opportunity.probability, opportunity.closed_at = Decimal(100), work.now


@opportunities.command(contracts.lose)
def lose(opportunity: Opportunity, work: Work, body: Any) -> None:
    opportunity.move("lost")
    opportunity.probability, opportunity.closed_at, opportunity.lost_reason = Decimal(0), work.now, body.reason


def create_from_lead(request: Any, work: Work) -> JSON:
    """The opportunity that a lead becomes. An account not heard of yet is waited for, a deleted one refuses."""
    if not pipelines.where(work, "true"):
        seed_pipeline(work)
    account_id = survivors.survivor_of(work, "customer.account", request.account_id)
    account = work.sql(
        "SELECT deleted FROM copies WHERE tenant_id = %s AND record = 'customer.account' AND id = %s",
        (work.tenant, account_id),
    ).first()
    if account is not None and account.deleted:
        raise Refused("unknown_account", "The account was deleted.")
    made = opportunities.make(
        id=derived_id("opportunity", work.tenant, request.lead_id, work.context.cause),
        name=request.name,
        account_id=request.account_id,
        contact_id=request.contact_id,
        lead_id=request.lead_id,
        value=request.value,
        owner_id=request.owner_id,
        team_id=request.team_id,
    )
    opportunities.add(work, made)
    return {"opportunity_id": made.id}


def remove_from_lead(request: Any, work: Work) -> None:
    for found in opportunities.where(work, "lead_id = %s AND status = 'open'", (request.lead_id,), lock=True):
        opportunities.remove(work, found)


def seed_pipeline(work: Work) -> None:
    stages = [contracts.Stage.make({"name": name, "probability": Decimal(chance)}) for name, chance in USUAL]
    pipelines.add(work, pipelines.make(name="Sales process", stages=stages, default=True))


@on("identity.tenant.created")
def on_tenant_created(event: JSON, work: Work) -> None:
    """A new business can sell at once: it starts with the usual stages."""
    if not pipelines.where(work, "true"):
        seed_pipeline(work)
