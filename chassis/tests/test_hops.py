"""Filters through a reference find what the referenced record says, and tell nothing that may not be read there."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from chassis.records import references
from chassis.tests.given import names, refused

ACCOUNT, CONTACT, ORDER = "customer.account", "customer.contact", "sales.order"
ME, TEAM = new_id(), new_id()


def _people(suite: Any) -> None:
    with suite.work("customer") as work:
        for record, some in (("identity.user", ME), ("identity.team", TEAM)):
            data = {"id": some, "version": 1, "deleted_at": None, "name": "Nancy"}
            references.keep(work, {"type": f"{record}.created", "data": data}, ("name",))


@pytest.fixture
def suite(suite_of: Any) -> Any:
    """Contacts Ann (Berlin, mine), Bob (Kiel, my team's), Cyd (München, nobody's), Dan (no account)."""
    suite = suite_of("customer")
    suite.accounts = {}
    _people(suite)
    for name, city, industry, owner, team in (
        ("Ann", "Berlin", "Steel", ME, None),
        ("Bob", "Kiel", None, None, TEAM),
        ("Cyd", "München", "Trade", None, None),
        ("Dan", None, None, None, None),
    ):
        account = None
        if city:
            made = suite.create(
                ACCOUNT,
                {"name": f"{name} Ltd", "address": {"city": city}, "industry": industry, "team_id": team,
                 **({"owner_id": owner} if owner else {}), "credit_limit": {"amount": "5.00", "currency": "EUR"},
                 "phone": f"+49 {name}"},
            )  # fmt: skip
            account = suite.accounts[name] = made["id"]
        suite.create(CONTACT, {"name": name, "account_id": account})
    return suite


def _found(suite: Any, *where: Any, **query: Any) -> list[str]:
    return sorted(names(suite.list(CONTACT, *where, **query)))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("account.city", "eq", "berlin"), ["Ann"]),
        (("account.city", "in", "MUNCHEN,kiel"), ["Bob", "Cyd"]),
        (("account.name", "starts", "c"), ["Cyd"]),
        (("account.name", "contains", "ltd"), ["Ann", "Bob", "Cyd"]),
        (("account.city", "ne", "berlin"), ["Bob", "Cyd"]),
        (("account.industry", "empty", "true"), ["Bob"]),
        (("account.owner_id", "eq", ME), ["Ann"]),
        (("account.credit_limit", "gte", "5"), ["Ann", "Bob", "Cyd"]),
        (("account.phone", "contains", "ANN"), ["Ann"]),
        (("account.created_at", "within", "last-2-days"), ["Ann", "Bob", "Cyd"]),
        (("account.id", "eq", new_id()), []),
    ],
)
def test_a_filter_looks_through_a_reference_of_the_service(suite: Any, condition: Any, found: list[str]) -> None:
    assert _found(suite, condition) == found


def test_trees_look_through_references_too(suite: Any) -> None:
    berlin = {"field": "account.city", "value": "Berlin"}
    assert _found(suite, filter={"not": berlin}) == ["Bob", "Cyd", "Dan"]
    assert _found(suite, filter={"or": [berlin, {"field": "name", "value": "dan"}]}) == ["Ann", "Dan"]
    both = [
        {"field": "account.name", "op": "contains", "value": "ltd"},
        {"field": "name", "op": "starts", "value": "b"},
    ]
    assert _found(suite, filter={"and": both}) == ["Bob"]


def test_a_deleted_record_is_not_looked_through(suite: Any) -> None:
    with suite.work("customer") as work:
        accounts = suite.runtime("customer").stores[ACCOUNT]
        accounts.remove(work, accounts.find(work, suite.accounts["Ann"]))
    assert _found(suite, ("account.city", "eq", "berlin")) == []


@pytest.mark.parametrize(
    ("granted", "found"), [("all", ["Ann", "Bob", "Cyd"]), ("team", ["Ann", "Bob"]), ("own", ["Ann"]), ("none", [])]
)
def test_only_records_that_may_be_read_are_looked_through(suite: Any, granted: str, found: list[str]) -> None:
    grants = {CONTACT: {"read": "all"}, ACCOUNT: {"read": granted}}
    reader = suite.context(user_id=ME, teams=[TEAM], grants=grants)
    assert _found(suite, ("account.name", "contains", "ltd"), context=reader) == found
    # Neither way round: what cannot be read is neither Berlin nor not Berlin.
    berlin = {"field": "account.city", "value": "berlin"}
    others = {"field": "account.city", "op": "ne", "value": "berlin"}
    told = [_found(suite, filter=one, context=reader) for one in (berlin, others)]
    assert sorted(told[0] + told[1]) == found


def test_what_is_hidden_there_is_unknown_here(suite: Any) -> None:
    blind = suite.context(masks={ACCOUNT: {"hidden": ["industry"]}})
    with refused(400, "unknown_parameter", "account.industry"):
        suite.list(CONTACT, ("account.industry", "eq", "steel"), context=blind)
    blind = suite.context(masks={CONTACT: {"hidden": ["account_id"]}})
    with refused(400, "unknown_parameter", "account.city"):
        suite.list(CONTACT, ("account.city", "eq", "berlin"), context=blind)


@pytest.mark.parametrize(
    ("condition", "code", "field"),
    [
        (("account.shoes", "eq", "x"), "unknown_parameter", "account.shoes"),
        (("boss.name", "eq", "x"), "unknown_parameter", "boss.name"),
        (("account.owner.name", "eq", "x"), "unknown_parameter", "account.owner.name"),
        (("name.name", "eq", "x"), "unknown_parameter", "name.name"),
        (("account.address", "eq", "x"), "not_filterable", "account.address"),
        (("account.city", "gt", "x"), "unknown_operator", "account.city"),
        (("account.kind", "eq", "friend"), "bad_parameter", "account.kind"),
        (("account.tenant_id", "eq", "x"), "unknown_parameter", "account.tenant_id"),
    ],
)
def test_what_is_not_there_is_a_400_that_names_it(suite: Any, condition: Any, code: str, field: str) -> None:
    with refused(400, code, field):
        suite.list(CONTACT, condition)


def test_lists_neither_sort_nor_group_through_a_reference(suite: Any) -> None:
    with refused(400, "not_sortable", "sort"):
        suite.list(CONTACT, sort="account.name")
    with refused(400, "bad_parameter", "group_by"):
        suite.call("customer", "record.aggregate", {"record": CONTACT, "group_by": ["account.city"]})


class TestAcrossServices:
    """Sales knows of an account what its minimal copy says."""

    @pytest.fixture
    def suite(self, suite_of: Any) -> Any:
        suite = suite_of("customer", "sales")
        _people(suite)
        stages = [{"name": "Talk", "probability": "10"}]
        suite.create("sales.pipeline", {"name": "Usual", "stages": stages})
        for name, mine in (("Müller AG", True), ("Zeta", False)):
            city = {"city": "Würzburg"} if mine else None
            made = suite.create(ACCOUNT, {"name": name, "currencies": ["EUR"], "address": city})
            with suite.work("customer") as work:
                stored = suite.runtime("customer").stores[ACCOUNT]
                stored.change(work, made["id"], lambda one, mine=mine: setattr(one, "owner_id", ME if mine else None))
            suite.settle()
            suite.create("sales.opportunity", {"name": f"Deal with {name}", "account_id": made["id"]})
        return suite

    def test_a_copied_field_filters_folded(self, suite: Any) -> None:
        assert names(suite.list("sales.opportunity", ("account.name", "starts", "muller"))) == ["Deal with Müller AG"]
        assert names(suite.list("sales.opportunity", ("account.owner_id", "eq", ME))) == ["Deal with Müller AG"]
        assert names(suite.list("sales.opportunity", ("account.name", "ne", "müller ag"))) == ["Deal with Zeta"]

    def test_what_is_empty_there_is_found_as_empty_and_follows_every_change(self, suite: Any) -> None:
        def found(*condition: str) -> list[str]:
            return names(suite.list("sales.opportunity", condition))

        assert found("account.city", "eq", "WURZBURG") == ["Deal with Müller AG"]
        assert found("account.city", "empty", "true") == found("account.city", "ne", "würzburg") == ["Deal with Zeta"]
        (account,) = suite.list(ACCOUNT, ("city", "eq", "würzburg"))
        suite.update(ACCOUNT, account["id"], {"address": {"city": "Ulm"}})
        suite.settle()
        assert (found("account.city", "eq", "würzburg"), found("account.city", "starts", "ul")) == (
            [],
            ["Deal with Müller AG"],
        )
        suite.update(ACCOUNT, account["id"], {"address": None})
        suite.settle()
        assert found("account.city", "starts", "u") == []

    def test_a_deleted_record_is_not_looked_through(self, suite: Any) -> None:
        with suite.work("customer") as work:
            accounts = suite.runtime("customer").stores[ACCOUNT]
            accounts.remove(work, accounts.where(work, "city_key = 'wurzburg'")[0])
        suite.settle()
        assert suite.list("sales.opportunity", ("account.city", "eq", "Würzburg")) == []

    def test_the_grants_of_the_copied_record_count(self, suite: Any) -> None:
        reader = suite.context(user_id=ME, grants={"sales.opportunity": {"read": "all"}, ACCOUNT: {"read": "own"}})
        found = suite.list("sales.opportunity", ("account.name", "contains", "e"), context=reader)
        assert names(found) == ["Deal with Müller AG"]

    def test_a_field_that_is_not_copied_is_a_400_that_names_it_and_says_which_are(self, suite: Any) -> None:
        with refused(400, "not_filterable", "account.industry") as caught:
            suite.list("sales.opportunity", ("account.industry", "eq", "Steel"))
        assert "account.name" in caught.value.detail
