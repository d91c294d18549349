"""Plans with customers, and the contacts that took place."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import conflict
from chassis.records import Store
from contracts import customer as contracts
from services.customer.models import Activity, Interaction

activities, interactions = Store(Activity), Store(Interaction)
CHANNELS = {"call": "phone", "visit": "visit", "meeting": "visit"}


@activities.guards
def done_is_done(activity: Activity, work: Work) -> None:
    if activity.status == "completed":
        raise conflict(
            "wrong_state", "A completed activity is history and is not edited.", field="status", state="completed"
        )


@interactions.computes
def when(interaction: Interaction, work: Work) -> None:
    interaction.happened_at = interaction.happened_at or work.now


@activities.command(contracts.complete)
def complete(activity: Activity, work: Work, body: Any) -> None:
    """What was planned with an account becomes part of its contact history, in the same transaction."""
    activity.move("completed")
    activity.completed_at, activity.outcome = work.now, body.outcome
    if activity.account_id is not None:
        interactions.add(
            work,
            interactions.make(
                account_id=activity.account_id,
                contact_id=activity.contact_id,
                channel=CHANNELS.get(activity.kind, "other"),
                summary=body.outcome or activity.subject,
                happened_at=activity.completed_at,
                activity_id=activity.id,
                owner_id=activity.owner_id,
                team_id=activity.team_id,
            ),
        )
