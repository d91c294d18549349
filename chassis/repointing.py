"""Leading references over after a merge, and back: a saga that asks every service which holds any, batch by batch.

merge ─▶ mark the losers in every service ─▶ lead references over, service by service ─▶ done
unmerge ─▶ let them live again in every service ─▶ lead back what was led over ─▶ done

Marks come first, so that a service that hears of a reference that was led knows already whom it means. Every batch is
one transaction of at most 500 records, each with its version and its event, cause `merge:<id>`. Where to go on travels
with the ask and the reply, so that a batch is done once, whatever dies in between.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from chassis import saga
from chassis.ids import FIRST_ID
from chassis.records import Store, merging, survivors
from chassis.records.survivors import exchange, note, part_key
from chassis.saga import RETRIABLE, Saga, Step
from contracts.children import KINDS
from contracts.merging import ASKS, Place, holders

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
BATCH = 500
# References that cannot be reached are asked for again until they can; an operator sees the saga meanwhile.
DEADLINE = dt.timedelta(days=7)
Carry = Callable[[str, list[str], str, "Work"], Any]


def _name(store: Store[Any], back: bool) -> str:
    return f"{'unmerge' if back else 'merge'}_{store.record.singular.replace('-', '_')}"


def sagas(store: Store[Any]) -> Iterator[Saga]:
    """The two sagas of a record that merges."""
    # The records' own service always has some: their notes and attachments.
    holding = {store.record.service, *(record.service for record, _ in holders(store.name))}
    for back in (False, True):
        steps = [
            _step(store, service, mark, back)
            for mark in (True, False)
            for service in ASKS
            if service in holding and not (mark and service == store.record.service)
        ]
        steps.append(Step("finish", does=_finished(back), kind=RETRIABLE))
        yield Saga(_name(store, back), store, tuple(steps), deadline=DEADLINE)


def _step(store: Store[Any], service: str, mark: bool, back: bool) -> Step:
    def body(winner: Any, data: JSON) -> JSON:
        return {
            "merge_id": data["merge_id"],
            "record": store.name,
            "winner_id": winner.id,
            "losers": data["losers"],
            "mark": mark,
            "back": back,
            "place": data["place"],
            "after": data["after"],
        }

    def go_on(winner: Any, reply: JSON, data: JSON, work: Work) -> None:
        data["place"], data["after"] = (reply["place"], reply["after"]) if reply["more"] else (0, None)
        if not back:
            work.later(
                "UPDATE merges SET moved = moved + %s WHERE tenant_id = %s AND id = %s",
                (reply["moved"], work.tenant, data["merge_id"]),
            )

    what = {(True, False): "mark", (True, True): "revive", (False, False): "lead over", (False, True): "lead back"}
    return Step(
        f"{what[mark, back]} in {service}",
        asks=ASKS[service],
        body=body,
        then=go_on,
        again=lambda reply: bool(reply["more"]),
        kind=RETRIABLE,
    )


def _finished(back: bool) -> Callable[[Any, JSON, Work], None]:
    def finish(winner: Any, data: JSON, work: Work) -> None:
        work.later(
            "UPDATE merges SET state = %s WHERE tenant_id = %s AND id = %s",
            ("unmerged" if back else "merged", work.tenant, data["merge_id"]),
        )

    return finish


def merge(work: Work, store: Store[Any], record_id: str, body: JSON, if_match: str | None = None) -> tuple[Any, str]:
    """Merge in this transaction and set off the saga. Returns the survivor and the id of the merge."""
    winner, merge_id = merging.merge(work, store, record_id, body, if_match)
    _start(work, store, winner, merge_id, back=False)
    return winner, merge_id


def unmerge(work: Work, store: Store[Any], record_id: str, body: JSON, if_match: str | None = None) -> tuple[Any, str]:
    winner, merge_id = merging.unmerge(work, store, record_id, body, if_match)
    _start(work, store, winner, merge_id, back=True)
    return winner, merge_id


def _start(work: Work, store: Store[Any], winner: Any, merge_id: str, *, back: bool) -> None:
    rows = work.sql(
        f'SELECT id, version FROM "{store.table}" WHERE tenant_id = %s AND id IN'
        " (SELECT (jsonb_array_elements_text(losers))::uuid FROM merges WHERE tenant_id = %s AND id = %s) ORDER BY id",
        (work.tenant, work.tenant, merge_id),
    )
    losers = [{"id": row.id, "version": row.version} for row in rows]
    data = {"merge_id": merge_id, "losers": losers, "place": 0, "after": None}
    saga.start(work, work.service.sagas[_name(store, back)], winner, data)


# --- in every service that holds references


def repoint(request: Any, work: Work) -> JSON:
    """Mark the losers here or let them live again, or do one batch."""
    work.context = work.context.caused_by(f"merge:{request.merge_id}", work.context.causation_id)
    if request.mark:
        (_unmark if request.back else _mark)(request, work)
        return {"moved": 0, "more": False, "place": 0, "after": None}
    return _back(request, work) if request.back else _over(request, work)


def _carry(request: Any, work: Work, index: int) -> None:
    pair = work.service.definition.carries.get(request.record)
    if pair is not None:
        pair[index](request.winner_id, [loser.id for loser in request.losers], request.merge_id, work)


def _mark(request: Any, work: Work) -> None:
    survivors.fence_alone(work)
    for loser in request.losers:
        merging.mark(work, request.record, loser.id, request.winner_id, request.merge_id)
        # The copy is what checks of references ask; the event that says the same may come much later.
        work.later(
            "UPDATE copies SET deleted = true, version = %s WHERE tenant_id = %s AND record = %s AND id = %s"
            " AND version < %s",
            (loser.version, work.tenant, request.record, loser.id, loser.version),
        )
    _carry(request, work, 0)


def _unmark(request: Any, work: Work) -> None:
    survivors.fence_alone(work)
    merging.unmark(work, request.record, request.merge_id)
    for loser in request.losers:
        work.later(
            "UPDATE copies SET deleted = false, version = %s WHERE tenant_id = %s AND record = %s AND id = %s"
            " AND version < %s",
            (loser.version, work.tenant, request.record, loser.id, loser.version),
        )
    _carry(request, work, 1)


def _places(work: Work, record: str) -> list[tuple[Store[Any], Place]]:
    stores = work.service.stores
    found = [(stores[holder.record_name], place) for holder, place in holders(record) if holder.record_name in stores]
    children = (work.service.children(record, kind) for kind in KINDS)
    return found + [(child, Place("about_id", record, "one")) for child in children if child is not None]


def _over(request: Any, work: Work) -> JSON:
    """Records that refer to a loser, place by place and in the order of their ids, from where the last batch ended."""
    by = {loser.id: request.winner_id for loser in request.losers}
    places, moved = _places(work, request.record), 0
    at, after = request.place, request.after
    while at < len(places):
        store, place = places[at]
        found = _referring(work, store, place, list(by), after or FIRST_ID, BATCH - moved)
        for entity in found:
            was = exchange(entity, place, by)
            note(work, request.merge_id, store.name, entity.id, place, was)
            store.repoint(work, entity)
        moved += len(found)
        if moved >= BATCH:
            return {"moved": moved, "more": True, "place": at, "after": found[-1].id}
        at, after = at + 1, None
    return {"moved": moved, "more": False, "place": 0, "after": None}


def _referring(work: Work, store: Store[Any], place: Place, losers: list[str], after: str, limit: int) -> list[Any]:
    """Deleted records are led over as well: they may be restored."""
    condition = {
        "one": f'"{place.name}" = ANY(%s::uuid[])',
        "list": f'"{place.name}" ?| %s::text[]',
        "parts": f'EXISTS (SELECT 1 FROM jsonb_array_elements("{place.name}") AS part'
        f" WHERE part->>'{place.inner}' = ANY(%s::text[]))",
    }[place.kind]
    rows = work.sql(
        f"{store.select} WHERE tenant_id = %s AND id > %s AND {condition} ORDER BY id LIMIT {limit} FOR UPDATE",
        (work.tenant, after, losers),
    )
    return [store.stored.from_row(row) for row in rows]


def _back(request: Any, work: Work) -> JSON:
    """What this merge has moved and nobody has moved since goes back; its notes go with it."""
    rows = work.sql(
        "DELETE FROM repointed WHERE (tenant_id, merge_id, record, record_id, field) IN"
        " (SELECT tenant_id, merge_id, record, record_id, field FROM repointed WHERE tenant_id = %s AND merge_id = %s"
        f"  ORDER BY record, record_id, field LIMIT {BATCH} FOR UPDATE) RETURNING record, record_id, field, was",
        (work.tenant, request.merge_id),
    ).all()
    places = {(store.name, place.name): (store, place) for store, place in _places(work, request.record)}
    for row in sorted(rows, key=lambda row: (row.record, row.record_id, row.field)):
        store, place = places[row.record, row.field]
        entity = store.find(work, row.record_id, lock=True, deleted=True)
        if entity is not None and _bring_back(entity, place, row.was, request.winner_id):
            store.repoint(work, entity)
    return {"moved": len(rows), "more": len(rows) == BATCH, "place": 0, "after": None}


def _bring_back(entity: Any, place: Place, was: Any, winner_id: str) -> bool:
    value = getattr(entity, place.name)
    if place.kind == "one":
        if value == winner_id:
            setattr(entity, place.name, was)
        return bool(value == winner_id)
    if place.kind == "list":
        if value == was["after"]:
            setattr(entity, place.name, was["before"])
            return True
        if winner_id not in (value or ()):
            return False
        lost = [item for item in was["before"] if item not in was["after"]]
        kept = [item for item in value if item != winner_id or winner_id in was["before"]]
        setattr(entity, place.name, list(dict.fromkeys([*kept, *lost])))
        return True
    brought = False
    for index, part in enumerate(value or ()):
        old = was.get(part_key(part, index))
        if old is not None and getattr(part, place.inner) == winner_id:
            setattr(part, place.inner, old)
            brought = True
    return brought
