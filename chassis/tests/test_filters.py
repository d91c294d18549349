"""Filters: every operator, trees, folding, and a 400 that names what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.tests.given import names, refused

ACCOUNT = "customer.account"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    suite = suite_of("customer")
    for name, kind, industry, limit, day in (
        ("Alpha", "customer", "Trade", "10.00", "2026-01-01"),
        ("Beta", "partner", None, "200.00", "2026-02-01"),
        ("Gamma", "prospect", "Steel", None, None),
    ):
        money = limit and {"amount": limit, "currency": "EUR"}
        suite.create(
            ACCOUNT, {"name": name, "kind": kind, "industry": industry, "credit_limit": money, "next_action_on": day}
        )
    return suite


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("name", "eq", "beta"), ["Beta"]),
        (("name", "ne", "beta"), ["Alpha", "Gamma"]),
        (("name", "in", "alpha,GAMMA"), ["Alpha", "Gamma"]),
        (("name", "starts", "al"), ["Alpha"]),
        (("name", "contains", "mm"), ["Gamma"]),
        (("industry", "empty", "true"), ["Beta"]),
        (("industry", "empty", "false"), ["Alpha", "Gamma"]),
        (("industry", "ne", "trade"), ["Beta", "Gamma"]),
        (("kind", "eq", "partner"), ["Beta"]),
        (("kind", "ne", "partner"), ["Alpha", "Gamma"]),
        (("kind", "in", "partner,prospect"), ["Beta", "Gamma"]),
        (("credit_limit", "eq", "10"), ["Alpha"]),
        (("credit_limit", "ne", "10"), ["Beta", "Gamma"]),
        (("credit_limit", "gt", "10"), ["Beta"]),
        (("credit_limit", "gte", "10.00"), ["Alpha", "Beta"]),
        (("credit_limit", "lt", "200"), ["Alpha"]),
        (("credit_limit", "lte", "200"), ["Alpha", "Beta"]),
        (("credit_limit", "empty", "true"), ["Gamma"]),
        (("next_action_on", "eq", "2026-01-01"), ["Alpha"]),
        (("next_action_on", "gt", "2026-01-01"), ["Beta"]),
        (("next_action_on", "lte", "2026-02-01"), ["Alpha", "Beta"]),
        (("next_action_on", "in", "2026-01-01,2026-03-01"), ["Alpha"]),
        (("created_at", "gt", "2020-01-01T00:00:00Z"), ["Alpha", "Beta", "Gamma"]),
        (("created_at", "lt", "2020-01-01T00:00:00+02:00"), []),
        (("created_by", "starts", "user:"), ["Alpha", "Beta", "Gamma"]),
        (("created_by", "starts", "userz"), []),
    ],
)
def test_an_operator_finds_exactly_the_records_it_describes(suite: Any, condition: Any, found: list[str]) -> None:
    assert sorted(names(suite.list(ACCOUNT, condition))) == found


def test_several_conditions_must_all_hold(suite: Any) -> None:
    assert names(suite.list(ACCOUNT, ("name", "starts", "a"), ("kind", "eq", "customer"))) == ["Alpha"]
    assert suite.list(ACCOUNT, ("name", "starts", "a"), ("kind", "eq", "partner")) == []


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"field": "name", "op": "eq", "value": "alpha"}, ["Alpha"]),
        ({"field": "name", "value": "alpha"}, ["Alpha"]),
        ({"field": "industry", "op": "empty"}, ["Beta"]),
        ({"or": [{"field": "name", "value": "alpha"}, {"field": "kind", "value": "partner"}]}, ["Alpha", "Beta"]),
        ({"and": [{"field": "name", "op": "contains", "value": "a"}, {"not": {"field": "name", "value": "beta"}}]},
         ["Alpha", "Gamma"]),
        ({"not": {"field": "credit_limit", "op": "gt", "value": "10"}}, ["Alpha", "Gamma"]),
        ({"not": {"or": [{"field": "name", "value": "alpha"}, {"field": "name", "value": "beta"}]}}, ["Gamma"]),
        ({"field": "name", "op": "in", "value": ["alpha", "beta"]}, ["Alpha", "Beta"]),
        ({"field": "credit_limit", "op": "gte", "value": {"amount": "200.00", "currency": "EUR"}}, ["Beta"]),
    ],
)  # fmt: skip
def test_a_tree_of_and_or_and_not_means_what_it_says(suite: Any, tree: Any, found: list[str]) -> None:
    assert sorted(names(suite.list(ACCOUNT, filter=tree))) == found


def test_text_is_compared_without_case_accents_width_and_double_spaces(suite_of: Any) -> None:
    suite = suite_of("customer")
    for name in ("Café  Müller", "ＡＢＣ 商店", "Ærø Straße"):
        suite.create(ACCOUNT, {"name": name})
    for asked, found in (
        ("cafe muller", "Café  Müller"),
        ("CAFÉ MÜLLER", "Café  Müller"),
        ("abc 商店", "ＡＢＣ 商店"),
        ("aero strasse", "Ærø Straße"),
    ):
        assert names(suite.list(ACCOUNT, ("name", "eq", asked))) == [found]
    assert names(suite.list(ACCOUNT, ("name", "contains", "商"))) == ["ＡＢＣ 商店"]


def test_wildcards_of_sql_are_ordinary_characters(suite_of: Any) -> None:
    suite = suite_of("customer")
    for name in ("100% cotton", "1000 cotton", "a_b", "axb", "back\\slash"):
        suite.create(ACCOUNT, {"name": name})
    assert names(suite.list(ACCOUNT, ("name", "contains", "0%"))) == ["100% cotton"]
    assert names(suite.list(ACCOUNT, ("name", "contains", "a_b"))) == ["a_b"]
    assert names(suite.list(ACCOUNT, ("name", "contains", "k\\s"))) == ["back\\slash"]


@pytest.mark.parametrize(
    ("condition", "code", "field"),
    [
        (("shoe_size", "eq", "44"), "unknown_parameter", "shoe_size"),
        (("address", "eq", "x"), "not_filterable", "address"),
        (("name", "gt", "x"), "unknown_operator", "name"),
        (("name", "like", "x"), "unknown_operator", "name"),
        (("person", "contains", "x"), "unknown_operator", "person"),
        (("credit_limit", "eq", "much"), "bad_parameter", "credit_limit"),
        (("credit_limit", "eq", {"currency": "EUR"}), "bad_parameter", "credit_limit"),
        (("next_action_on", "eq", "tomorrow"), "bad_parameter", "next_action_on"),
        (("next_action_on", "eq", None), "bad_parameter", "next_action_on"),
        (("kind", "eq", "friend"), "bad_parameter", "kind"),
        (("owner_id", "eq", "me"), "bad_parameter", "owner_id"),
        (("industry", "empty", "perhaps"), "bad_parameter", "industry"),
        (("name", "in", []), "bad_parameter", "name"),
        (("name", "starts", ""), "bad_parameter", "name"),
        (("name", "contains", "a\x01b"), "bad_parameter", "name"),
        (("name", "eq", "a\x01b"), "bad_parameter", "name"),
        (("version", "eq", "one"), "bad_parameter", "version"),
    ],
)
def test_what_cannot_be_compared_is_a_400_that_names_the_field(
    suite: Any, condition: Any, code: str, field: str
) -> None:
    with refused(400, code, field):
        suite.list(ACCOUNT, condition)


@pytest.mark.parametrize("value", ["--5", "²", "5.0", "", "9" * 30, True])
def test_a_whole_number_is_not_guessed(suite_of: Any, value: Any) -> None:
    with refused(400, "bad_parameter", "balance"):
        suite_of("marketing").list("marketing.point-account", ("balance", "eq", value))


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ([], "bad_filter"),
        ("name", "bad_filter"),
        ({"and": []}, "bad_filter"),
        ({"or": {"field": "name"}}, "bad_filter"),
        ({"and": [{"field": "name", "value": "x"}], "or": []}, "bad_filter"),
        ({"field": "name", "value": "x", "sql": "1=1"}, "bad_filter"),
        ({"op": "eq", "value": "x"}, "bad_filter"),
        ({"field": ["name"], "value": "x"}, "unknown_parameter"),
        ({"field": "name", "op": ["eq"], "value": "x"}, "unknown_operator"),
        ({"field": 'name" = name --', "value": "x"}, "unknown_parameter"),
        ({"or": [{"field": "name", "value": "x"}] * 101}, "filter_too_large"),
    ],
)
def test_a_tree_of_another_shape_is_a_400(suite: Any, tree: Any, code: str) -> None:
    with refused(400, code):
        suite.list(ACCOUNT, ("name", "eq", "x"), filter=tree or [[]])


def test_a_tree_that_is_too_deep_is_refused_before_it_is_walked(suite: Any) -> None:
    tree: Any = {"field": "name", "value": "x"}
    for _ in range(60):
        tree = {"not": tree}
    with refused(400, "filter_too_large"):
        suite.list(ACCOUNT, filter=tree)


def test_a_filter_on_a_removed_email_finds_nothing_and_the_deleted_are_listed_on_request(suite_of: Any) -> None:
    """SuiteCRM#9606, #8631: removed addresses still matched, and deleted records could not be listed."""
    suite = suite_of("customer")
    moved = suite.create(ACCOUNT, {"name": "Moved", "email": "old@example.com"})
    gone = suite.create(ACCOUNT, {"name": "Gone", "email": "gone@example.com"})
    suite.update(ACCOUNT, moved["id"], {"email": "new@example.com"})
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": gone["id"]})
    assert suite.list(ACCOUNT, ("email", "eq", "old@example.com")) == []
    assert suite.list(ACCOUNT, ("email", "contains", "gone")) == []
    assert names(suite.list(ACCOUNT, ("email", "eq", "NEW@example.com"))) == ["Moved"]
    assert names(suite.list(ACCOUNT, ("email", "eq", "gone@example.com"), deleted="only")) == ["Gone"]
    assert sorted(names(suite.list(ACCOUNT, deleted="include"))) == ["Gone", "Moved"]
    body = suite.call("customer", "record.list", {"record": ACCOUNT, "query": {"count": "exact", "limit": 1}})
    assert body["count"] == 1


@pytest.mark.parametrize(
    "stored",
    [
        "Café  Müller",
        "ＡＢＣ 商店",
        "Ærø Straße",
        "İstanbul ŁÓDŹ",
        "Ångström",
        "ΟΔΟΣ",
        "ﬁne ①",
        "한국어",
        "a\u3000b\tc",
    ],
)
def test_text_without_an_index_is_folded_as_text_with_one(suite_of: Any, stored: str) -> None:
    suite = suite_of("customer")
    suite.create(ACCOUNT, {"name": stored, "notes": stored, "phone": "x"})
    for asked in (stored, stored.upper(), stored.lower(), stored.replace(" ", "  ")):
        for field in ("name", "notes"):
            assert names(suite.list(ACCOUNT, (field, "eq", asked))) == [stored], (field, asked)
            assert names(suite.list(ACCOUNT, (field, "starts", asked[:3]))) == [stored]
            assert names(suite.list(ACCOUNT, (field, "contains", asked[1:]))) == [stored]
