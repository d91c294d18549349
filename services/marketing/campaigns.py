"""Campaigns: when they run, and how many leads they brought."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.records import Store
from chassis.service import on
from contracts import marketing as contracts
from services.marketing.models import Campaign

campaigns = Store(Campaign)


@campaigns.computes
def ends_after_it_starts(campaign: Campaign, work: Work) -> None:
    if campaign.starts_on and campaign.ends_on and campaign.ends_on < campaign.starts_on:
        raise invalid({"ends_on": "Must not be before the start."})
    campaign.leads_count, campaign.converted_count = campaign.leads_count or 0, campaign.converted_count or 0


@campaigns.guards
def finished_is_finished(campaign: Campaign, work: Work) -> None:
    if campaign.status == "finished":
        raise conflict(
            "wrong_state", "A finished campaign is history and is not edited.", field="status", state="finished"
        )


@campaigns.command(contracts.launch)
def launch(campaign: Campaign, work: Work) -> None:
    """Start it, or go on after a pause. A campaign without a start date starts today."""
    campaign.move("running")
    campaign.starts_on = campaign.starts_on or work.today()


@campaigns.command(contracts.pause)
def pause(campaign: Campaign, work: Work) -> None:
    campaign.move("paused")


@campaigns.command(contracts.finish)
def finish(campaign: Campaign, work: Work) -> None:
    """End it for good. A campaign without an end date ends today, one that lay in the future on the day it began."""
    campaign.move("finished")
    campaign.ends_on = campaign.ends_on or max(work.today(), campaign.starts_on)


@on("marketing.lead.*", "marketing.campaign.restored")
def on_lead(event: dict[str, Any], work: Work) -> None:
    """Count the leads of the campaigns that this event touches.

    The counts are part of the record, so each change of them is a version like any other. They follow the leads by
    events instead of being written with each lead: otherwise everybody who enters leads of one campaign would queue for
    the campaign's row. They are counted anew each time, so that repeats and late events come to the same numbers.
    """
    data = event["data"]
    if event["type"] == "marketing.campaign.restored":
        touched = {data["id"]}
    else:
        touched = {data["campaign_id"], data["previous"].get("campaign_id")} - {None}
    for campaign_id in sorted(touched):
        # The lock comes first: whoever counts last counts everything that was committed before.
        campaign = campaigns.find(work, campaign_id, lock=True)
        if campaign is not None:
            campaign.leads_count, campaign.converted_count = _count(work, campaign_id)
            campaigns.save(work, campaign)


def _count(work: Work, campaign_id: str) -> tuple[int, int]:
    row = work.sql(
        "SELECT count(*), count(*) FILTER (WHERE status = 'converted') FROM leads"
        " WHERE tenant_id = %s AND campaign_id = %s AND deleted_at IS NULL",
        (work.tenant, campaign_id),
    ).one()
    return row[0], row[1]
