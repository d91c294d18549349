"""Nobody finds, counts or sees what the same principal may not read."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, event

TEAM, OTHER_TEAM = new_id(), new_id()


@pytest.fixture
def three(index):
    """One's own account, one of the team's and one of somebody else's."""
    index.put(ACCOUNT, name="Shared Mine", owner_id=index.suite.user_id, team_id=OTHER_TEAM)
    index.put(ACCOUNT, name="Shared Team", owner_id=new_id(), team_id=TEAM)
    index.put(ACCOUNT, name="Shared Foreign", owner_id=new_id(), team_id=OTHER_TEAM)
    index.put(ACCOUNT, name="Shared Nobodys")
    return index


def _as(index, scope, **options):
    return index.suite.context(grants={ACCOUNT: {"read": scope}}, teams=[TEAM], **options)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("none", set()),
        ("own", {"Shared Mine"}),
        ("team", {"Shared Mine", "Shared Team"}),
        ("all", {"Shared Mine", "Shared Team", "Shared Foreign", "Shared Nobodys"}),
    ],
)
@pytest.mark.parametrize("q", ["shared", "share s", "sharde"])
def test_a_grant_decides_what_is_found_counted_and_guessed(three, scope, expected, q):
    body = three.ask(q, context=_as(three, scope))
    assert {item["title"] for item in body["items"]} == expected
    assert body["facets"] == ({"account": len(expected)} if expected else {})
    assert ("fuzzy" in body) == (q == "sharde" and bool(expected))


def test_an_own_or_team_scope_without_user_or_team_finds_nothing(three):
    nobody = three.suite.context(grants={ACCOUNT: {"read": "team"}})
    assert three.titles("shared", context=nobody) == ["Shared Mine"]


def test_each_record_has_its_own_scope(index):
    index.put(ACCOUNT, name="Mixed", owner_id=new_id())
    index.put(CONTACT, name="Mixed", owner_id=new_id())
    index.put(ORDER, number="MIXED", owner_id=index.suite.user_id)
    grants = {CONTACT: {"read": "all"}, ORDER: {"read": "own"}, ACCOUNT: {"read": "own", "*": "all"}}
    body = index.ask("mixed", context=index.suite.context(grants=grants))
    assert body["facets"] == {"contact": 1, "order": 1}


def test_what_one_owns_is_found_among_very_many_of_others(index, monkeypatch):
    monkeypatch.setattr("services.search.postgres.CANDIDATES", 3)
    for number in range(20):
        index.put(ACCOUNT, name=f"Aa{number:02} Shared", owner_id=new_id())
    index.put(ACCOUNT, name="Zz Shared", owner_id=index.suite.user_id)
    assert index.titles("shared", context=_as(index, "own")) == ["Zz Shared"]
    assert index.titles("shared zz") == ["Zz Shared"]


def test_a_hidden_field_is_not_found_by_and_not_shown(index):
    index.put(CONTACT, name="Maria", email="maria@secret.example", phone="030-0074321", title="Owner")
    masked = index.suite.context(masks={CONTACT: {"hidden": ["email", "phone"]}})
    for q in ("secret", "maria@secret.example", "4321", "0300074321", "maria secret"):
        assert index.titles(q) == ["Maria"], q
        assert index.titles(q, context=masked) == [], q
    (item,) = index.ask("maria", context=masked)["items"]
    assert (item["title"], item["subtitle"], item["highlight"]) == ("Maria", "Owner", "<em>Maria</em>")
    assert "secret" not in str(item)


def test_a_hidden_title_is_neither_shown_nor_compared(index):
    index.put(CONTACT, name="Maria Anders", title="Owner")
    masked = index.suite.context(masks={"*": {"hidden": ["name"]}})
    assert index.ask("maria anders", context=masked)["items"] == []
    assert index.ask("mariaa andres", context=masked)["items"] == []
    (item,) = index.ask("owner", context=masked)["items"]
    assert item["title"] is None
    assert "Maria" not in str(item)


def test_hidden_external_ids_are_not_found_by(index):
    index.put(ACCOUNT, name="Alfreds", external_ids={"erp": "K-4711"})
    masked = index.suite.context(masks={ACCOUNT: {"hidden": ["external_ids"]}})
    assert index.titles("K-4711") == ["Alfreds"]
    assert index.titles("K-4711", context=masked) == []


def test_a_new_owner_finds_the_record_and_the_old_one_no_longer(index):
    one, old, new = new_id(), new_id(), new_id()
    for version, owner in ((1, old), (2, new)):
        index.take(
            event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Handed", "owner_id": owner}, version=version)
        )
    assert index.titles("handed", context=_as(index, "own", user_id=old)) == []
    assert index.titles("handed", context=_as(index, "own", user_id=new)) == ["Handed"]


def test_other_tenants_are_invisible(index):
    other = new_id()
    one = index.put(ACCOUNT, tenant=other, name="Foreign Secret")
    for q in ("foreign", "foriegn secret"):
        body = index.ask(q)
        assert (body["items"], body["facets"]) == ([], {})
    assert index.ask("foreign")["freshness"]["indexed_at"] is None
    assert [item["id"] for item in index.ask("foreign", context=index.suite.context(tenant=other))["items"]] == [one]
