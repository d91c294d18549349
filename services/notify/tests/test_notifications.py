import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.notify.tests.helpers import publish, user


@pytest.fixture
def suite(suite_of):
    return suite_of("notify")


def told(suite, user_id=None):
    where = [] if user_id is None else [["user_id", "eq", user_id]]
    return [(one["user_id"], one["title"]) for one in suite.list("notify.notification", *where)]


@pytest.mark.parametrize(
    ("kind", "data", "title"),
    [
        ("sales.order.confirmed", {"number": "SO-1"}, "Order SO-1 was confirmed"),
        (
            "sales.order.rejected",
            {"number": "SO-2", "reason": "stock"},
            "Order SO-2 was rejected: not enough stock",
        ),
        ("sales.order.shipped", {"number": "SO-3"}, "Order SO-3 was shipped"),
        ("customer.account.transferred", {"name": "Bo"}, "The account Bo is now yours"),
        (
            "service.request.assigned",
            {"number": "SR-1", "subject": "Leak"},
            "Service request SR-1 was assigned to you: Leak",
        ),
        ("marketing.campaign.launched", {"name": "Spring"}, "The campaign Spring has started"),
    ],
)
def test_the_owner_is_told_once_in_plain_words(suite, kind, data, title):
    nancy = user(suite)
    event = publish(suite, kind, {**data, "owner_id": nancy})
    suite.settle()
    (one,) = suite.list("notify.notification")
    assert (one["owner_id"], one["user_id"], one["title"]) == (nancy, nancy, title)
    assert (one["about"], one["status"], one["team_id"]) == (event["subject"], "unread", None)
    assert len(suite.events("notify.notification.created")) == 1
    assert suite.dead() == []


def test_a_user_reads_in_his_language(suite):
    li = user(suite, locale="zh-CN")
    publish(suite, "sales.order.rejected", {"number": "SO-1", "reason": "credit", "owner_id": li})
    suite.settle()
    assert told(suite) == [(li, "订单 SO-1 已被拒绝：超出信用额度")]


def test_the_explanation_of_a_rejection_is_the_text(suite):
    nancy = user(suite)
    data = {"number": "SO-1", "reason": "stock", "reason_detail": "Chai: 3 of 5", "owner_id": nancy}
    publish(suite, "sales.order.rejected", data)
    assert [one["body"] for one in suite.list("notify.notification")] == ["Chai: 3 of 5"]


def test_each_event_is_told_even_of_the_same_order(suite):
    nancy, order = user(suite), new_id()
    for version, kind in enumerate(("confirmed", "shipped"), 2):
        data = {"id": order, "version": version, "number": "SO-1", "owner_id": nancy}
        publish(suite, f"sales.order.{kind}", data)
    suite.settle()
    assert len(told(suite)) == 2


def test_nobody_is_told_of_what_has_no_owner(suite):
    user(suite, gets_copies=True)
    publish(suite, "sales.order.confirmed", {"number": "SO-1"})
    publish(suite, "customer.account.transferred", {"name": "Bo"})
    assert told(suite) == []


def test_nobody_is_told_of_an_account_that_was_erased_before_the_news_of_it_came(suite):
    publish(suite, "customer.account.transferred", {"owner_id": user(suite)})
    assert told(suite) == []
    assert suite.dead() == []


def test_imported_orders_tell_nobody(suite):
    publish(suite, "sales.order.imported", {"number": "SO-1", "owner_id": user(suite)})
    assert told(suite) == []


def test_whoever_gets_copies_is_told_what_owners_are_told(suite):
    nancy, admin = user(suite), user(suite, gets_copies=True)
    user(suite, gets_copies=True, status="inactive")
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": nancy})
    assert {who for who, _ in told(suite)} == {nancy, admin}


def test_an_owner_who_gets_copies_is_told_once(suite):
    admin = user(suite, gets_copies=True)
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": admin})
    assert len(told(suite)) == 1


def test_a_launched_campaign_is_told_to_the_active_members_of_its_team(suite):
    team = new_id()
    one, two = user(suite, member_of=[team]), user(suite, member_of=[new_id(), team])
    user(suite, member_of=[team], status="inactive")
    owner = user(suite)
    publish(suite, "marketing.campaign.launched", {"name": "Spring", "team_id": team, "owner_id": owner})
    assert {who for who, _ in told(suite)} == {one, two}


def test_an_event_that_overtakes_its_user_waits_for_him(suite):
    nancy = new_id()
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": nancy})
    assert told(suite) == []
    user(suite, id=nancy)
    suite.settle()
    assert told(suite) == [(nancy, "Order SO-1 was confirmed")]


def test_a_deleted_user_is_told_nothing_and_nothing_is_stuck(suite):
    nancy = user(suite)
    publish(suite, "identity.user.deleted", {"id": nancy, "version": 2, "deleted_at": "2026-01-02T03:04:05Z"})
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": nancy})
    suite.settle()
    assert told(suite) == []
    assert suite.dead() == []


def test_a_long_name_is_cut_to_the_length_of_a_title(suite):
    publish(suite, "customer.account.transferred", {"name": "x" * 400, "owner_id": user(suite)})
    assert len(suite.list("notify.notification")[0]["title"]) == 300


def test_reading_notes_when_and_happens_once(suite):
    nancy = user(suite)
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": nancy})
    (one,) = suite.list("notify.notification")
    read = suite.run("notify.notification", one["id"], "read")
    assert (read["status"], read["read_at"] is not None) == ("read", True)
    with pytest.raises(Problem) as refused:
        suite.run("notify.notification", one["id"], "read")
    assert refused.value.code == "wrong_state"


def test_people_see_and_make_their_own_notifications_only(suite):
    nancy, bob = user(suite), user(suite)
    own = {"notify.notification": {"*": "own"}}
    mine = suite.context(user_id=nancy, grants=own)
    made = suite.create("notify.notification", {"user_id": nancy, "title": "Call Bo"}, context=mine)
    assert made["owner_id"] == nancy
    with pytest.raises(Problem) as refused:
        suite.create("notify.notification", {"user_id": bob, "title": "Do my work"}, context=mine)
    assert refused.value.status == 403
    theirs = suite.context(user_id=bob, grants=own)
    assert suite.list("notify.notification", context=theirs) == []
    with pytest.raises(Problem) as hidden:
        suite.run("notify.notification", made["id"], "read", context=theirs)
    assert hidden.value.status == 404


def test_whoever_may_create_all_tells_others_and_they_own_it(suite):
    nancy, bob = user(suite), user(suite)
    boss = suite.context(user_id=bob, grants={"notify.notification": {"*": "all"}})
    made = suite.create("notify.notification", {"user_id": nancy, "title": "Well done"}, context=boss)
    assert made["owner_id"] == nancy
