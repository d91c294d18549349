"""Two writers at once: nothing is lost, and only what both changed is a clash."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.records.patching import merge_parts, merge_patch
from chassis.tests.given import PROPERTY, at_once
from contracts.pipelines import Pipeline

STAGES = Pipeline.declared()["stages"]
FIELDS = ("name", "probability")
CLASH = "clash"

_part = st.fixed_dictionaries({"name": st.sampled_from("abc"), "probability": st.sampled_from(["1", "2"])})
_edit = st.one_of(
    st.just("remove"), st.just("keep"), st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["x", "y"]))
)


def _edited(base: list[Any], edits: list[Any], added: list[Any], new: str) -> list[Any]:
    kept = [
        part if edit == "keep" else {**part, **edit} for part, edit in zip(base, edits, strict=True) if edit != "remove"
    ]
    return kept + [{"id": f"{new}{index}", **part} for index, part in enumerate(added)]


def _model(base: list[Any], mine: list[Any], theirs: list[Any]) -> Any:
    """The same rule, written cell by cell: a table of (line, field) where each side sets, removes or leaves a cell."""

    def cells(parts: list[Any]) -> dict[tuple[str, str], Any]:
        return {(part["id"], name): part[name] for part in parts for name in FIELDS}

    before, ours, other = cells(base), cells(mine), cells(theirs)
    result: dict[str, dict[str, Any]] = {}
    for line in {key for key, _ in (*before, *ours, *other)}:
        existed, here, there = ((line, "name") in side for side in (before, ours, other))
        if existed and not (here and there):
            survivor = ours if here else other if there else None
            if survivor is not None and any(survivor[line, name] != before[line, name] for name in FIELDS):
                return CLASH
            continue
        result[line] = {}
        for name in FIELDS:
            key = (line, name)
            options = {side[key] for side in (ours, other) if key in side and side[key] != before.get(key)}
            if len(options) > 1:
                return CLASH
            result[line][name] = options.pop() if options else before[key]
    return result


@PROPERTY
@given(data=st.data(), base=st.lists(_part, max_size=4))
def test_lines_merge_cell_by_cell_or_clash(data: Any, base: Any) -> None:
    base = [{"id": f"b{index}", **part} for index, part in enumerate(base)]
    sides = []
    for new in ("m", "t"):
        edits = data.draw(st.lists(_edit, min_size=len(base), max_size=len(base)))
        sides.append(_edited(base, edits, data.draw(st.lists(_part, max_size=2)), new))
    merged = merge_parts(base, sides[0], sides[1], STAGES)
    expected = _model(base, *sides)
    if expected == CLASH:
        assert merged is None
    else:
        assert merged is not None
        assert {part["id"]: {name: part[name] for name in FIELDS} for part in merged} == expected


def test_new_lines_of_both_stay_and_a_field_that_was_not_sent_is_not_changed() -> None:
    base = [{"id": "b", "name": "a", "probability": "1"}]
    theirs = [{"id": "b", "name": "z", "probability": "1"}, {"id": "t", "name": "t", "probability": "2"}]
    mine = [{"id": "b", "probability": "5"}, {"name": "m"}]
    assert merge_parts(base, mine, theirs, STAGES) == [
        {"id": "b", "name": "z", "probability": "5"},
        {"id": "t", "name": "t", "probability": "2"},
        {"name": "m"},
    ]


@pytest.mark.parametrize("mine", ["x", [1], [{"id": 5}], [{"id": "b"}, {"id": "b"}]])
def test_lines_that_are_not_lines_never_merge(mine: Any) -> None:
    assert merge_parts([{"id": "b", "name": "a"}], mine, [{"id": "b", "name": "z"}], STAGES) is None


_json = st.recursive(
    st.one_of(st.integers(0, 3), st.sampled_from("ab")), lambda inner: st.dictionaries(st.sampled_from("xyz"), inner)
)


@PROPERTY
@given(target=_json, patch=st.recursive(st.one_of(st.none(), st.integers(0, 3)), lambda inner: st.dictionaries(st.sampled_from("xyz"), inner)))  # fmt: skip  # noqa: E501
def test_a_merge_patch_sets_what_it_names_and_leaves_the_rest(target: Any, patch: Any) -> None:
    merged = merge_patch(target, patch)
    if not isinstance(patch, dict):
        assert merged == patch
        return
    before = target if isinstance(target, dict) else {}
    assert set(merged) == (set(before) | set(patch)) - {name for name, value in patch.items() if value is None}
    for name in merged:
        assert merged[name] == (merge_patch(before.get(name), patch[name]) if name in patch else before[name])
    assert merge_patch(merged, patch) == merged


@pytest.mark.parametrize("seed", range(8))
def test_of_two_writers_at_once_none_is_lost_and_none_refused_without_a_clash(suite_of: Any, seed: int) -> None:
    """Both start from version 1, in either order. The second passes if, and only if, the fields differ."""
    suite, dice = suite_of("customer"), random.Random(seed)
    fields = ["industry", "source", "phone", "fax", "website"]
    made = suite.create("customer.account", {"name": "Alpha"})
    patches = [
        {name: f"{writer} {name}" for name in dice.sample(fields, dice.randint(1, 3))} for writer in ("first", "second")
    ]

    def write(patch: Any) -> Any:
        return lambda: suite.update("customer.account", made["id"], patch, if_match="1")

    answers = at_once(*map(write, patches))
    final = suite.get("customer.account", made["id"])
    accepted = [patch for patch, answer in zip(patches, answers, strict=True) if not isinstance(answer, Problem)]
    refusals = [answer for answer in answers if isinstance(answer, Problem)]
    common = set(patches[0]) & set(patches[1])
    assert len(refusals) == (1 if common else 0), answers
    assert all(problem.status == 412 for problem in refusals)
    assert final["version"] == 1 + len(accepted)
    for patch in accepted:
        assert {name: final[name] for name in patch} == patch


def test_writers_without_a_version_take_turns(suite_of: Any) -> None:
    suite = suite_of("customer")
    made = suite.create("customer.account", {"name": "Alpha", "payment_days": 0})
    accounts = suite.runtime("customer").stores["customer.account"]

    def more() -> None:
        with suite.work("customer") as work:
            accounts.change(work, made["id"], lambda one: setattr(one, "payment_days", one.payment_days + 1))

    assert at_once(*[more] * 8) == [None] * 8
    assert suite.get("customer.account", made["id"])["payment_days"] == 8


def test_of_two_who_claim_at_once_one_wins(suite_of: Any) -> None:
    suite = suite_of("customer")
    made = suite.create("customer.account", {"name": "Alpha"})
    suite.run("customer.account", made["id"], "release")
    people = [suite.context(user_id=user) for user in (suite.user_id, made["id"])]
    answers = at_once(
        *[lambda who=who: suite.run("customer.account", made["id"], "claim", context=who) for who in people]
    )
    assert sorted(getattr(answer, "code", "won") for answer in answers) == ["account_owned", "won"]
