"""What orders come from: pipelines, opportunities, and what salespeople are to sell."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import Ask, Command, Event, Part, Record


class Stage(Part):
    id = f.Id()
    name = f.Text(required=True, label=("Name", "名称"))
    probability = f.Percent(default="0", label=("Probability", "概率"))


class Pipeline(Record, name="sales.pipeline", collection="pipelines", label=("Pipeline", "销售流程")):
    """A sales process: its stages in order."""

    name = f.Text(required=True, filter=True, sort=True, search=5, label=("Name", "名称"))
    stages = f.Parts(Stage, at_least=1, at_most=50, required=True, label=("Stages", "阶段"))
    default = f.Boolean(
        default=False,
        label=("Default pipeline", "默认流程"),
        help=("Where opportunities begin that name no pipeline", "未指定流程的商机由此开始"),
    )


class Opportunity(
    Record, name="sales.opportunity", collection="opportunities", label=("Opportunity", "商机"), subtitle=("status",)
):
    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    account_id = f.Ref(
        "customer.account",
        on_delete="cascade",
        until=("won", "lost"),
        required=True,
        filter=True,
        label=("Account", "客户"),
    )
    contact_id = f.Ref("customer.contact", on_delete="keep", label=("Contact", "联系人"))
    pipeline_id = f.Ref("sales.pipeline", on_delete="restrict", filter=True, label=("Pipeline", "销售流程"))
    stage_id = f.Id(computed=True, label=("Stage", "阶段"))
    stage_name = f.Text(computed=True, filter=True, label=("Stage", "阶段"))
    probability = f.Percent(computed=True, label=("Probability", "概率"))
    value = f.Money(filter=True, sort=True, label=("Value", "金额"))
    expected_on = f.Date(filter=True, sort=True, label=("Expected on", "预计成交"))
    competitor = f.Text(label=("Competitor", "竞争对手"))
    lead_id = f.Ref("marketing.lead", on_delete="keep", computed=True, filter=True, label=("From lead", "来源线索"))
    lost_reason = f.Text(max=500, computed=True, label=("Lost because", "丢单原因"))
    closed_at = f.Instant(computed=True, label=("Closed at", "关闭时间"))
    status = f.State(
        {
            "open": (("Open", "进行中"), ("won", "lost")),
            "won": (("Won", "赢单"), ()),
            "lost": (("Lost", "丢单"), ("open",)),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Target(Record, name="sales.target", collection="targets", label=("Target", "销售指标")):
    """What a salesperson is to sell in a period."""

    name = f.Text(required=True, filter=True, sort=True, search=3, label=("Name", "名称"))
    user_id = f.Ref("identity.user", on_delete="keep", required=True, filter=True, label=("Salesperson", "销售员"))
    starts_on = f.Date(required=True, filter=True, sort=True, label=("From", "开始"))
    ends_on = f.Date(required=True, label=("To", "结束"))
    value = f.Money(required=True, label=("Target", "指标"))


class Move(Part):
    stage_id = f.Id(required=True, label=("Stage", "阶段"))


class Reason(Part):
    reason = f.Text(max=200, label=("Reason", "原因"))


OpportunityMoved = Event("sales.opportunity.moved", of=Opportunity)
OpportunityWon = Event("sales.opportunity.won", of=Opportunity)
OpportunityLost = Event("sales.opportunity.lost", of=Opportunity)

move = Command(
    "sales.opportunity.move",
    on=Opportunity,
    request=Move,
    errors=("wrong_state", "unknown_stage"),
    emits=OpportunityMoved,
    label=("Move", "推进"),
)
win = Command(
    "sales.opportunity.win",
    on=Opportunity,
    leads={"open": "won"},
    errors=("wrong_state",),
    emits=OpportunityWon,
    label=("Win", "赢单"),
)
lose = Command(
    "sales.opportunity.lose",
    on=Opportunity,
    leads={"open": "lost"},
    request=Reason,
    errors=("wrong_state",),
    emits=OpportunityLost,
    label=("Lose", "丢单"),
)


class OpportunityFromLead(Part):
    lead_id = f.Id(required=True)
    account_id = f.Id(required=True)
    contact_id = f.Id(required=True)
    name = f.Text(required=True)
    value = f.Money()
    owner_id = f.Id()
    team_id = f.Id()


class CreatedOpportunity(Part):
    opportunity_id = f.Id(required=True)


class LeadOpportunity(Part):
    lead_id = f.Id(required=True)


create_from_lead = Ask(
    "sales.create-from-lead", request=OpportunityFromLead, reply=CreatedOpportunity, refusals=("unknown_account",)
)
remove_from_lead = Ask("sales.remove-from-lead", request=LeadOpportunity)
