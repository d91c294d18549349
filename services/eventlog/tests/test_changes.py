import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.eventlog.tests.helpers import deliver, event


@pytest.fixture
def suite(suite_of):
    return suite_of("eventlog")


def changes(suite, after=None, limit=50, record="customer.account", **options):
    params = {"record": record, "after": after, "limit": limit}
    return suite.call("eventlog", "record.changes", params, **options)


def account(suite, version=1, kind="updated", **data):
    return event(suite, f"customer.account.{kind}", version=version, **data)


def test_each_record_comes_once_in_its_latest_version(suite):
    one, two = new_id(), new_id()
    deliver(
        suite,
        account(suite, 1, "created", id=one, name="A"),
        account(suite, 1, "created", id=two, name="B"),
        event(suite, "sales.order.placed"),
        account(suite, 2, id=one, name="A2"),
    )
    page = changes(suite)
    assert [(item["id"], item["version"], item["record"]["name"]) for item in page["items"]] == [
        (two, 1, "B"),
        (one, 2, "A2"),
    ]
    assert not {"changed", "previous"} & set(page["items"][0]["record"])
    assert changes(suite, page["next"]) == {"items": [], "next": page["next"]}


def test_a_deleted_record_is_a_tombstone(suite):
    gone = new_id()
    deliver(
        suite,
        account(suite, 1, "created", id=gone, name="A"),
        account(suite, 2, "deleted", id=gone, name="A", deleted_at="2026-01-02T03:04:05Z"),
    )
    (item,) = changes(suite)["items"]
    assert (item["id"], item["version"], item["deleted"], item["record"]) == (gone, 2, True, None)


def test_a_version_that_arrives_late_is_not_given_over_a_newer_one(suite):
    one = new_id()
    deliver(suite, account(suite, 3, id=one, name="new"))
    first = changes(suite)
    deliver(suite, account(suite, 2, id=one, name="old"))
    assert [item["version"] for item in first["items"]] == [3]
    assert changes(suite, first["next"])["items"] == []
    assert [item["version"] for item in changes(suite)["items"]] == [3]


def test_pages_together_rebuild_the_present_state(suite):
    state = {}
    for round_ in range(1, 5):
        for index in range(6):
            if (index + round_) % 3:
                record_id = f"0199a1b2-c3d4-7e5f-8a6b-00000000000{index}"
                version = state.get(record_id, (0, ""))[0] + 1
                state[record_id] = (version, f"{index}/{round_}")
                deliver(suite, account(suite, version, id=record_id, name=f"{index}/{round_}"))
    synchronised, after = {}, "0"
    while True:
        page = changes(suite, after, limit=2)
        for item in page["items"]:
            synchronised[item["id"]] = (item["version"], item["record"]["name"])
        if page["next"] == after:
            break
        after = page["next"]
    assert synchronised == state


def test_only_what_may_be_read_is_synchronised_without_hidden_fields(suite):
    me = new_id()
    deliver(suite, account(suite, name="mine", owner_id=me, phone="1"), account(suite, name="theirs"))
    context = suite.context(
        user_id=me, grants={"customer.account": {"read": "own"}}, masks={"customer.account": {"hidden": ["phone"]}}
    )
    page = changes(suite, context=context)
    assert [item["record"]["name"] for item in page["items"]] == ["mine"]
    assert "phone" not in page["items"][0]["record"]
    assert page["next"] == "2"
    with pytest.raises(Problem) as refused:
        changes(suite, context=suite.context(grants={"sales.order": {"read": "all"}}))
    assert refused.value.status == 403


@pytest.mark.parametrize("params", [{"after": "x"}, {"after": -1}, {"limit": 201}, {"limit": 0}])
def test_a_cursor_or_limit_out_of_bounds_is_400(suite, params):
    with pytest.raises(Problem) as refused:
        changes(suite, **params)
    assert refused.value.status == 400


@pytest.mark.parametrize("record", ["inventory.stock-level", "nobody.nothing", None])
def test_a_collection_without_changes_is_404(suite, record):
    with pytest.raises(Problem) as refused:
        changes(suite, record=record)
    assert refused.value.status == 404
