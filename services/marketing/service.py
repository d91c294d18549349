"""Marketing: a table of stores, reactions and sagas."""

from __future__ import annotations

from chassis.service import Service
from services.marketing.campaigns import campaigns, on_lead
from services.marketing.leads import leads
from services.marketing.points import carry_back, carry_over, on_receivable, point_accounts, point_entries
from services.marketing.sagas import convert_lead
from services.marketing.segments import segments


class Marketing(Service):
    """Campaigns, leads, segments and points."""

    name = "marketing"
    stores = (campaigns, leads, segments, point_accounts, point_entries)
    reactions = (on_lead, on_receivable)
    sagas = (convert_lead,)
    copies = {"customer.account": ("name",)}
    carries = {"customer.account": (carry_over, carry_back)}


service = Marketing
