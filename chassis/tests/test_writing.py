"""Writing one record: merge patches, versions, refusals, deletion, the past, external ids and references."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.tests.given import changes_of, define, refused, rows

ACCOUNT, CONTACT, PIPELINE = "customer.account", "customer.contact", "sales.pipeline"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def _call(suite: Any, method: str, record_id: str, **params: Any) -> Any:
    return suite.call("customer", f"record.{method}", {"record": ACCOUNT, "id": record_id, **params})


class TestPatches:
    def test_objects_merge_member_by_member_and_null_removes(self, suite_of: Any) -> None:
        suite = suite_of("identity", "customer")
        define(suite, "budget", "money")
        define(suite, "nickname", "text")
        address = {"city": "Kiel", "street": "Hafen 1", "country": "DE"}
        budget = {"budget": {"amount": "5.00", "currency": "EUR"}}
        made = suite.create(ACCOUNT, {"name": "Alpha", "address": address, "custom": budget | {"nickname": "Al"}})
        patch = {"address": {"city": "Bern", "street": None}, "industry": "Steel"}
        patch["custom"] = {"budget": {"amount": "6.00"}, "nickname": None}
        changed = suite.update(ACCOUNT, made["id"], patch)
        assert changed["address"] == {**address, "city": "Bern", "street": None, "region": None, "postal_code": None}
        assert changed["custom"] == {"budget": {"amount": "6.00", "currency": "EUR"}}
        assert (changed["name"], changed["industry"], changed["city"]) == ("Alpha", "Steel", "Bern")
        cleared = suite.update(ACCOUNT, made["id"], {"address": None, "industry": None})
        assert (cleared["address"], cleared["industry"], cleared["city"]) == (None, None, None)

    def test_a_field_that_is_not_in_the_patch_keeps_its_value_and_not_its_default(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "payment_days": 14, "kind": "partner"})
        changed = suite.update(ACCOUNT, made["id"], {"name": "Beta"})
        assert (changed["payment_days"], changed["kind"]) == (14, "partner")

    def test_a_write_that_changes_nothing_makes_no_version_and_no_event(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "currencies": ["EUR"]})
        same = suite.update(ACCOUNT, made["id"], {"name": "Alpha", "currencies": ["EUR"]})
        assert (same["version"], same["updated_at"]) == (1, made["updated_at"])
        suite.settle()
        assert [event["type"] for event in suite.events(ACCOUNT)] == ["customer.account.created"]

    @pytest.mark.parametrize(
        ("patch", "field"),
        [
            ({"name": None}, "name"),
            ({"name": ""}, "name"),
            ({"kind": "friend"}, "kind"),
            ({"shoe_size": 44}, "shoe_size"),
            ({"version": 7}, "version"),
            ({"city": "Kiel"}, "city"),
            ({"id": new_id()}, "id"),
            ({"created_at": "2020-01-01T00:00:00Z"}, "created_at"),
            ({"address": {"planet": "Mars"}}, "address.planet"),
            ({"currencies": ["EUR", "XXX"]}, "currencies.1"),
            ({"payment_days": None}, "payment_days"),
        ],
    )
    def test_what_is_not_valid_or_not_writable_is_refused_by_its_field(
        self, suite: Any, patch: Any, field: str
    ) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        with refused(422, "invalid", field):
            suite.update(ACCOUNT, made["id"], patch)
        assert suite.get(ACCOUNT, made["id"]) == made

    def test_read_only_fields_are_shown_but_not_written(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        clerk = suite.context(masks={ACCOUNT: {"read_only": ["payment_days"]}})
        with refused(422, "field_read_only", "payment_days"):
            suite.update(ACCOUNT, made["id"], {"payment_days": 90}, context=clerk)
        assert suite.update(ACCOUNT, made["id"], {"name": "Beta"}, context=clerk)["payment_days"] == 30

    def test_a_field_that_is_written_once_is_never_changed(self, suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        accounts = suite.runtime("customer").stores[ACCOUNT]
        monkeypatch.setattr(accounts.record.declared()["source"], "once", True)
        made = suite.create(ACCOUNT, {"name": "Alpha", "source": "Fair"})
        with refused(422, "invalid", "source"):
            suite.update(ACCOUNT, made["id"], {"source": "Web"})
        assert suite.update(ACCOUNT, made["id"], {"source": "Fair", "name": "Beta"})["version"] == 2

    def test_the_service_itself_has_no_right_to_change_an_insert_only_ledger(self, suite_of: Any) -> None:
        suite = suite_of("inventory")
        for statement in ("UPDATE stock_moves SET quantity = 0", "DELETE FROM stock_moves", "DELETE FROM changes"):
            with pytest.raises(ProgrammingError, match="permission denied"), suite.work("inventory") as work:
                work.sql(statement)

    def test_what_a_rule_changes_in_place_is_a_change(self, suite_of: Any) -> None:
        suite = suite_of("identity", "customer")
        define(suite, "tags", "multi_choice", choices=[{"value": one, "label": {"en": one}} for one in "ab"])
        made = suite.create(ACCOUNT, {"name": "Alpha", "currencies": ["EUR"], "custom": {"tags": ["a"]}})
        accounts = suite.runtime("customer").stores[ACCOUNT]

        def rule(account: Any) -> None:
            account.currencies.append("CHF")
            account.custom["tags"].append("b")
            account.external_ids["erp"] = "77"

        with suite.work("customer") as work:
            accounts.change(work, made["id"], rule)
        changed = suite.get(ACCOUNT, made["id"])
        assert (changed["version"], changed["currencies"]) == (2, ["EUR", "CHF"])
        assert changed["custom"] == {"tags": ["a", "b"]}
        assert set(changes_of(suite, "customer", made["id"])[1].changed) == {"currencies", "custom", "external_ids"}


class TestVersions:
    def test_the_etag_is_the_version(self, suite: Any) -> None:
        answer = suite.request("customer", "record.create", {"record": ACCOUNT, "data": {"name": "Alpha"}})
        assert (answer["etag"], answer["status"]) == ("1", 201)
        record_id = answer["body"]["id"]
        assert answer["location"] == f"/v1/accounts/{record_id}"
        params = {"record": ACCOUNT, "id": record_id, "patch": {"name": "Beta"}, "if_match": "1"}
        assert suite.request("customer", "record.update", params)["etag"] == "2"

    def test_two_writers_of_one_field_clash_with_base_mine_and_theirs(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "industry": "Steel"})
        suite.update(ACCOUNT, made["id"], {"industry": "Glass"}, if_match="1")
        with refused(412, "version_conflict", "industry") as caught:
            suite.update(ACCOUNT, made["id"], {"industry": "Trade", "name": "Beta"}, if_match="1")
        extra = caught.value.extra
        assert (extra["base"], extra["mine"], extra["theirs"]) == (
            {"industry": "Steel"},
            {"industry": "Trade"},
            {"industry": "Glass"},
        )
        assert extra["version"] == 2
        assert suite.get(ACCOUNT, made["id"])["name"] == "Alpha"

    def test_personal_fields_are_in_the_base_of_a_clash_too(self, suite: Any) -> None:
        made = suite.create(CONTACT, {"name": "Ann", "phone": "1"})
        suite.update(CONTACT, made["id"], {"phone": "2"})
        with refused(412) as caught:
            suite.update(CONTACT, made["id"], {"phone": "3"}, if_match="1")
        assert caught.value.extra["base"] == {"phone": "1"}

    def test_edits_of_different_fields_merge(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "industry": "Steel"})
        suite.update(ACCOUNT, made["id"], {"industry": "Glass"}, if_match="1")
        suite.update(ACCOUNT, made["id"], {"source": "Fair"}, if_match="1")
        merged = suite.update(ACCOUNT, made["id"], {"name": "Beta", "industry": "Glass"}, if_match="1")
        assert (merged["name"], merged["industry"], merged["source"], merged["version"]) == ("Beta", "Glass", "Fair", 4)

    @pytest.mark.parametrize("if_match", ["9", "0", "abc", "-1", "²", ""])
    def test_a_version_that_never_was_is_a_clash(self, suite: Any, if_match: str) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        with refused(412, "version_conflict"):
            suite.update(ACCOUNT, made["id"], {"name": "Beta"}, if_match=if_match)

    def test_a_star_matches_any_version(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        suite.update(ACCOUNT, made["id"], {"name": "Beta"})
        assert suite.update(ACCOUNT, made["id"], {"name": "Gamma"}, if_match="*")["version"] == 3

    def test_deletes_restores_and_commands_on_an_old_version_are_clashes(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        suite.update(ACCOUNT, made["id"], {"name": "Beta"})
        for method, more in (("delete", {}), ("restore", {}), ("command", {"verb": "release"})):
            with refused(412, "version_conflict", "name") as caught:
                _call(suite, method, made["id"], if_match="1", **more)
            shown = [caught.value.extra[side] for side in ("base", "mine", "theirs")]
            assert shown == [{"name": "Alpha"}, {"name": "Alpha"}, {"name": "Beta"}]
        blind = suite.context(masks={ACCOUNT: {"hidden": ["name"]}})
        with refused(412) as caught:
            suite.call(
                "customer", "record.delete", {"record": ACCOUNT, "id": made["id"], "if_match": "1"}, context=blind
            )
        assert caught.value.extra["theirs"] == {}

    def test_a_version_is_demanded_of_a_key_that_nobody_has(self, suite: Any) -> None:
        params = {"record": ACCOUNT, "system": "erp", "key": "7", "data": {"name": "Alpha"}}
        for if_match in ("1", "*"):
            with refused(412, "version_conflict"):
                suite.call("customer", "record.upsert", {**params, "if_match": if_match})
        assert suite.call("customer", "record.upsert", params)["version"] == 1
        with refused(412, "version_conflict", "name"):
            suite.call("customer", "record.upsert", {**params, "data": {"name": "Beta"}, "if_match": "2"})

    def test_two_saves_in_a_row_from_one_form_pass_a_background_job_in_between(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha", "payment_days": 1})
        accounts = suite.runtime("customer").stores[ACCOUNT]
        seen = made
        for days, name in ((2, "Beta"), (3, "Gamma")):
            with suite.work("customer") as work:
                accounts.change(work, made["id"], lambda one: setattr(one, "payment_days", one.payment_days + 1))
            seen = suite.update(ACCOUNT, made["id"], {"name": name}, if_match=str(seen["version"]))
            assert (seen["name"], seen["payment_days"]) == (name, days)

    def test_a_guard_refuses_people_and_not_rules(self, suite: Any) -> None:
        made = suite.create("customer.activity", {"subject": "Call", "kind": "call"})
        suite.run("customer.activity", made["id"], "complete", {"outcome": "Sold"})
        with refused(409, "wrong_state"):
            suite.update("customer.activity", made["id"], {"subject": "Visit"})
        with refused(409, "wrong_state"):
            suite.call("customer", "record.delete", {"record": "customer.activity", "id": made["id"]})
        activities = suite.runtime("customer").stores["customer.activity"]
        with suite.work("customer") as work:
            activities.change(work, made["id"], lambda one: setattr(one, "subject", "Visit"))
        assert suite.get("customer.activity", made["id"])["version"] == 3


class TestParts:
    """Lines of a record: here the stages of a pipeline."""

    @pytest.fixture
    def suite(self, suite_of: Any) -> Any:
        suite = suite_of("sales")
        stages = [{"name": "New", "probability": "10"}, {"name": "Offer", "probability": "50"}]
        suite.made = suite.create(PIPELINE, {"name": "Standard", "stages": stages})
        return suite

    def test_each_keeps_the_id_it_was_given(self, suite: Any) -> None:
        new, offer = suite.made["stages"]
        changed = suite.update(
            PIPELINE, suite.made["id"], {"stages": [{**offer, "probability": "60"}, {"name": "Won"}]}
        )
        assert [one["name"] for one in changed["stages"]] == ["Offer", "Won"]
        assert changed["stages"][0]["id"] == offer["id"]
        assert changed["stages"][1]["id"] not in (new["id"], offer["id"], None)

    def test_edits_of_different_lines_and_fields_merge(self, suite: Any) -> None:
        new, offer = suite.made["stages"]
        stages = [{**new, "name": "Fresh"}, offer, {"name": "Won"}]
        suite.update(PIPELINE, suite.made["id"], {"stages": stages}, if_match="1")
        mine = [{**new, "probability": "15"}, {"name": "Lost"}]
        merged = suite.update(PIPELINE, suite.made["id"], {"stages": mine}, if_match="1")["stages"]
        assert [(one["name"], one["probability"]) for one in merged] == [("Fresh", "15"), ("Won", "0"), ("Lost", "0")]

    def test_one_field_of_a_line_changed_by_both_is_a_clash(self, suite: Any) -> None:
        new, offer = suite.made["stages"]
        suite.update(PIPELINE, suite.made["id"], {"stages": [{**new, "name": "Fresh"}, offer]}, if_match="1")
        with refused(412, "version_conflict", "stages") as caught:
            suite.update(PIPELINE, suite.made["id"], {"stages": [{**new, "name": "Old"}, offer]}, if_match="1")
        assert caught.value.extra["theirs"]["stages"][0]["name"] == "Fresh"

    def test_removing_what_the_other_changed_is_a_clash(self, suite: Any) -> None:
        new, offer = suite.made["stages"]
        suite.update(PIPELINE, suite.made["id"], {"stages": [{**new, "name": "Fresh"}, offer]}, if_match="1")
        with refused(412, "version_conflict", "stages"):
            suite.update(PIPELINE, suite.made["id"], {"stages": [offer]}, if_match="1")

    @pytest.mark.parametrize("wrong", ["x", [1], [{"id": ["x"]}], [{"id": {}}], [{"id": 5}]])
    def test_lines_of_another_shape_are_refused_and_never_an_error_of_ours(self, suite: Any, wrong: Any) -> None:
        new, offer = suite.made["stages"]
        suite.update(PIPELINE, suite.made["id"], {"stages": [{**new, "name": "Fresh"}, offer]})
        for if_match, status in (("1", 412), ("2", 422)):
            with refused(status):
                suite.update(PIPELINE, suite.made["id"], {"stages": wrong}, if_match=if_match)


class TestDeleting:
    def test_a_deleted_record_is_not_found_until_it_is_restored(self, suite: Any) -> None:
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        _call(suite, "delete", made["id"], if_match="1")
        for attempt in (
            lambda: suite.get(ACCOUNT, made["id"]),
            lambda: suite.update(ACCOUNT, made["id"], {"name": "Beta"}),
            lambda: suite.run(ACCOUNT, made["id"], "claim"),
            lambda: _call(suite, "delete", made["id"]),
        ):
            with refused(404, "not_found"):
                attempt()
        restored = _call(suite, "restore", made["id"], if_match="2")
        assert (restored["version"], restored["deleted_at"], restored["name"]) == (3, None, "Alpha")
        with refused(409, "not_deleted"):
            _call(suite, "restore", made["id"])
        suite.settle()
        assert {event["type"] for event in suite.events(ACCOUNT)} == {
            "customer.account.created",
            "customer.account.deleted",
            "customer.account.restored",
        }

    def test_a_record_that_others_refer_to_stays(self, suite: Any) -> None:
        made = suite.create("customer.group", {"name": "Europe"})
        below = suite.create("customer.group", {"name": "Germany", "parent_id": made["id"]})
        top, child = ({"record": "customer.group", "id": one["id"]} for one in (made, below))
        with refused(409, "referenced"):
            suite.call("customer", "record.delete", top)
        suite.call("customer", "record.delete", child)
        suite.call("customer", "record.delete", top)

    def test_the_past_can_be_read_at_any_instant(self, suite: Any) -> None:
        before = suite.clock.now()
        suite.clock.forward(hours=1)
        made = suite.create(ACCOUNT, {"name": "Alpha"})
        suite.clock.forward(hours=1)
        suite.update(ACCOUNT, made["id"], {"name": "Beta"})
        suite.clock.forward(hours=1)
        _call(suite, "delete", made["id"])
        suite.clock.forward(hours=1)
        _call(suite, "restore", made["id"])
        at = [(before + dt.timedelta(hours=hours)).isoformat() for hours in (0.5, 1.5, 2.5, 3.5, 4.5)]
        with refused(404):
            _call(suite, "get", made["id"], as_of=at[0])
        assert _call(suite, "get", made["id"], as_of=at[1])["name"] == "Alpha"
        assert _call(suite, "get", made["id"], as_of=at[2])["name"] == "Beta"
        with refused(404):
            _call(suite, "get", made["id"], as_of=at[3])
        assert _call(suite, "get", made["id"], as_of=at[4])["version"] == 4
        with refused(400, "bad_parameter", "as_of"):
            _call(suite, "get", made["id"], as_of="yesterday")

    def test_the_past_is_for_those_who_may_read_the_present(self, suite: Any) -> None:
        mine = suite.context(grants={ACCOUNT: {"*": "own"}})
        made = suite.create(ACCOUNT, {"name": "Alpha"}, context=mine)
        suite.run(ACCOUNT, made["id"], "release")
        params = {"record": ACCOUNT, "id": made["id"], "as_of": made["created_at"]}
        with refused(404):
            suite.call("customer", "record.get", params, context=mine)

    def test_history_tells_who_changed_what_latest_first_and_in_pages(self, suite: Any) -> None:
        made = suite.create(CONTACT, {"name": "Ann", "phone": "1"})
        for phone in ("2", "3"):
            suite.update(CONTACT, made["id"], {"phone": phone})
        ask = {"record": CONTACT, "id": made["id"], "limit": 2}
        first = suite.call("customer", "record.history", ask)
        assert [item["version"] for item in first["items"]] == [3, 2]
        assert first["items"][0]["changes"] == [{"field": "phone", "from": "2", "to": "3"}]
        assert first["items"][0]["actor"] == f"user:{suite.user_id}"
        second = suite.call("customer", "record.history", {**ask, "after": first["next"]})
        assert ([item["version"] for item in second["items"]], second["next"]) == ([1], None)
        with refused(400, "bad_cursor"):
            suite.call("customer", "record.history", {**ask, "after": "x"})


def test_a_refused_write_leaves_nothing_behind(suite: Any) -> None:
    with pytest.raises(Problem):
        suite.create(CONTACT, {"name": "Ann", "account_id": new_id(), "external_ids": {"erp": "1"}})
    for table in ("contacts", "changes", "unsent", "external_ids"):
        assert rows(suite, "customer", f"SELECT 1 FROM {table} WHERE tenant_id = %s") == []
