"""What a principal may find, by record and by field: decided here once for every kind of question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chassis.context import Context
from chassis.permissions import hidden, scope
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

    def having(self, facets: Iterable[str]) -> Visible:
        """Only the records that have all these facets, where none of them is hidden: what can be narrowed by them."""
        wanted, known = set(facets), searchables()
        if not wanted:
            return self

        def left(records: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(
                one
                for one in records
                if wanted <= set(known[one].facets) and wanted.isdisjoint(self.hidden.get(one, ()))
            )

        return replace(self, everything=left(self.everything), own=left(self.own), team=left(self.team))


def visible(context: Context, records: Iterable[str]) -> Visible:
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
        concealed,
    )
