"""Who may merge what, in which order merges are taken back, and what a merged id answers."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.context import Grants
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Suite
from contracts import merging
from contracts.registry import registry

JSON = dict[str, Any]
ACCOUNT, CONTACT, LEAD = "customer.account", "customer.contact", "marketing.lead"


@pytest.fixture
def suite(suite_of: Any) -> Suite:
    made: Suite = suite_of("customer", "marketing", "sales", "service")
    return made


def account(suite: Suite, name: str = "Alfreds", **fields: Any) -> str:
    return str(suite.create(ACCOUNT, {"name": name, **fields})["id"])


def merge(suite: Suite, record: str, winner: str, losers: Any, **options: Any) -> str:
    data = {"losers": losers, **({"choices": options.pop("choices")} if "choices" in options else {})}
    params = {"record": record, "id": winner, "data": data, "if_match": options.pop("if_match", None)}
    made: str = suite.call(record.split(".")[0], "record.merge", params, **options)["merge_id"]
    return made


def unmerge(suite: Suite, record: str, winner: str, **options: Any) -> None:
    data = {"merge_id": options.pop("merge_id")} if "merge_id" in options else {}
    suite.call(record.split(".")[0], "record.unmerge", {"record": record, "id": winner, "data": data}, **options)


def refused(call: Any, *arguments: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        call(*arguments, **options)
    return caught.value.status, caught.value.code


def test_the_survivor_keeps_its_values_takes_what_it_lacks_and_what_was_chosen(suite: Suite) -> None:
    address = {"street": "Obere Str. 57", "city": "Berlin"}
    winner = account(suite, "Alfreds", phone="1")
    first = account(suite, "Alfreds Futterkiste", phone="2", website="")
    second = account(suite, "Futterkiste", website="alfreds.example", address=address)
    merge(suite, ACCOUNT, winner, [first, second], choices={"name": first})
    survivor = suite.get(ACCOUNT, winner)
    assert (survivor["name"], survivor["phone"], survivor["website"]) == ("Alfreds Futterkiste", "1", "alfreds.example")
    assert (survivor["address"]["street"], survivor["city"]) == ("Obere Str. 57", "Berlin")
    assert survivor["version"] == 2


def test_fields_that_were_changed_since_keep_what_they_became(suite: Suite) -> None:
    winner, loser = account(suite, "A"), account(suite, "B", phone="2", fax="3", notes="n")
    merge(suite, ACCOUNT, winner, [loser])
    suite.settle()
    suite.update(ACCOUNT, winner, {"phone": "9"})
    unmerge(suite, ACCOUNT, winner)
    suite.settle()
    survivor, back = suite.get(ACCOUNT, winner), suite.get(ACCOUNT, loser)
    assert (survivor["phone"], survivor["fax"], survivor["notes"]) == ("9", None, None)
    assert (back["name"], back["phone"], back["fax"], back["merged_into_id"]) == ("B", "2", "3", None)


def test_what_both_sides_share_stays_once_and_goes_back_to_both(suite: Suite) -> None:
    """Tags and groups that both have: no list repeats, and un-merging gives each its own again."""
    winner, loser = account(suite, "A", tags=["vip", "tea"]), account(suite, "B", tags=["tea", "berlin"])
    both = suite.create("customer.group", {"name": "Both", "account_ids": [loser, winner]})["id"]
    lost = suite.create("customer.group", {"name": "Lost", "account_ids": [loser]})["id"]
    merge(suite, ACCOUNT, winner, [loser])
    suite.settle()
    assert suite.get(ACCOUNT, winner)["tags"] == ["vip", "tea", "berlin"]
    assert suite.get("customer.group", both)["account_ids"] == [winner]
    assert suite.get("customer.group", lost)["account_ids"] == [winner]
    assert suite.dead() == []
    unmerge(suite, ACCOUNT, winner)
    suite.settle()
    assert [suite.get(ACCOUNT, one)["tags"] for one in (winner, loser)] == [["vip", "tea"], ["tea", "berlin"]]
    assert suite.get("customer.group", both)["account_ids"] == [loser, winner]
    assert suite.get("customer.group", lost)["account_ids"] == [loser]


def test_a_merged_id_leads_to_its_survivor_and_takes_no_writes(suite: Suite) -> None:
    top, middle, low = account(suite, "Top"), account(suite, "Middle"), account(suite, "Low")
    merge(suite, ACCOUNT, middle, [low])
    suite.settle()
    merge(suite, ACCOUNT, top, [middle])
    suite.settle()
    for merged in (middle, low):
        with pytest.raises(Problem) as caught:
            suite.get(ACCOUNT, merged)
        assert caught.value.status == 308
        assert caught.value.extra["location"] == f"/v1/accounts/{top}"
        for method, params in (
            ("update", {"patch": {"phone": "1"}}),
            ("delete", {}),
            ("restore", {}),
            ("command", {"verb": "release"}),
            ("unmerge", {"data": {}}),
            ("merge", {"data": {"losers": [account(suite)]}}),
        ):
            with pytest.raises(Problem) as caught:
                suite.call("customer", f"record.{method}", {"record": ACCOUNT, "id": merged, **params})
            assert (caught.value.status, caught.value.code) == (409, "merged"), method
            assert caught.value.extra["id"] == top
    assert refused(merge, suite, ACCOUNT, top, [low]) == (409, "merged")


def test_who_may_not_read_the_survivor_does_not_learn_of_it(suite: Suite) -> None:
    stranger = new_id()
    mine, top = account(suite, "Mine"), account(suite, "Top")
    merge(suite, ACCOUNT, top, [mine])
    own = suite.context(user_id=stranger, grants={ACCOUNT: {"*": "own"}})
    assert refused(suite.get, ACCOUNT, mine, context=own) == (404, "not_found")
    assert refused(suite.update, ACCOUNT, mine, {"phone": "1"}, context=own) == (404, "not_found")


@pytest.mark.parametrize(
    ("grants", "answer"),
    [
        ({ACCOUNT: {"read": "all", "update": "all"}}, (403, "forbidden")),
        ({ACCOUNT: {"read": "all", "delete": "all"}}, (403, "forbidden")),
        ({ACCOUNT: {"read": "none", "update": "all", "delete": "all"}}, (404, "not_found")),
        ({ACCOUNT: {"*": "own"}}, (404, "not_found")),
    ],
)
def test_merging_needs_the_right_to_change_all_and_to_delete_the_losers(
    suite: Suite, grants: Grants, answer: tuple[int, str]
) -> None:
    winner, loser = account(suite), account(suite)
    context = suite.context(user_id=new_id(), grants=grants)
    assert refused(merge, suite, ACCOUNT, winner, [loser], context=context) == answer
    assert suite.get(ACCOUNT, loser)["version"] == suite.get(ACCOUNT, winner)["version"] == 1


def test_fields_that_one_may_not_write_cannot_be_chosen(suite: Suite) -> None:
    winner, loser = account(suite), account(suite)
    context = suite.context(masks={ACCOUNT: {"read_only": ["name"]}})
    code = refused(merge, suite, ACCOUNT, winner, [loser], choices={"name": loser}, context=context)
    assert code == (422, "field_read_only")


def test_what_cannot_be_merged_is_refused_and_changes_nothing(suite: Suite) -> None:
    winner, other, gone = account(suite), account(suite), account(suite)
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": gone})
    foreign = suite.create(ACCOUNT, {"name": "Theirs"}, context=suite.context(tenant=new_id()))["id"]
    for losers, answer in (
        ([], (422, "invalid")),
        ("all", (422, "invalid")),
        (["x"], (422, "invalid")),
        ([winner], (422, "invalid")),
        ([winner.upper()], (422, "invalid")),
        ([other, other], (422, "invalid")),
        ([new_id()], (422, "unknown_reference")),
        ([other, gone], (422, "unknown_reference")),
        ([foreign], (422, "unknown_reference")),
    ):
        assert refused(merge, suite, ACCOUNT, winner, losers) == answer, losers
    for choices in ({"nonsense": other}, {"name": new_id()}, {"city": other}, {"name": 1}, ["name"]):
        assert refused(merge, suite, ACCOUNT, winner, [other], choices=choices) == (422, "invalid"), choices
    assert refused(merge, suite, ACCOUNT, winner, [other], if_match="7") == (412, "version_conflict")
    assert refused(merge, suite, ACCOUNT, gone, [other]) == (404, "not_found")
    assert refused(merge, suite, "customer.group", winner, [other]) == (404, "not_found")
    assert suite.get(ACCOUNT, winner)["version"] == suite.get(ACCOUNT, other)["version"] == 1


def test_records_of_an_unfinished_merge_wait(suite: Suite) -> None:
    winner, loser, other = account(suite), account(suite), account(suite)
    merge(suite, ACCOUNT, winner, [loser])
    assert refused(merge, suite, ACCOUNT, winner, [other]) == (409, "merge_running")
    assert refused(merge, suite, ACCOUNT, other, [winner]) == (409, "merge_running")
    assert refused(unmerge, suite, ACCOUNT, winner) == (409, "merge_running")
    delete = {"record": ACCOUNT, "id": winner}
    assert refused(suite.call, "customer", "record.delete", delete) == (409, "merge_running")
    suite.settle()
    merge(suite, ACCOUNT, other, [winner])


def test_merges_are_taken_back_the_latest_first(suite: Suite) -> None:
    winner, first, second = account(suite, "A"), account(suite, "B", phone="1"), account(suite, "C", phone="2")
    assert refused(unmerge, suite, ACCOUNT, winner) == (409, "nothing_merged")
    merges = []
    for loser in (first, second):
        merges.append(merge(suite, ACCOUNT, winner, [loser]))
        suite.settle()
    with pytest.raises(Problem) as caught:
        unmerge(suite, ACCOUNT, winner, merge_id=merges[0])
    assert (caught.value.code, caught.value.extra["merge_id"]) == ("not_latest", merges[1])
    assert refused(unmerge, suite, ACCOUNT, winner, merge_id=new_id()) == (422, "unknown_reference")
    unmerge(suite, ACCOUNT, winner, merge_id=merges[1])
    suite.settle()
    assert refused(unmerge, suite, ACCOUNT, winner, merge_id=merges[1]) == (409, "already_unmerged")
    unmerge(suite, ACCOUNT, winner)
    suite.settle()
    assert suite.get(ACCOUNT, winner)["phone"] is None
    assert suite.get(ACCOUNT, first)["name"] == "B"
    listed = suite.call("customer", "record.merges", {"record": ACCOUNT, "id": winner})["items"]
    assert [(one["merge_id"], one["state"]) for one in listed] == [(one, "unmerged") for one in reversed(merges)]


def test_keys_of_other_systems_lead_to_the_survivor_and_go_back(suite: Suite) -> None:
    winner, loser = account(suite, external_ids={"erp": "1"}), account(suite, external_ids={"erp": "2", "shop": "A"})
    merge(suite, ACCOUNT, winner, [loser])
    suite.settle()

    def by_key(system: str, key: str) -> JSON:
        found: JSON = suite.call("customer", "record.by_external", {"record": ACCOUNT, "system": system, "key": key})
        return found

    def put(system: str, key: str) -> str:
        data = {"name": "Put", "phone": "5"}
        params = {"record": ACCOUNT, "system": system, "key": key, "data": data}
        return str(suite.call("customer", "record.upsert", params)["id"])

    assert by_key("shop", "A")["id"] == winner
    assert refused(by_key, "erp", "2") == (308, "merged")
    assert put("erp", "2") == put("shop", "A") == winner
    unmerge(suite, ACCOUNT, winner)
    suite.settle()
    assert by_key("shop", "A")["id"] == by_key("erp", "2")["id"] == loser
    assert by_key("erp", "1")["id"] == winner


def test_leads_under_conversion_are_left_alone(suite: Suite) -> None:
    lead, other = (suite.create(LEAD, {"name": name})["id"] for name in ("Ana", "Anna"))
    suite.run(LEAD, lead, "qualify")
    suite.run(LEAD, lead, "convert", {})
    for winner, loser in ((lead, other), (other, lead)):
        assert refused(merge, suite, LEAD, winner, [loser]) == (409, "wrong_state")


def test_every_record_that_merges_says_so_in_its_event_and_in_history(suite: Suite) -> None:
    winner, loser = account(suite), account(suite)
    contact = suite.create(CONTACT, {"name": "Maria", "account_id": loser})["id"]
    merge_id = merge(suite, ACCOUNT, winner, [loser])
    suite.settle()
    (event,) = suite.events("customer.account.merged")
    assert (event["subject"], event["data"]["merged_into_id"]) == (f"account/{loser}", winner)
    (updated,) = suite.events("customer.contact.updated")
    assert updated["data"]["account_id"] == winner
    history = suite.call("customer", "record.history", {"record": CONTACT, "id": contact})["items"]
    assert history[0]["cause"] == f"merge:{merge_id}"
    assert {name for name, one in registry.records.items() if "merge" in one.operations} == {
        "customer.account", "customer.contact", "marketing.lead", "inventory.product",
    }  # fmt: skip


def test_insert_only_documents_let_a_merge_change_their_references_and_nothing_else(suite_of: Any) -> None:
    runtimes = suite_of().bus.runtimes.values()
    for stored in {store.stored for runtime in runtimes for store in runtime.definition.stores}:
        referring = {place.name for place in merging.places(stored.record)} if stored.record.repoints else set()
        assert set(stored.repointable) == (referring if stored.insert_only else set()), stored.record.record_name
