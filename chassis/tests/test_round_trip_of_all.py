"""import(export(x)) = x for every record that is imported and exported, with its references, lines, tags and keys.

`chassis/tests/test_round_trip.py` draws the values of the records that need no others; here every record has one that
is as full as its declaration allows.
"""

from __future__ import annotations

import io
from typing import Any

import pytest

from chassis.testing import Suite
from chassis.tests.test_round_trip import exported
from contracts.registry import registry
from tests.deleting.given import House

JSON = dict[str, Any]
registry.load()
RECORDS = sorted(name for name, record in registry.records.items() if {"import", "export"} <= record.operations)
LEDGERS = {name for name in RECORDS if "update" not in registry.records[name].operations}


def usd(amount: str) -> JSON:
    return {"amount": amount, "currency": "USD"}


class Everything:
    """One record of each kind, which may be imported."""

    def __init__(self, house: House) -> None:
        self.house, self.suite = house, house.suite
        self.made: dict[str, JSON] = {}
        self.account, self.product = house.account("Alfreds"), house.product()
        self.user = self.suite.user_id
        words = {"label": {"en": "Note", "zh": "备注"}, "type": "text"}
        self.suite.create("identity.custom-field", {"applies_to": "opportunities", "name": "note", **words})
        self.suite.settle()
        self._people()
        self._trade()
        for name in RECORDS:
            if name not in self.made:
                self._make(name, self._some(name))
        self.suite.settle()

    def _make(self, name: str, data: JSON) -> str:
        if name not in LEDGERS:
            data = {"tags": ["a,b", "中"], **data}
        made: JSON = self.suite.create(name, data)
        self.made[name] = made
        return str(made["id"])

    def _people(self) -> None:
        team = self._make("identity.team", {"name": "North"})
        role = self._make("identity.role", {"name": "Reader", "grants": {"*": {"read": "all"}}, "masks": {}})
        user = {"name": "Zoe", "email": "zoe@tea.example", "member_of": [team], "role_ids": [role]}
        self._make("identity.user", {**user, "manager_id": self.user, "hired_on": "2020-02-29"})
        self._make(
            "identity.custom-field",
            {
                "applies_to": "leads",
                "name": "colour",
                "type": "choice",
                "label": {"en": "Colour", "zh": "颜色"},
                "choices": [{"value": "red", "label": {"en": "Red", "zh": "红"}}],
                "default": "red",
            },
        )

    def _trade(self) -> None:
        self.supplier = self._make("inventory.supplier", {"name": "Exotic Liquids"})
        self.suite.create("inventory.stock-move", {"kind": "receipt", "product_id": self.product, "quantity": "9"})
        line = {"product_id": self.product, "quantity": "1.5", "unit_price": usd("3.333333"), "discount_percent": "5"}
        order = {"account_id": self.account, "currency": "USD", "ordered_on": "2026-11-23", "lines": [line, line]}
        ship_to = {"street": 'Hafen "7"', "city": "Kiel"}
        self._make("sales.order", {**order, "ship_to": ship_to, "freight": usd("4.90"), "external_ids": {"erp": "7"}})
        placed = self.house.order(self.account, self.product)
        self.suite.run("sales.order", placed, "place")
        self.suite.settle()
        (self.owed,) = self.suite.list("sales.receivable", ["order_id", "eq", placed])

    def _some(self, name: str) -> JSON:
        about, on = {"account_id": self.account}, "2026-11-23"
        shares = [{"receivable_id": self.owed["id"], "amount": usd("1.00")}]
        line = {"product_id": self.product, "quantity": "2", "unit_price": usd("1")}
        stages = [{"name": "First", "probability": "10"}, {"name": "Last, really", "probability": "90"}]
        known: dict[str, JSON] = {
            "customer.activity": {"subject": "Call", **about, "starts_at": "2026-11-23T09:30:00.000001Z"},
            "customer.group": {"name": "Both", "account_ids": [self.account]},
            "customer.interaction": {"summary": "Rang, twice", **about, "happened_at": "2026-11-23T09:30:00Z"},
            "customer.contact": {"name": "Ana", **about, "home_address": {"city": "Kiel"}, "external_ids": {"x": "1"}},
            "inventory.product": {"name": "Cup", "price": usd("1.234567"), "tax_rate": "19"},
            "inventory.purchase-order": {"supplier_id": self.supplier, "lines": [line]},
            "inventory.stock-move": {"kind": "receipt", "product_id": self.product, "quantity": "2", "reason": "found"},
            "sales.pipeline": {"name": "Short", "stages": stages},
            "sales.opportunity": {"name": "Tea", **about, "value": usd("12.50"), "custom": {"note": '"'}},
            "sales.payment": {**about, "amount": usd("5.00"), "received_on": on, "allocations": shares},
            "sales.credit-note": {
                **about,
                "currency": "USD",
                "issued_on": on,
                "settled_on": on,
                "reason": "Broken",
                "lines": [line],
                "allocations": shares,
            },
            "sales.target": {"name": "Q4", "user_id": self.user, "starts_on": on, "ends_on": on, "value": usd("9")},
            "marketing.point-entry": {**about, "points": 5, "reason": "welcome"},
            "marketing.lead": {"name": "Ben", "external_ids": {"fair": "8"}, "custom": {"colour": "red"}},
            "service.contract": {"name": "Gold", **about, "starts_on": on, "ends_on": "2027-11-23"},
            "service.request": {"subject": "Cold", **about},
            "service.article": {"title": "How to brew", "body": "Two\nlines"},
            "notify.notification": {"user_id": self.user, "title": "=1+1", "about": f"account/{self.account}"},
        }
        return known.get(name, {"name": f"One of {name}"})


@pytest.fixture(scope="module")
def everything(databases: Any) -> Everything:
    return Everything(House(Suite(databases)))


def imported(everything: Everything, name: str, kind: str, content: bytes, **params: Any) -> JSON:
    suite, service = everything.suite, name.split(".")[0]
    blob = suite.blobs.of(service, suite.tenant).put(io.BytesIO(content))
    job = suite.call(service, "record.import", {"record": name, "blob": blob.key, "format": kind, **params})
    suite.run_jobs(service)
    ended: JSON = suite.call(service, "job.get", {"id": job["id"].removeprefix(f"{service}-")})
    assert ended["state"] == "succeeded", ended
    result: JSON = ended["result"]
    assert result["rejected"] == 0, (name, kind, result)
    return result


def written(name: str, document: JSON) -> JSON:
    """What somebody has written: of lines without their ids."""
    declared = registry.records[name].declared()
    return {
        field: [{key: value for key, value in part.items() if key != "id"} for part in document[field]]
        if isinstance(document[field], list) and document[field] and isinstance(document[field][0], dict)
        else document[field]
        for field in document
        if field in declared and not declared[field].computed
    }


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("name", sorted(set(RECORDS) - LEDGERS))
def test_an_exported_file_changes_nothing_and_brings_back_what_was_changed(
    everything: Everything, name: str, kind: str
) -> None:
    suite = everything.suite
    content = exported(suite, name.split(".")[0], name, kind)
    before = {one["id"]: one for one in suite.list(name)}
    back = {"mode": "update", "match": "id", "mapping": {"empty": "clear"}}
    result = imported(everything, name, kind, content, **back)
    assert (result["updated"], result["unchanged"]) == (0, len(before))
    own = everything.made[name]["id"]
    suite.update(name, own, {"tags": ["changed"]})
    assert imported(everything, name, kind, content, **back)["updated"] == 1
    after = {one["id"]: one for one in suite.list(name)}
    assert written(name, after[own]) == written(name, before[own])
    assert {one for one in after if after[one]["version"] != before[one]["version"]} == {own}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("name", sorted(LEDGERS))
def test_an_entry_that_was_exported_is_entered_once_more_as_it_was(
    everything: Everything, name: str, kind: str
) -> None:
    """What is never changed has no other way: the file makes a twin with other ids."""
    suite = everything.suite
    before = {one["id"]: one for one in suite.list(name)}
    content = exported(suite, name.split(".")[0], name, kind)
    columns = {"id": None, "external_ids": None}
    assert imported(everything, name, kind, content, mode="create", mapping={"columns": columns})["created"] == len(
        before
    )
    after = [one for one in suite.list(name) if one["id"] not in before]
    assert sorted(map(str, (written(name, one) for one in after))) == sorted(
        map(str, (written(name, one) for one in before.values()))
    )
