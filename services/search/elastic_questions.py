"""Questions to Elasticsearch. Points are whole numbers that add up, the same as in PostgreSQL: see `postgres.py`.

Every condition is a constant score, so nothing depends on how often a word is used or on how long a text is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.search.elastic_documents import (
    facet_in,
    family_of,
    is_beginning,
    key_in,
    micros,
    seen,
    sounded,
    weights,
    worded,
)
from services.search.index import BEGINNING, KEY, KEY_WEIGHT, OWN, Asked, Filter, Key
from services.search.mapping import SOUND, searchables, shares
from services.search.phrases import Term, prefix
from services.search.visibility import Visible

JSON = dict[str, Any]
MOST_VALUES = 1_000
COUNTED = 1_000
RECORDS: JSON = {"records": {"terms": {"field": "record", "size": MOST_VALUES}}}
FIRST, LAST = "0", ":"
"""What is in an order begins with a digit; a flattened field wants both bounds of a range."""
SORT = [{"_score": "desc"}, {"changed": "desc"}, {"id": "desc"}]
Custom = Mapping[str, Iterable[str]]
"""The names of the searched custom fields, by record."""


def visible_filter(tenant: str, visible: Visible) -> JSON:
    """The documents that the principal may find, by tenant, record, owner and team. No other place says so here."""
    found: list[JSON] = []
    if set(visible.everything) == searchables().keys():
        found.append({"match_all": {}})
    elif visible.everything:
        found.append({"terms": {"record": list(visible.everything)}})
    mine = [*visible.own, *visible.team]
    if mine and visible.user_id is not None:
        found.append(both({"terms": {"record": mine}}, {"term": {"owner": visible.user_id}}))
    if visible.team and visible.teams:
        found.append(both({"terms": {"record": list(visible.team)}}, {"terms": {"team": list(visible.teams)}}))
    if not found:
        return {"match_none": {}}
    return {
        "bool": {
            "filter": [{"term": {"tenant": tenant}}, {"term": {"gone": False}}, either(found)],
        }
    }


def found_by_words(tenant: str, asked: Asked, custom: Custom) -> JSON:
    """The body of a search for documents that answer every term, with counts only where facets are asked for."""
    made = _page(tenant, asked, custom)
    made["query"]["bool"]["should"] = _lifts(tenant, asked)
    if asked.facets:
        made["aggs"] = RECORDS | counted(asked)
    if asked.after is not None:
        score, changed_at, id = asked.after
        made["search_after"] = [score, micros(changed_at), id]
    return made


def first_by_words(tenant: str, asked: Asked, custom: Custom, among: JSON | None = None) -> JSON:
    """The body of a search for the first of the same documents by their words alone; `among` narrows it.

    Where nothing is counted and no points may come on top, Elasticsearch passes over documents that cannot be on the
    page: among many that answer, that is most of them.
    """
    return _page(tenant, asked, custom, [among] if among else [])


def ones_own(user_id: str) -> JSON:
    return {"term": {"owner": user_id}}


def these(tenant: str, ids: Iterable[Key]) -> JSON:
    return {"ids": {"values": [key_in(tenant, record, id) for record, id in ids]}}


def counted_by_words(tenant: str, asked: Asked, custom: Custom) -> JSON:
    """The body of a count by record of the same documents, each shard up to `COUNTED`."""
    filters = [visible_filter(tenant, asked.visible), *narrowed(asked), *_answering(asked, custom)]
    return {
        # Without any hit each value would be counted by itself, through all documents, whatever the bound is.
        "size": 1,
        "_source": False,
        "track_total_hits": False,
        "terminate_after": COUNTED,
        "query": {"bool": {"filter": filters}},
        "aggs": RECORDS,
    }


def _answering(asked: Asked, custom: Custom) -> list[JSON]:
    groups = []
    for wording in wordings(asked.visible, custom):
        group = either(
            [
                {
                    "bool": {
                        "must": [best([all_of(wording, way) for way in asked.phrase.ways])],
                        **named(asked, "words"),
                    }
                },
                best(wording.key(asked.phrase.keys), **named(asked, "key")),
                best(wording.start(asked.phrase.starts), **named(asked, "beginning")),
            ]
        )
        groups.append(both(*wording.records, must=[group]) if wording.records else group)
    return [either(groups)] if len(groups) > 1 else groups


def all_of(wording: Open | Masked, terms: Sequence[Term]) -> JSON:
    return {"bool": {"must": [best(wording.term(term)) for term in terms]}}


def _page(tenant: str, asked: Asked, custom: Custom, among: Sequence[JSON] = ()) -> JSON:
    filters = [visible_filter(tenant, asked.visible), *narrowed(asked), *among]
    return {
        "size": asked.limit,
        "track_total_hits": False,
        "version": True,
        "query": {"bool": {"filter": filters, "must": _answering(asked, custom)}},
        "sort": SORT,
    }


def _lifts(tenant: str, asked: Asked) -> list[JSON]:
    lifts = []
    by_points: dict[int, list[Key]] = {}
    for key, points in asked.lifted.items():
        by_points.setdefault(points, []).append(key)
    for points, ids in sorted(by_points.items()):
        lifts.append(scored(these(tenant, ids), points, **named(asked, f"lifted {points}")))
    if asked.visible.user_id is not None:
        lifts.append(scored(ones_own(asked.visible.user_id), OWN, **named(asked, "own")))
    return lifts


def narrowed(asked: Asked) -> list[JSON]:
    """The filters; a record from whom the field is hidden does not answer them."""
    return [{"bool": {"filter": [_holds(one)], **without(asked.visible, one.field)}} for one in asked.filters]


def _holds(one: Filter) -> JSON:
    if not one.bounded:
        return {"terms": {facet_in(one.field): list(one.values)}}
    return {"range": {facet_in(one.field): {"gte": one.low or FIRST, "lt": one.high or LAST}}}


def counted(asked: Asked) -> JSON:
    return {
        f"facet {field}": {
            "filter": {"bool": {"filter": [{"match_all": {}}], **without(asked.visible, field)}},
            "aggs": {"values": {"terms": {"field": facet_in(field), "size": MOST_VALUES}}},
        }
        for field in asked.facets
    }


def without(visible: Visible, field: str) -> JSON:
    hidden = [record for record, fields in sorted(visible.hidden.items()) if field in fields]
    return {"must_not": [{"terms": {"record": hidden}}]} if hidden else {}


def families_of(visible: Visible) -> list[str]:
    return sorted({family_of(record) for record in visible.records})


class Open:
    """Words of records of which nothing is hidden: whatever field they stand in."""

    def __init__(self, masked: Sequence[str]) -> None:
        self.records: list[JSON] = [{"bool": {"must_not": [{"terms": {"record": list(masked)}}]}}] if masked else []

    def term(self, term: Term) -> list[JSON]:
        return [
            scored(condition, points)
            for weight in worded()
            for condition, points in answers(term, f"w{weight}", f"b{weight}", weight)
        ]

    def key(self, keys: Sequence[str]) -> list[JSON]:
        return [scored(one_of(f"w{weight}", keys), KEY + KEY_WEIGHT * weight) for weight in weights()]

    def start(self, starts: Sequence[str]) -> list[JSON]:
        return [
            scored(begins(start, f"w{weight}", f"b{weight}"), BEGINNING * weight)
            for start in starts
            for weight in (sounded() if start[0] == SOUND else weights())
        ]


class Masked:
    """Words of records of which some fields are hidden: each visible field is asked by its name."""

    def __init__(self, visible: Visible, custom: Custom) -> None:
        self._all = [record for record in visible.records if visible.hidden.get(record)]
        self.records: list[JSON] = [{"terms": {"record": self._all}}]
        # The records in which a field is shown, by field and by each weight that its words can have.
        self._shown: dict[tuple[str, int], list[str]] = {}
        for record in self._all:
            fields = {**searchables()[record].weights, **searched_custom(record, custom)}
            for field, weight in fields.items():
                if field not in visible.hidden[record]:
                    for share in shares(weight, title=field == searchables()[record].title):
                        self._shown.setdefault((field, share), []).append(record)

    def term(self, term: Term) -> list[JSON]:
        return [
            scored(self._within(condition, records), points)
            for (field, weight), records in self._shown.items()
            for condition, points in answers(term, "seen", None, weight, seen(field, weight, ""))
        ]

    def key(self, keys: Sequence[str]) -> list[JSON]:
        return [
            scored(
                self._within(one_of("seen", [seen(field, weight, key) for key in keys]), records),
                KEY + KEY_WEIGHT * weight,
            )
            for (field, weight), records in self._shown.items()
        ]

    def start(self, starts: Sequence[str]) -> list[JSON]:
        return [
            scored(self._within(begins(start, "seen", None, seen(field, weight, "")), records), BEGINNING * weight)
            for (field, weight), records in self._shown.items()
            for start in starts
        ]

    def _within(self, condition: JSON, records: list[str]) -> JSON:
        return condition if len(records) == len(self._all) else both(condition, {"terms": {"record": records}})


def wordings(visible: Visible, custom: Custom) -> list[Open | Masked]:
    """How words are asked for, by what is hidden: together they cover every record that may be read."""
    masked = [record for record in visible.records if visible.hidden.get(record)]
    found: list[Open | Masked] = [Open(masked)] if len(masked) < len(visible.records) else []
    return [*found, Masked(visible, custom)] if masked else found


def searched_custom(record: str, custom: Custom) -> dict[str, int]:
    from services.search.mapping import CUSTOM_WEIGHT

    return {f"custom.{name}": CUSTOM_WEIGHT for name in custom.get(record, ())}


def answers(term: Term, whole: str, start: str | None, weight: int, field: str = "") -> list[tuple[JSON, int]]:
    """The conditions of one term, each with its points: a whole word is worth twice its beginning."""
    found: list[tuple[JSON, int]] = []
    wholes = [field + word for word in term.wholes if term.answers(word)]
    if wholes:
        found.append((one_of(whole, wholes), 2 * weight))
    for low, high in term.ranges:
        if high is None:
            if low not in term.wholes:
                found.append(({"term": {whole: field + low}}, weight))
        elif (low, high) == prefix(low):
            found.append((begins(low, whole, start, field), weight))
        else:
            found.append(({"range": {whole: {"gte": field + low, "lt": field + high}}}, weight))
    return found


def one_of(field: str, words: Sequence[str]) -> JSON:
    """The documents that have one of the words. A single one is looked up, several are a walk through the terms."""
    return {"term": {field: words[0]}} if len(words) == 1 else {"terms": {field: [*words]}}


def begins(low: str, whole: str, start: str | None, field: str = "") -> JSON:
    if start is not None and is_beginning(low):
        return {"term": {start: low}}
    return {"prefix": {whole: field + low}}


def scored(condition: JSON, points: int, **name: Any) -> JSON:
    return {"constant_score": {"filter": condition, "boost": points, **name}}


def best(clauses: Sequence[JSON], **name: Any) -> JSON:
    return {"dis_max": {"queries": list(clauses), **name}} if clauses else {"match_none": {}}


def both(*conditions: JSON, must: Sequence[JSON] = ()) -> JSON:
    return {"bool": {"filter": list(conditions), **({"must": list(must)} if must else {})}}


def either(conditions: Sequence[JSON]) -> JSON:
    return {"bool": {"should": list(conditions), "minimum_should_match": 1}} if conditions else {"match_none": {}}


def named(asked: Asked, name: str) -> JSON:
    """Names cost time, so only an explanation has them."""
    return {"_name": name} if asked.explain else {}
