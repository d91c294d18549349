"""Service contracts, and what has been learnt."""

from __future__ import annotations

from chassis.database import Work
from chassis.errors import invalid
from chassis.numbering import next_number
from chassis.records import Store
from services.service.models import Article, ServiceContract

service_contracts, articles = Store(ServiceContract), Store(Article)


@service_contracts.computes
def begin(contract: ServiceContract, work: Work) -> None:
    if contract.ends_on is not None and contract.ends_on < contract.starts_on:
        raise invalid({"ends_on": "Must not be before the start."})
    contract.number = contract.number or next_number(work, contract)
