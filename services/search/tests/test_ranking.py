"""What comes first, also on the customers of Northwind."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from chassis.ids import derived_id, new_id
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, event

DATA = Path(os.environ.get("GUANXI_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")) / "northwind"


@pytest.fixture
def northwind(index):
    if not (DATA / "customers.csv").exists():
        pytest.skip(f"NOT TESTED: the Northwind customers are not at {DATA}")
    with (DATA / "customers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    events = []
    for row in rows:
        key, account = {"northwind": row["CustomerID"]}, derived_id(index.suite.tenant, row["CustomerID"])
        place = {"city": row["City"], "country": row["Country"], "phone": row["Phone"]}
        events.append(
            event(
                index.suite.tenant, ACCOUNT, {"id": account, "name": row["CompanyName"], "external_ids": key, **place}
            )
        )
        contact = {"id": new_id(), "name": row["ContactName"], "title": row["ContactTitle"], "phone": row["Phone"]}
        events.append(event(index.suite.tenant, CONTACT, contact))
        order = {
            "id": new_id(),
            "number": f"SO-1998-{len(events):05}",
            "account_name": row["CompanyName"],
            "status": "placed",
        }
        events.append(event(index.suite.tenant, ORDER, order))
    index.take(*events)
    assert len(rows) == 91
    return index


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("alf", "Alfreds Futterkiste"),
        ("ALFKI", "Alfreds Futterkiste"),
        ("futterkiste", "Alfreds Futterkiste"),
        ("maria an", "Maria Anders"),
        ("around", "Around the Horn"),
        ("blauer", "Blauer See Delikatessen"),
        ("berglunds snabbkop", "Berglunds snabbköp"),
        ("la maison", "La maison d'Asie"),
        ("WOLZA", "Wolski  Zajazd"),
        ("b's bev", "B's Beverages"),
    ],
)
def test_the_customer_that_is_meant_comes_first(northwind, q, first):
    types = ["account", "contact"]
    assert northwind.titles(q, types=types)[0].split() == first.split()
    assert northwind.titles(q)[0].split() == first.split()


def test_every_northwind_customer_is_first_by_its_key_and_by_its_whole_name(northwind):
    with (DATA / "customers.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for q in (row["CustomerID"], row["CompanyName"]):
                assert northwind.titles(q)[0] == row["CompanyName"], q


def test_a_whole_key_comes_before_the_beginning_of_a_title_and_that_before_a_word_within(index):
    index.put(ACCOUNT, name="Zeta", external_ids={"erp": "ALFA"})
    index.put(ACCOUNT, name="Alfa House")
    index.put(ACCOUNT, name="The Alfa House")
    assert index.titles("alfa") == ["Zeta", "Alfa House", "The Alfa House"]


def test_a_whole_word_comes_before_its_beginning(index):
    index.put(ACCOUNT, name="Big Berg")
    index.put(ACCOUNT, name="Big Bergstrom")
    assert index.titles("berg") == ["Big Berg", "Big Bergstrom"]


def test_a_title_weighs_more_than_a_city(index):
    index.put(ACCOUNT, name="Grand Paris Hotel")
    index.put(ACCOUNT, name="Hotel", city="Paris")
    assert index.titles("paris") == ["Grand Paris Hotel", "Hotel"]


def test_a_name_written_so_comes_before_one_that_sounds_so_and_that_before_a_word_within(index):
    index.put(ACCOUNT, name="Mr Liming")
    index.put(ACCOUNT, name="李明")
    index.put(ACCOUNT, name="Liming Trading")
    index.put(ACCOUNT, name="Liming Ltd")
    assert index.titles("liming") == ["Liming Ltd", "Liming Trading", "李明", "Mr Liming"]


def test_the_whole_name_comes_before_longer_ones_with_and_without_its_legal_form(index):
    index.put(ACCOUNT, name="Acme Foundation Inc")
    index.put(ACCOUNT, name="Acme Foundation")
    index.put(ACCOUNT, name="Acme Foundation of Ohio Inc")
    assert index.titles("acme foundation") == ["Acme Foundation", "Acme Foundation Inc", "Acme Foundation of Ohio Inc"]
    index.put(ACCOUNT, name="华为")
    index.put(ACCOUNT, name="华为技术有限公司")
    index.put(ACCOUNT, name="华为技术服务有限公司")
    assert index.titles("华为技术")[0] == "华为技术有限公司"
    assert index.titles("huaweijishu")[0] == "华为技术有限公司"
    assert index.titles("hwjs")[0] == "华为技术有限公司"


def test_among_equals_ones_own_comes_first_and_then_the_newest(index):
    index.put(ACCOUNT, name="Twin", city="Oldest", owner_id=index.suite.user_id)
    index.put(ACCOUNT, name="Twin", city="Middle", owner_id=new_id())
    index.put(ACCOUNT, name="Twin", city="Newest")
    assert [item["subtitle"] for item in index.ask("twin")["items"]] == ["Oldest", "Newest", "Middle"]


def test_ones_own_and_what_was_opened_come_before_as_many_others_as_fill_the_page(index):
    others = [{"id": new_id(), "name": "Twin", "owner_id": new_id()} for _ in range(12)]
    mine = [{"id": new_id(), "name": "Twin", "owner_id": index.suite.user_id} for _ in range(5)]
    opened = {"id": new_id(), "name": "Twin"}
    index.take(*(event(index.suite.tenant, ACCOUNT, one) for one in (*mine, opened, *others)))
    index.suite.request("search", "search.opened", {"type": "account", "id": opened["id"]})
    expected = [opened["id"], *(one["id"] for one in (*mine[::-1], *others[::-1]))]
    for size in (1, 2, 3, 5, 6, 10, 17, 18):
        pages, after = [], None
        while True:
            body = index.ask("twin", limit=size, after=after)
            assert body["facets"] == {"account": 18}, size
            pages.append([item["id"] for item in body["items"]])
            after = body["next"]
            if after is None:
                break
        assert [one for page in pages for one in page] == expected, size


def test_of_whoever_owns_nearly_all_the_best_of_others_have_their_place(index):
    mine = [{"id": new_id(), "name": f"Grove {at:03}", "owner_id": index.suite.user_id} for at in range(120)]
    foreign = {"id": new_id(), "name": "Grove", "owner_id": new_id()}
    opened = {"id": new_id(), "name": "Zebra Grove", "owner_id": new_id()}
    index.take(*(event(index.suite.tenant, ACCOUNT, one) for one in (foreign, opened, *mine)))
    index.suite.request("search", "search.opened", {"type": "account", "id": opened["id"]})
    # A whole key comes before the beginning of one, and that before a word further on, whatever was opened.
    first = [item["id"] for item in index.ask("grove", limit=3)["items"]]
    assert first == [foreign["id"], mine[-1]["id"], mine[-2]["id"]]
    assert [item["id"] for item in index.ask("zebra gro", limit=3)["items"]] == [opened["id"]]
