"""Service requests: numbered, assigned, held, resolved, reopened, closed, and seen by whom they belong to."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.errors import Problem
from chassis.ids import new_id

REQUEST = "service.request"


@pytest.fixture
def suite(suite_of):
    return suite_of("identity", "customer", "service")


def user(suite, name="nancy"):
    return suite.create("identity.user", {"name": name, "email": f"{name}@example.org"})["id"]


def request(suite, *verbs, **data):
    """A request on which these verbs were run."""
    options = {"context": data.pop("context")} if "context" in data else {}
    made = suite.create(REQUEST, {"subject": "The tea is cold", **data}, **options)
    for verb in verbs:
        made = run(suite, made, verb)
    return made


def run(suite, made, verb):
    bodies = {"assign": {"owner_id": suite.user_id}, "resolve": {"resolution": "Warmed up"}}
    return suite.run(REQUEST, made["id"], verb, bodies.get(verb))


def refusal(call, *arguments, **options):
    with pytest.raises(Problem) as refused:
        call(*arguments, **options)
    return refused.value


def test_a_request_has_its_number_from_the_beginning(suite):
    year = suite.clock.now().year
    assert [request(suite)["number"] for _ in range(2)] == [f"SR-{year}-00001", f"SR-{year}-00002"]


def test_a_request_that_is_refused_uses_no_number(suite):
    request(suite)
    assert refusal(suite.create, REQUEST, {"subject": "x", "account_id": new_id()}).code == "unknown_reference"
    assert request(suite)["number"].endswith("-00002")


def test_a_number_is_kept_through_every_change(suite):
    made = request(suite, "assign", "hold", "resume", "resolve", "reopen", "resolve", "close")
    assert (made["number"][-5:], made["status"], made["version"]) == ("00001", "closed", 8)


def test_each_verb_publishes_its_event(suite):
    request(suite, "assign", "hold", "resume", "resolve", "reopen", "resolve", "close")
    suite.settle()
    verbs = ["created", "assigned", "held", "resumed", "resolved", "reopened", "resolved", "closed"]
    assert [one["type"] for one in suite.events(REQUEST)] == [f"{REQUEST}.{verb}" for verb in verbs]


def test_assigning_gives_the_request_to_somebody(suite):
    nancy = user(suite)
    made = request(suite)
    assigned = suite.run(REQUEST, made["id"], "assign", {"owner_id": nancy})
    assert (assigned["status"], assigned["owner_id"]) == ("assigned", nancy)
    again = suite.run(REQUEST, made["id"], "assign", {"owner_id": suite.user_id})
    assert (again["status"], again["owner_id"]) == ("assigned", suite.user_id)


@pytest.mark.parametrize("body", [None, {}, {"owner_id": "nobody"}])
def test_assigning_to_nobody_is_refused(suite, body):
    assert refusal(suite.run, REQUEST, request(suite)["id"], "assign", body).status == 422


def test_assigning_to_an_unknown_user_is_refused_and_changes_nothing(suite):
    made = request(suite, "assign", "hold")
    refused = refusal(suite.run, REQUEST, made["id"], "assign", {"owner_id": new_id()})
    assert (refused.status, refused.code) == (422, "unknown_reference")
    assert suite.get(REQUEST, made["id"]) == made


OUT_OF_TURN = {
    "new": ("hold", "resume", "reopen", "close"),
    "assigned": ("resume", "reopen", "close"),
    "held": ("hold", "reopen", "close"),
    "resolved": ("assign", "hold", "resume", "resolve"),
    "closed": ("assign", "hold", "resume", "resolve", "reopen", "close"),
}
WAY = {
    "new": (),
    "assigned": ("assign",),
    "held": ("assign", "hold"),
    "resolved": ("resolve",),
    "closed": ("resolve", "close"),
}


@pytest.mark.parametrize("state", OUT_OF_TURN)
def test_a_verb_out_of_turn_is_refused_and_changes_nothing(suite, state):
    made = request(suite, *WAY[state])
    assert made["status"] == state
    for verb in OUT_OF_TURN[state]:
        refused = refusal(run, suite, made, verb)
        assert (verb, refused.status, refused.code) == (verb, 409, "wrong_state")
    assert suite.get(REQUEST, made["id"]) == made


@pytest.mark.parametrize("verb", ["resume", "resolve", "assign"])
def test_time_on_hold_is_counted_however_the_hold_ends(suite, verb):
    made = request(suite, "assign", "hold")
    assert made["held_since"] is not None
    suite.clock.forward(minutes=30)
    after = run(suite, made, verb)
    assert (after["held_since"], 1800 <= after["held_seconds"] <= 1802) == (None, True)


def test_time_on_hold_adds_up_and_time_at_work_does_not_count(suite):
    made = request(suite, "assign")
    for verb in ("hold", "resume", "hold", "resolve"):
        made = run(suite, made, verb)
        suite.clock.forward(minutes=10)
    assert 1200 <= made["held_seconds"] <= 1204


def test_a_clock_that_stands_behind_makes_no_negative_time_on_hold(suite):
    made = request(suite, "assign", "hold")
    suite.clock.forward(minutes=-5)
    assert run(suite, made, "resume")["held_seconds"] == 0


def test_a_request_never_held_has_no_time_on_hold(suite):
    made = request(suite, "assign")
    suite.clock.forward(hours=1)
    assert run(suite, made, "resolve")["held_seconds"] == 0


def test_resolving_says_how_and_when(suite):
    made = request(suite, "resolve")
    assert (made["status"], made["resolution"]) == ("resolved", "Warmed up")
    resolved_at = dt.datetime.fromisoformat(made["resolved_at"])
    assert abs(suite.clock.now() - resolved_at) < dt.timedelta(seconds=10)


@pytest.mark.parametrize("body", [None, {}, {"resolution": " "}])
def test_resolving_without_a_resolution_is_refused(suite, body):
    made = request(suite)
    assert refusal(suite.run, REQUEST, made["id"], "resolve", body).status == 422
    assert suite.get(REQUEST, made["id"])["status"] == "new"


def test_reopening_is_counted_and_takes_the_time_of_resolving_back(suite):
    made = request(suite, "resolve", "reopen")
    assert (made["status"], made["reopened"], made["resolved_at"], made["resolution"]) == (
        "assigned",
        1,
        None,
        "Warmed up",
    )
    assert run(suite, run(suite, made, "resolve"), "reopen")["reopened"] == 2


def test_a_closed_request_is_neither_edited_nor_deleted(suite):
    made = request(suite, "resolve", "close")
    assert refusal(suite.update, REQUEST, made["id"], {"subject": "Other"}).code == "wrong_state"
    assert refusal(suite.call, "service", "record.delete", {"record": REQUEST, "id": made["id"]}).code == "wrong_state"


@pytest.mark.parametrize("field", ["number", "status", "resolution", "held_seconds", "reopened", "resolved_at"])
def test_what_verbs_write_is_not_written_by_hand(suite, field):
    assert refusal(suite.create, REQUEST, {"subject": "x", field: "1"}).status == 422


def test_a_contact_brings_its_account(suite):
    account = suite.create("customer.account", {"name": "Tea House"})["id"]
    contact = suite.create("customer.contact", {"name": "Ada", "account_id": account})["id"]
    assert request(suite, contact_id=contact)["account_id"] == account
    assert request(suite, contact_id=contact, account_id=account)["contact_id"] == contact


def test_a_contact_of_another_account_is_refused(suite):
    one, two = (suite.create("customer.account", {"name": name})["id"] for name in ("One", "Two"))
    contact = suite.create("customer.contact", {"name": "Ada", "account_id": one})["id"]
    assert refusal(request, suite, contact_id=contact, account_id=two).errors[0]["field"] == "contact_id"
    made = request(suite, contact_id=contact)
    assert refusal(suite.update, REQUEST, made["id"], {"account_id": two}).status == 422
    assert suite.update(REQUEST, made["id"], {"account_id": two, "contact_id": None})["account_id"] == two


def test_a_contact_without_an_account_fits_every_request(suite):
    account = suite.create("customer.account", {"name": "Tea House"})["id"]
    contact = suite.create("customer.contact", {"name": "Ada"})["id"]
    assert request(suite, contact_id=contact)["account_id"] is None
    assert request(suite, contact_id=contact, account_id=account)["account_id"] == account


@pytest.mark.parametrize("field", ["account_id", "contact_id"])
def test_a_reference_to_nothing_is_refused(suite, field):
    refused = refusal(request, suite, **{field: new_id()})
    assert (refused.status, refused.code, refused.errors[0]["field"]) == (422, "unknown_reference", field)


def test_own_requests_are_seen_and_worked_on_and_those_of_others_are_not(suite):
    own = {REQUEST: {"*": "own"}}
    mine = suite.context(grants=own, user_id=user(suite, "mine"))
    theirs = suite.context(grants=own, user_id=user(suite, "theirs"))
    made = request(suite, context=mine)
    assert suite.list(REQUEST, context=mine) == [made]
    assert suite.list(REQUEST, context=theirs) == []
    assert refusal(suite.run, REQUEST, made["id"], "resolve", {"resolution": "x"}, context=theirs).status == 404
    assert suite.get(REQUEST, made["id"])["status"] == "new"


def test_a_team_sees_its_requests_and_does_what_it_was_granted(suite):
    team = suite.create("identity.team", {"name": "Support"})["id"]
    grants = {REQUEST: {"read": "team", "create": "own", "resolve": "team", "close": "own"}}
    mine = suite.context(grants=grants, teams=[team], user_id=user(suite, "mine"))
    colleague = suite.context(grants=grants, teams=[team], user_id=user(suite, "colleague"))
    made = request(suite, context=mine)
    resolved = suite.run(REQUEST, made["id"], "resolve", {"resolution": "Done"}, context=colleague)
    assert resolved["status"] == "resolved"
    assert refusal(suite.run, REQUEST, made["id"], "close", context=colleague).status == 403
    assert suite.run(REQUEST, made["id"], "close", context=mine)["status"] == "closed"
