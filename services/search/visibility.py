"""What a principal may find, by record and by field: decided here once for every kind of question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from chassis.context import Context
from chassis.permissions import hidden, scope
from contracts.custom import PREFIX
from contracts.registry import registry
from contracts.search import Custom, narrowing_fields
from services.search.mapping import searchables


@dataclass(frozen=True)
class Visible:
    """Records by the scope in which the principal reads them, and the fields of theirs that are hidden from it."""

    user_id: str | None
    teams: tuple[str, ...]
    everything: tuple[str, ...]
    own: tuple[str, ...]
    team: tuple[str, ...]
    hidden: dict[str, frozenset[str]]

    @property
    def records(self) -> tuple[str, ...]:
        return (*self.everything, *self.own, *self.team)

    def titled(self) -> tuple[str, ...]:
        """Records whose title may be seen, and so may be compared with what was typed."""
        known = searchables()
        return tuple(
            record for record in self.records if known[record].title not in self.hidden.get(record, frozenset())
        )

    def having(self, fields: Iterable[str], custom: Custom) -> Visible:
        """Only the records that have all these fields, where none of them is hidden: what can be narrowed by them.

        `custom` are the custom fields by type, without those that are hidden."""
        wanted = set(fields)
        if not wanted:
            return self

        def has(record: str) -> bool:
            kind = searchables()[record].type
            narrowing = narrowing_fields()
            return all(kind in narrowing.get(name, ()) or name in custom.get(kind, ()) for name in wanted)

        def left(records: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(one for one in records if has(one) and wanted.isdisjoint(self.hidden.get(one, ())))

        return replace(self, everything=left(self.everything), own=left(self.own), team=left(self.team))


def visible(runtime: Any, context: Context, records: Iterable[str]) -> Visible:
    """The part of these records that the principal may read."""
    by_scope: dict[str, list[str]] = {"all": [], "own": [], "team": [], "none": []}
    for record in sorted(records):
        by_scope[scope(context, record, "read")].append(record)
    readable = (*by_scope["all"], *by_scope["own"], *by_scope["team"])
    concealed = {record: fields for record in readable if (fields := hidden(context, record))}
    return Visible(
        context.user_id,
        context.teams,
        tuple(by_scope["all"]),
        tuple(by_scope["own"]),
        tuple(by_scope["team"]),
        {record: _each_custom(runtime, context, record, fields) for record, fields in concealed.items()},
    )


def _each_custom(runtime: Any, context: Context, record: str, fields: frozenset[str]) -> frozenset[str]:
    """Whoever may see no custom field at all may see none of them: each is named, as it is in the index."""
    if "custom" not in fields:
        return fields
    with runtime.database.reading(context) as work:
        known = runtime.definitions.fields(work, registry.records[record].collection).wires
    return fields | {PREFIX + name for name in known}
