"""Letting go of a person in every service: a saga with a receipt, and what each service does when it is asked.

erase ─▶ emptied where it is owned ─▶ taken out of what refers to him, service by service ─▶ index ─▶ log ─▶ receipt

The words by which he is known travel with the asks, and are gone from everywhere when the last has answered. Every
batch is a transaction of at most 200 records, each with its version and its event, cause `erase:<id>`. Index and log
are followed by their own events; their asks only wait until these have come.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson

from chassis import jobs, saga
from chassis.records import Store, erasing, holding, redacting
from chassis.saga import RETRIABLE, Saga, Step
from contracts import fields as f
from contracts.children import KINDS
from contracts.deleting import STANDARD_REFS, Tie, ties_of, ties_of_people, ties_to
from contracts.erasing import ASKS
from contracts.records import Record
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
BATCH = 200
DEADLINE = dt.timedelta(days=7)
NOWHERE = "00000000-0000-0000-0000-000000000000"
FOLLOWERS = ("search", "eventlog")
"""They are told which records named him, and go through these instead of through stores."""
UNREAD = "files attached to records that name the person are for people to look at"
BY_LAW = "documents of trade are kept as they were issued"


def _name(store: Store[Any]) -> str:
    return f"erase_{store.record.singular.replace('-', '_')}"


def sagas(store: Store[Any]) -> Iterator[Saga]:
    """The saga of a record whose person can be erased."""
    steps = [_step(store, service) for service in ASKS]
    yield Saga(_name(store), store, (*steps, Step("give the receipt", does=_finish, kind=RETRIABLE)), deadline=DEADLINE)


def _step(store: Store[Any], service: str) -> Step:
    def body(entity: Any, data: JSON) -> JSON:
        asked = {name: data[name] for name in ("erasure_id", "version", "words", "after")}
        if service in FOLLOWERS:
            at = int(data["after"] or 0)
            asked["also"], asked["after"] = data["also"][at : at + BATCH], str(at)
        return {"record": store.name, "id": entity.id, **asked}

    def go_on(entity: Any, reply: JSON, data: JSON, work: Work) -> None:
        mine = data["stores"].setdefault(service, {"erased": {}, "kept": {}})
        for name, count in reply["counts"].items():
            mine["erased"][name] = mine["erased"].get(name, 0) + count
        mine["kept"] |= reply["kept"]
        data["also"] += reply["also"] or []
        data["after"] = reply["after"] if reply["more"] else None

    return Step(
        f"let go in {service}",
        asks=ASKS[service],
        body=body,
        then=go_on,
        again=lambda reply: bool(reply["more"]),
        kind=RETRIABLE,
    )


def _finish(entity: Any, data: JSON, work: Work) -> None:
    stores = [{"store": service, **data["stores"][service]} for service in ASKS]
    erasing.finish(work, data["erasure_id"], stores)
    data["words"], data["also"] = [], []


def erase(work: Work, store: Store[Any], record_id: str, body: JSON, if_match: str | None = None) -> JSON:
    """Empty the record in this transaction, set the saga off, and answer the receipt as it is now."""
    started = erasing.erase(work, store, record_id, body, if_match)
    if started is not None:
        data = {
            "erasure_id": started.erasure_id,
            "version": started.entity.version,
            "words": started.words,
            "also": [],
            "after": None,
            "stores": {store.record.service: {"erased": _own(store, started.written), "kept": {}}},
        }
        saga.start(work, work.service.sagas[_name(store)], started.entity, data)
    return erasing.receipt(work, store, record_id)


def _own(store: Store[Any], written: int) -> JSON:
    notes = {"notes and attachments": written} if written else {}
    return {store.record.collection: 1, **notes}


# --- in every service


def let_go(request: Any, work: Work) -> JSON:
    """Take the person out of one batch of what refers to him; with the first batch, out of this service's traces."""
    work.context = work.context.caused_by(f"erase:{request.erasure_id}", work.context.causation_id)
    words = redacting.Words(request.words)
    counts = _traces(request, work, words) if not request.after else {}
    kept: JSON = {}
    also: list[JSON] = []
    first, _, last = (request.after or "0:").partition(":")
    for at, (store, tie) in list(enumerate(_places(work, request)))[int(first) :]:
        found = _referring(work, store, tie, request, last or NOWHERE)
        last = ""
        _redact(work, store, tie, found, words, counts, kept, also)
        if len(found) == BATCH:
            return _answer(counts, kept, also, after=f"{at}:{found[-1].id}")
    return _answer(counts, kept, also, after=None)


def let_go_at_once(request: Any, work: Work) -> JSON:
    """What `let_go` does, to the end: for followers, whose own records are few. With their later batches: nothing."""
    counts: Counter[str] = Counter()
    kept: JSON = {}
    also: list[JSON] = []
    after, more = None, request.after in (None, "0")
    while more:
        batch = let_go(SimpleNamespace(**{**vars(request), "after": after}), work)
        after, more = batch["after"], batch["more"]
        counts.update(batch["counts"])
        kept |= batch["kept"]
        also += batch["also"]
    return _answer(dict(counts), kept, also, after=None)


def answer_of_follower(request: Any, own: JSON, counts: JSON) -> JSON:
    """A batch of a follower is what it was told; a full one is followed by another, and so are records of its `own`."""
    more = len(request.also) == BATCH or bool(own["also"])
    after = str(int(request.after or 0) + len(request.also))
    return {**own, "counts": {**own["counts"], **counts}, "more": more, "after": after}


def _answer(counts: JSON, kept: JSON, also: list[JSON], after: str | None) -> JSON:
    return {"counts": counts, "kept": kept, "also": also, "more": after is not None, "after": after}


def _places(work: Work, request: Any) -> list[tuple[Store[Any], Tie | None]]:
    """Where something may speak of the person."""
    places: list[tuple[Store[Any], Tie | None]] = [
        (store, tie)
        for tie in (*ties_to(request.record), *ties_of_people(request.record))
        if tie.name != "merged_into_id"
        and _has_words(tie.holder)
        and (store := _store_of(work, tie.holder)) is not None
    ]
    return places + [(store, None) for store in work.service.stores.values() if _is_about(store.record)]


def _store_of(work: Work, holder: type[Record]) -> Store[Any] | None:
    """The store of a record of this service. Notes about all kinds of records are in one table, which any can reach."""
    if holder.service != work.service.name:
        return None
    if holder.record_name in registry.children:
        found: Store[Any] | None = work.service.children(next(iter(work.service.stores)), holder.singular)
    else:
        found = work.service.stores.get(holder.record_name)
    return found


def _has_words(record: type[Record]) -> bool:
    """Whether people write in it, or what is personal is copied into it. Ledgers and logs, of which there may be very
    many, have nothing but ids and codes."""
    return "create" in record.operations or any(field.pii for field in record.declared().values())


def _is_about(record: type[Record]) -> bool:
    """Notifications and the like name the record that they are about as text: `contact/<id>`."""
    return isinstance(record.declared().get("about"), f.Code)


def _referring(work: Work, store: Store[Any], tie: Tie | None, request: Any, after: str) -> list[Any]:
    """Deleted records too: they may be restored."""
    condition, value = (
        ("about = %s", f"{registry.records[request.record].singular}/{request.id}")
        if tie is None
        else (holding.refers(tie), [request.id])
    )
    rows = work.sql(
        f"{store.select} WHERE tenant_id = %s AND id > %s AND {condition} ORDER BY id LIMIT {BATCH} FOR UPDATE"
        if not store.stored.insert_only
        else f"{store.select} WHERE tenant_id = %s AND id > %s AND {condition} ORDER BY id LIMIT {BATCH}",
        (work.tenant, after, value),
    )
    return [store.stored.from_row(row) for row in rows]


def _redact(
    work: Work,
    store: Store[Any],
    tie: Tie | None,
    found: Sequence[Any],
    words: redacting.Words,
    counts: JSON,
    kept: JSON,
    also: list[JSON],
) -> None:
    """Take the words out of records, of those that hang on them here, and of their history."""
    if not found:
        return
    # What hangs on a record repeats the words of who it is about, not those of its owner.
    hanging = () if tie is not None and tie.name in STANDARD_REFS else _hanging(work, store, found)
    for other, entities in ((store, found), *hanging, *_written(work, store, found)):
        if other.record.singular == "attachment":
            kept["files"] = UNREAD
        if other.stored.insert_only:
            if any(words.out_of(entity.was) != entity.was for entity in entities):
                kept[other.record.collection] = BY_LAW
            continue
        named = {entity.id for entity in entities if redacting.record(work, other, entity, words)}
        work.flush()
        named |= redacting.history(work, [entity.id for entity in entities], words)
        if named:
            counts[other.record.collection] = counts.get(other.record.collection, 0) + len(named)
        also += [
            {"record": other.name, "id": entity.id, "version": entity.version}
            for entity in entities
            if entity.id in named
        ]


def _written(work: Work, store: Store[Any], found: Sequence[Any]) -> Iterator[tuple[Store[Any], list[Any]]]:
    """Notes and attachments of the records: their texts are cleaned like any, their files are not looked into."""
    for kind in KINDS:
        child = work.service.children(store.name, kind)
        if child is not None:
            rows = work.sql(
                f"{child.select} WHERE tenant_id = %s AND about_type = %s AND about_id = ANY(%s::uuid[])"
                " ORDER BY id FOR UPDATE",
                (work.tenant, store.record.singular, [entity.id for entity in found]),
            ).all()
            if rows:
                yield child, [child.stored.from_row(row) for row in rows]


def _hanging(work: Work, store: Store[Any], found: Sequence[Any]) -> Iterator[tuple[Store[Any], list[Any]]]:
    """What repeats a record's words in the same service: the delivery of a notification, the talk of an activity."""
    for other in work.service.stores.values():
        for tie in ties_of(other.record) if _has_words(other.record) else ():
            if tie.target == store.name and tie.kind == "one" and other is not store:
                lock = "" if other.stored.insert_only else " FOR UPDATE"
                rows = work.sql(
                    f'{other.select} WHERE tenant_id = %s AND "{tie.name}" = ANY(%s::uuid[]) ORDER BY id{lock}',
                    (work.tenant, [entity.id for entity in found]),
                ).all()
                if rows:
                    yield other, [other.stored.from_row(row) for row in rows]


def _traces(request: Any, work: Work, words: redacting.Words) -> JSON:
    """What is no record: copies, kept answers, waiting messages, logs of sagas, and the files of jobs."""
    counts: JSON = {}
    rows = work.sql(
        "SELECT data FROM copies WHERE tenant_id = %s AND record = %s AND id = %s FOR UPDATE",
        (work.tenant, request.record, request.id),
    ).all()
    for row in rows:
        work.later(
            "UPDATE copies SET data = %s WHERE tenant_id = %s AND record = %s AND id = %s",
            (_json(words.out_of(row.data)), work.tenant, request.record, request.id),
        )
        work.later(
            "DELETE FROM copy_keys WHERE tenant_id = %s AND record = %s AND id = %s",
            (work.tenant, request.record, request.id),
        )
    counts["copies"] = len(rows)
    counts["kept answers"] = _answers(request, work, words)
    counts["waiting messages"] = _inbox(request, work, words)
    counts["logs of sagas"] = _sagas(request, work, words)
    counts["files of jobs"] = _jobs(request, work)
    return {name: count for name, count in counts.items() if count}


def _answers(request: Any, work: Work, words: redacting.Words) -> int:
    """Kept answers with the record itself go. Those with what refers to it lose the words and stay: without them a
    repeated request would have a second effect."""
    gone = work.sql(
        "DELETE FROM idempotency WHERE tenant_id = %s AND position(%s IN answer) > 0",
        (work.tenant, f'"id":"{request.id}"'),
    ).rowcount
    changed = 0
    for row in work.sql(
        "SELECT principal, route, key, answer FROM idempotency WHERE tenant_id = %s AND position(%s IN answer) > 0",
        (work.tenant, request.id),
    ).all():
        before = orjson.loads(row.answer)
        after = words.out_of(before)
        if after != before:
            changed += 1
            work.later(
                "UPDATE idempotency SET answer = %s"
                " WHERE tenant_id = %s AND principal = %s AND route = %s AND key = %s",
                (_json(after), work.tenant, row.principal, row.route, row.key),
            )
    return gone + changed


def _inbox(request: Any, work: Work, words: redacting.Words) -> int:
    """Parked and dead events of the record, whose newest version is on its way."""
    rows = work.sql(
        "SELECT seq, body FROM inbox WHERE tenant_id = %s AND state <> 'done' AND consumer <> 'asks'"
        " AND body IS NOT NULL AND position(%s::bytea IN body) > 0 FOR UPDATE",
        (work.tenant, request.id.encode()),
    ).all()
    for row in rows:
        cleaned = orjson.dumps(words.out_of(orjson.loads(bytes(row.body))))
        work.later("UPDATE inbox SET body = %s WHERE tenant_id = %s AND seq = %s", (cleaned, work.tenant, row.seq))
    return len(rows)


def _sagas(request: Any, work: Work, words: redacting.Words) -> int:
    """Data of sagas on the record that have ended; the erasure's own goes with its receipt."""
    changed = 0
    for row in work.sql(
        "SELECT id, data, detail FROM sagas"
        " WHERE tenant_id = %s AND record_id = %s AND ended_at IS NOT NULL FOR UPDATE",
        (work.tenant, request.id),
    ).all():
        before = [row.data, row.detail]
        after = words.out_of(before)
        if after != before:
            changed += 1
            work.later(
                "UPDATE sagas SET data = %s, detail = %s WHERE tenant_id = %s AND id = %s",
                (_json(after[0]), after[1], work.tenant, row.id),
            )
    return changed


def _jobs(request: Any, work: Work) -> int:
    """Files that were exported, imported or rejected may name anybody of their collection: nobody can take one person
    out of them, so all of the record and of what refers to it go. The sweep deletes the blobs."""
    ties = (*ties_to(request.record), *ties_of_people(request.record))
    records = sorted({request.record, *(tie.holder.record_name for tie in ties)})
    return jobs.let_go(work, records)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
