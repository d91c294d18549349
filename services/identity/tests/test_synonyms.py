"""Synonyms are a tenant's own, written by those who may, with words that search can tell apart."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.identity import definitions
from services.identity.seeds import ROLES

SYNONYM = "identity.synonym"
ICBC = {"term": "ICBC", "means": ["工商银行", "工行"]}


@pytest.fixture
def suite(suite_of):
    return suite_of("identity")


def refusal(suite, fields, **options):
    with pytest.raises(Problem) as refused:
        suite.create(SYNONYM, fields, **options)
    return refused.value.status, [error["field"] for error in refused.value.errors]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"means": []}, "means"),
        ({"means": ["icbc"]}, "means.0"),
        ({"means": ["工商银行", "工商銀行"]}, "means.1"),
        ({"term": "—"}, "term"),
        ({"term": "x"}, "term"),
        ({"means": ["a b c d e f g h i"]}, "means.0"),
        ({"means": ["x" * 81]}, "means.0"),
        ({"means": [f"word {number}" for number in range(21)]}, "means"),
        ({"means": "工行"}, "means"),
        ({"term": None}, "term"),
    ],
)
def test_synonyms_that_search_cannot_use_are_refused_with_their_field(suite, fields, where):
    assert refusal(suite, {**ICBC, **fields}) == (422, [where])


def test_there_are_at_most_so_many(suite, monkeypatch):
    monkeypatch.setattr(definitions, "MOST_SYNONYMS", 2)
    for number in range(2):
        suite.create(SYNONYM, {"term": f"Word {number}", "means": ["Other"]})
    with pytest.raises(Problem) as refused:
        suite.create(SYNONYM, {"term": "One more", "means": ["Other"]})
    assert (refused.value.status, refused.value.code) == (409, "too_many_synonyms")


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"Administrator"}))
def test_only_administrators_write_and_read_them(suite, role):
    made = suite.create(SYNONYM, ICBC)
    other = suite.context(user_id=new_id(), grants=ROLES[role])
    for call in (
        lambda: suite.create(SYNONYM, ICBC, context=other),
        lambda: suite.update(SYNONYM, made["id"], {"means": ["x y"]}, context=other),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status in (403, 404)
    assert suite.list(SYNONYM, context=other) == []
    assert suite.get(SYNONYM, made["id"]) == made
    administrator = suite.context(user_id=new_id(), grants=ROLES["Administrator"])
    assert suite.update(SYNONYM, made["id"], {"means": ["工行"]}, context=administrator)["means"] == ["工行"]


def test_every_change_of_them_is_in_the_history_with_who_made_it(suite):
    made = suite.create(SYNONYM, ICBC)
    suite.update(SYNONYM, made["id"], {"means": ["工行"]})
    rows = suite.request("identity", "record.history", {"record": SYNONYM, "id": made["id"]})["body"]["items"]
    assert {row["type"].rsplit(".", 1)[1] for row in rows} == {"created", "updated"}
    assert all(suite.user_id in str(row["actor"]) for row in rows)
