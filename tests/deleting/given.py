"""A house of customer, sales, service, marketing and inventory, in which things are deleted and brought back."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.context import Context
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Suite

JSON = dict[str, Any]
ACCOUNT, CONTACT, ORDER = "customer.account", "customer.contact", "sales.order"
OPPORTUNITY, REQUEST, PRODUCT = "sales.opportunity", "service.request", "inventory.product"
COLLECTIONS = {CONTACT: "contacts", ORDER: "orders", REQUEST: "service-requests"}


class House:
    """One tenant, as its administrator."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        provision = {"slug": f"d-{new_id()[-12:]}", "name": "Tea", "email": "ida@tea.example"}
        operator = Context(tenant=new_id(), actor="service:operator")
        made = suite.call(
            "identity", "identity.provision", {**provision, "password": "long enough pw"}, context=operator
        )
        suite.tenant, suite.user_id = made["tenant_id"], made["user_id"]
        suite.settle()

    def account(self, name: str = "Alfreds", **fields: Any) -> str:
        return str(self.suite.create(ACCOUNT, {"name": name, **fields})["id"])

    def product(self, name: str = "tea") -> str:
        price = {"amount": "10", "currency": "USD"}
        return str(self.suite.create(PRODUCT, {"name": name, "price": price, "tax_rate": "0"})["id"])

    def order(self, account: str, product: str, **options: Any) -> str:
        data = {
            "account_id": account,
            "currency": "USD",
            "ordered_on": "2026-11-23",
            "lines": [{"product_id": product, "quantity": "1"}],
        }
        return str(self.suite.create(ORDER, data, **options)["id"])

    def cancel(self, order: str) -> None:
        self.suite.run(ORDER, order, "cancel", {"reason": "of a test"})
        self.suite.settle()

    def write(self, verb: str, record: str, record_id: str, **options: Any) -> JSON:
        """`delete`, `restore`, `purge` or whatever else has no body."""
        params = {"record": record, "id": record_id}
        answer: JSON = self.suite.request(record.split(".")[0], f"record.{verb}", params, **options)
        return answer

    def delete(self, record: str, record_id: str, **options: Any) -> None:
        assert self.write("delete", record, record_id, **options)["status"] == 204

    def restore(self, record: str, record_id: str) -> None:
        self.write("restore", record, record_id)

    def is_there(self, record: str, record_id: str) -> bool:
        try:
            self.suite.get(record, record_id)
        except Problem as problem:
            if problem.status != 404:
                raise
            return False
        return True

    def history(self, record: str, record_id: str) -> list[JSON]:
        params = {"record": record, "id": record_id}
        items: list[JSON] = self.suite.call(record.split(".")[0], "record.history", params)["items"]
        return items


def refused(act: Any) -> Problem:
    """The refusal with which something is answered."""
    with pytest.raises(Problem) as caught:
        act()
    return caught.value
