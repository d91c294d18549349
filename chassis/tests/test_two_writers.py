"""Two people and a background writer at once, on random fields: no update is lost, and no clash is made up."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.tests.given import PROPERTY, at_once

ACCOUNT, PIPELINE = "customer.account", "sales.pipeline"
LEAVES = (
    "industry", "source", "phone", "address.city", "address.street", "address.country", "external_ids.erp",
    "external_ids.shop",
)  # fmt: skip
_edit = st.dictionaries(st.sampled_from(LEAVES), st.sampled_from(["1", "2", None]), min_size=1, max_size=4)


def _document(leaves: dict[str, Any]) -> dict[str, Any]:
    """`{"address.city": "1"}` as a merge patch."""
    patch: dict[str, Any] = {}
    for path, value in leaves.items():
        name, dot, member = path.partition(".")
        if dot:
            patch.setdefault(name, {})[member] = value
        else:
            patch[name] = value
    return patch


def _leaf(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = (document or {}).get(name)
    return document


@PROPERTY
@given(first=_edit, second=_edit)
def test_two_writers_of_random_fields_lose_nothing_and_clash_only_where_they_differ(
    suite_of: Any, first: Any, second: Any
) -> None:
    suite = suite_of("customer")
    number = suite.tenant[-12:]
    edits = [{path: value and f"{value} {number}" for path, value in edit.items()} for edit in (first, second)]
    made = suite.create(
        ACCOUNT, {"name": "Alpha", "payment_days": 0, **_document(dict.fromkeys(LEAVES, f"0 {number}"))}
    )
    accounts = suite.runtime("customer").stores[ACCOUNT]

    def write(edit: Any) -> Any:
        return lambda: suite.update(ACCOUNT, made["id"], _document(edit), if_match="1")

    def in_the_background() -> None:
        with suite.work("customer") as work:
            accounts.change(work, made["id"], lambda one: setattr(one, "payment_days", one.payment_days + 1))

    answers = at_once(*map(write, edits), in_the_background)
    final = suite.get(ACCOUNT, made["id"])
    accepted = [edit for edit, answer in zip(edits, answers, strict=False) if not isinstance(answer, Problem)]
    refusals = [answer for answer in answers if isinstance(answer, Exception)]
    differing = {path for path in set(edits[0]) & set(edits[1]) if edits[0][path] != edits[1][path]}
    assert len(refusals) == (1 if differing else 0), refusals
    expected = dict.fromkeys(LEAVES, f"0 {number}")
    for edit in accepted:
        expected |= edit
    assert {path: _leaf(final, path) for path in LEAVES} == expected
    assert final["payment_days"] == 1
    for refusal in refusals:
        assert (refusal.status, refusal.code) == (412, "version_conflict")
        assert {error["field"] for error in refusal.errors} == differing
        (winner,) = accepted
        (loser,) = [edit for edit in edits if edit is not winner]
        assert refusal.extra["base"] == dict.fromkeys(differing, f"0 {number}")
        assert refusal.extra["mine"] == {path: loser[path] for path in differing}
        assert refusal.extra["theirs"] == {path: winner[path] for path in differing}


_lines = st.dictionaries(
    st.integers(0, 2),
    st.dictionaries(st.sampled_from(["name", "probability"]), st.sampled_from(["1", "2"]), min_size=1),
)


@PROPERTY
@given(first=_lines, second=_lines, added=st.tuples(st.booleans(), st.booleans()))
def test_two_writers_of_random_lines_lose_nothing_and_clash_only_where_they_differ(
    suite_of: Any, first: Any, second: Any, added: Any
) -> None:
    suite = suite_of("sales")
    made = suite.create(
        PIPELINE, {"name": "Usual", "stages": [{"name": f"S{number}", "probability": "0"} for number in range(3)]}
    )
    edits = (first, second)

    def write(index: int) -> Any:
        stages = [
            {
                "id": stage["id"],
                "name": stage["name"],
                "probability": stage["probability"],
                **edits[index].get(place, {}),
            }
            for place, stage in enumerate(made["stages"])
        ]
        more = [{"name": f"new {index}", "probability": "5"}] if added[index] else []
        return lambda: suite.update(PIPELINE, made["id"], {"stages": stages + more}, if_match="1")

    answers = at_once(write(0), write(1))
    cells = [{(place, name): value for place, cell in edit.items() for name, value in cell.items()} for edit in edits]
    differing = {cell for cell in set(cells[0]) & set(cells[1]) if cells[0][cell] != cells[1][cell]}
    refusals = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refusals) == (1 if differing else 0), refusals
    expected = {(place, name): made["stages"][place][name] for place in range(3) for name in ("name", "probability")}
    news = set()
    for index, answer in enumerate(answers):
        if not isinstance(answer, Exception):
            expected |= cells[index]
            news |= {f"new {index}"} if added[index] else set()
    final = suite.get(PIPELINE, made["id"])["stages"]
    assert {(place, name): final[place][name] for place, name in expected} == expected
    assert {stage["name"] for stage in final[3:]} == news
    assert [stage["id"] for stage in final[:3]] == [stage["id"] for stage in made["stages"]]
