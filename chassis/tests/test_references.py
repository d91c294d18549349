"""How records are found from elsewhere: external ids, references, and ids that are not this tenant's."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from chassis.tests.given import refused

ACCOUNT, CONTACT, PIPELINE = "customer.account", "customer.contact", "sales.pipeline"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def _call(suite: Any, method: str, record_id: str, **params: Any) -> Any:
    return suite.call("customer", f"record.{method}", {"record": ACCOUNT, "id": record_id, **params})


class TestExternalIds:
    def test_one_record_has_a_key_and_the_refusal_names_it(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "external_ids": {"erp": "1"}})
        with refused(409, "external_id_taken") as caught:
            suite.create(ACCOUNT, {"name": "Beta", "external_ids": {"erp": "1"}})
        assert caught.value.extra == {"field": "external_ids.erp", "id": made["id"]}
        other = suite.create(ACCOUNT, {"name": "Beta", "external_ids": {"erp": "2", "shop": "1"}})
        with refused(409, "external_id_taken"):
            suite.update(ACCOUNT, other["id"], {"external_ids": {"erp": "1"}})
        assert len(suite.list(ACCOUNT)) == 2

    def test_another_tenant_has_the_same_key_for_its_own_record(self, suite: Any) -> None:
        suite.create(ACCOUNT, {"name": "Alpha", "external_ids": {"erp": "1"}})
        stranger = suite.context(tenant=new_id())
        suite.create(ACCOUNT, {"name": "Alpha", "external_ids": {"erp": "1"}}, context=stranger)

    def test_a_deleted_record_gives_its_key_free_and_restoring_needs_it_back(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "external_ids": {"erp": "1"}})
        _call(suite, "delete", made["id"])
        other = suite.create(ACCOUNT, {"name": "Beta", "external_ids": {"erp": "1"}})
        with refused(409, "external_id_taken"):
            _call(suite, "restore", made["id"])
        suite.update(ACCOUNT, other["id"], {"external_ids": {"erp": None}})
        assert _call(suite, "restore", made["id"])["external_ids"] == {"erp": "1"}

    def test_an_upsert_makes_the_record_once_and_then_changes_it(self, suite: Any) -> None:
        def upsert(data: Any) -> Any:
            params = {"record": ACCOUNT, "system": "erp", "key": "7", "data": data}
            return suite.request("customer", "record.upsert", params)

        first, again = upsert({"name": "Alpha"}), upsert({"name": "Alpha"})
        assert (first["status"], again["status"]) == (201, 200)
        assert (again["body"]["id"], again["body"]["version"]) == (first["body"]["id"], 1)
        changed = upsert({"name": "Beta", "external_ids": {"shop": "x"}})["body"]
        assert (changed["version"], changed["external_ids"]) == (2, {"erp": "7", "shop": "x"})
        found = suite.call("customer", "record.by_external", {"record": ACCOUNT, "system": "shop", "key": "x"})
        assert found["id"] == changed["id"]
        with refused(422, "invalid", "external_ids"):
            upsert({"external_ids": ["erp"]})
        with refused(404):
            suite.call("customer", "record.by_external", {"record": ACCOUNT, "system": "erp", "key": "8"})


class TestReferences:
    def test_an_id_of_another_tenant_is_not_found(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        stranger = suite.context(tenant=new_id())
        params = {"record": ACCOUNT, "id": made["id"]}
        for method, more in (
            ("get", {}),
            ("get", {"as_of": "2999-01-01T00:00:00Z"}),
            ("update", {"patch": {"name": "Beta"}}),
            ("delete", {}),
            ("restore", {}),
            ("history", {}),
            ("saga", {}),
            ("command", {"verb": "claim"}),
            ("query", {"name": "overview"}),
        ):
            with refused(404):
                suite.call("customer", f"record.{method}", {**params, **more}, context=stranger)
        assert suite.list(ACCOUNT, context=stranger) == []
        assert suite.get(ACCOUNT, made["id"])["version"] == 1

    def test_a_reference_to_a_record_of_another_tenant_is_unknown(self, suite: Any) -> None:
        theirs = suite.create(ACCOUNT, {"name": "Alpha"}, context=suite.context(tenant=new_id()))
        with refused(422, "unknown_reference", "account_id"):
            suite.create(CONTACT, {"name": "Ann", "account_id": theirs["id"]})
        mine = suite.create(CONTACT, {"name": "Ann"})
        with refused(422, "unknown_reference", "account_id"):
            suite.update(CONTACT, mine["id"], {"account_id": theirs["id"]})

    def test_a_reference_to_nothing_is_unknown(self, suite: Any) -> None:
        with refused(422, "unknown_reference", "account_id"):
            suite.create(CONTACT, {"name": "Ann", "account_id": new_id()})
        with refused(422, "invalid", "account_id"):
            suite.create(CONTACT, {"name": "Ann", "account_id": "x"})

    def test_a_reference_into_another_service_needs_a_living_record_there(self, suite_of: Any) -> None:
        suite = suite_of("customer", "sales")
        suite.create(PIPELINE, {"name": "Standard", "stages": [{"name": "New"}], "default": True})
        with refused(422, "unknown_reference", "account_id"):
            suite.create("sales.opportunity", {"name": "Deal", "account_id": new_id()})
        account = suite.create(ACCOUNT, {"name": "Alpha"})
        deal = suite.create("sales.opportunity", {"name": "Deal", "account_id": account["id"]})
        won = suite.create("sales.opportunity", {"name": "Old deal", "account_id": account["id"]})
        suite.run("sales.opportunity", won["id"], "win")
        suite.call("customer", "record.delete", {"record": ACCOUNT, "id": account["id"]})
        suite.settle()
        with refused(422, "unknown_reference", "account_id"):
            suite.create("sales.opportunity", {"name": "Deal", "account_id": account["id"]})
        with refused(404, "not_found"):
            suite.get("sales.opportunity", deal["id"])
        assert suite.get("sales.opportunity", won["id"])["account_id"] == account["id"]

    @pytest.mark.parametrize("record_id", ["x", "", None, 5, "0199a1b2"])
    def test_what_is_no_id_is_not_found(self, suite: Any, record_id: Any) -> None:
        for method, more in (("get", {}), ("update", {"patch": {}}), ("delete", {}), ("history", {})):
            with refused(404, "not_found"):
                _call(suite, method, record_id, **more)
