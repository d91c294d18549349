"""Saved views of lists and saved searches: what they may name, and who sees them."""

from __future__ import annotations

from chassis.database import Work
from chassis.errors import invalid
from chassis.records import Store
from contracts import search
from contracts.records import Record
from contracts.registry import registry
from services.identity.models import View

views = Store(View)
SEARCH = "search"
LISTED = ("columns", "sort", "group_by")


@views.computes
def it_names_what_there_is(view: View, work: Work) -> None:
    if view.applies_to == SEARCH:
        _it_can_be_asked(view)
        return
    record = registry.collections.get(view.applies_to)
    if record is None:
        raise invalid({"applies_to": "There is no such collection."})
    for name in ("columns", "group_by"):
        for index, column in enumerate(getattr(view, name) or ()):
            if not _known(record, column):
                raise invalid({f"{name}.{index}": "There is no such field."})
    for part in (view.sort or "").split(",") if view.sort else ():
        if not _known(record, part.removeprefix("-")):
            raise invalid({"sort": f"{part.removeprefix('-')} is not a field."})


def _it_can_be_asked(view: View) -> None:
    """A saved search keeps its question `{q, types, filters}` as its filter, and has nothing of a list."""
    errors = {name: "A saved search has only a filter." for name in LISTED if getattr(view, name)}
    found = search.check(view.where)
    errors |= {f"where.{name}".rstrip("."): message for name, message in found.items()}
    if not errors and not view.where:
        errors = {"where": "A question has q, types and filters."}
    if errors:
        raise invalid(errors)


def _known(record: type[Record], name: str) -> bool:
    """A field, one behind a reference (`account.city`), or a custom one, which may come and go."""
    first, dot, rest = name.partition(".")
    if first == "custom" and rest:
        return True
    if not dot:
        return name in record.declared()
    reference = record.declared().get(f"{first}_id")
    target = registry.records.get(getattr(reference, "target", None) or "")
    return target is not None and rest in target.declared()


@views.computes
def unshared_it_is_its_owners_alone(view: View, work: Work) -> None:
    """Everybody may read what belongs to his team, so what is not shared belongs to none."""
    if not view.shared:
        view.team_id = None
    elif view.team_id is None:
        if not work.context.teams:
            raise invalid({"team_id": "A shared view needs a team."})
        view.team_id = work.context.teams[0]
