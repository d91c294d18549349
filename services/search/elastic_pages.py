"""How a page is found in Elasticsearch: which searches it takes, and what their answers make together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from services.search.elastic_documents import instant_of
from services.search.elastic_questions import (
    Custom,
    counted_by_words,
    first_by_words,
    found_by_words,
    ones_own,
    these,
)
from services.search.index import OWN, Asked, Found, Hit

JSON = dict[str, Any]
Ask = Callable[[Sequence[JSON]], list[JSON]]
"""The answers to several searches, by one request."""
SHORT = 5
"""Two in three questions of so many letters fill a page, and one in three longer ones (`bench.keystrokes`)."""
REASONS = ("key", "beginning", "words", "own", "lifted")


def page(tenant: str, asked: Asked, custom: Custom, ask: Ask) -> Found:
    """The hits of a page, and what there is on all of them."""
    if asked.after is not None or asked.facets or asked.explain:
        return _in_one(tenant, asked, custom, ask)
    return _first(tenant, asked, custom, ask)


def _first(tenant: str, asked: Asked, custom: Custom, ask: Ask) -> Found:
    """The first page. One search by words alone says all where it does not fill the page, as most long ones do not.

    Else the best of what is one's own, and all of what was lifted, may have come before others: they are asked for
    apart, together with a count, unless that was likely to be wanted from the first. Whatever has points from nothing
    but its words is among the first by them, or not on the page; and so is each one of one's own among one's own.
    """
    counting = [counted_by_words(tenant, asked, custom)] if asked.counted else []
    early = counting if _is_short(asked) else []
    answers = ask([first_by_words(tenant, asked, custom), *early])
    hits = _hits(answers[0])
    if len(hits) < asked.limit:
        return Found(_best(asked, hits), dict(Counter(hit.record for hit in hits)), backend="elasticsearch")
    me = asked.visible.user_id
    bodies = []
    if me is not None and any(hit.owner_id != me for hit in hits):
        bodies.append(first_by_words(tenant, asked, custom, ones_own(me)))
    if asked.lifted:
        whole = replace(asked, limit=len(asked.lifted))
        bodies.append(first_by_words(tenant, whole, custom, these(tenant, asked.lifted)))
    late = [] if early else counting
    more = ask([*bodies, *late]) if bodies or late else []
    for answer in more[: len(bodies)]:
        hits += _hits(answer)
    counts, exact = _counts((more if late else answers)[-1]) if counting else ({}, True)
    return Found(_best(asked, hits), counts, exact=exact, backend="elasticsearch")


def _is_short(asked: Asked) -> bool:
    """Whether so little was typed that it is likely to be answered by more than a page."""
    return sum(len(term.word) for term in asked.phrase.terms) <= SHORT


def _in_one(tenant: str, asked: Asked, custom: Custom, ask: Ask) -> Found:
    """A page by one search that knows all points, beside one that counts, or counts itself where facets are."""
    bodies = [found_by_words(tenant, asked, custom)]
    if asked.counted and not asked.facets:
        bodies.append(counted_by_words(tenant, asked, custom))
    answers = ask(bodies)
    counts, exact = _counts(answers[-1])
    counted = answers[-1].get("aggregations", {})
    facets = {field: _values(counted[f"facet {field}"]["values"]) for field in asked.facets}
    return Found(_hits(answers[0]), counts, facets, exact, backend="elasticsearch")


def _best(asked: Asked, hits: Iterable[Hit]) -> list[Hit]:
    """These, each once, with the points that do not come from words, as far as they are on the page."""
    found = {(hit.record, hit.id): hit for hit in hits}
    me = asked.visible.user_id
    pointed = [
        replace(hit, score=hit.score + (OWN if me is not None and hit.owner_id == me else 0) + asked.lifted.get(key, 0))
        for key, hit in found.items()
    ]
    return sorted(pointed, key=lambda hit: hit.cursor, reverse=True)[: asked.limit]


def _counts(answer: JSON) -> tuple[dict[str, int], bool]:
    """How many there are by record, and whether these are all."""
    counted = answer.get("aggregations")
    return (_values(counted["records"]) if counted else {}), not answer.get("terminated_early", False)


def _values(counted: JSON) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in counted["buckets"]}


def _hits(answer: JSON) -> list[Hit]:
    return [_hit(hit) for hit in answer["hits"]["hits"]]


def _hit(hit: JSON) -> Hit:
    source = hit["_source"]
    score, changed, id = hit["sort"]
    return Hit(
        record=source["record"],
        id=id,
        version=hit["_version"],
        data=source.get("data", {}),
        score=int(score),
        owner_id=source["owner"],
        changed_at=instant_of(changed),
        reasons=_reasons(hit.get("matched_queries", {})),
    )


def _reasons(matched: dict[str, float] | list[str]) -> tuple[tuple[str, int], ...]:
    if not isinstance(matched, dict):
        return ()
    points = {name.partition(" ")[0]: int(score) for name, score in matched.items()}
    return tuple((what, points[what]) for what in REASONS if what in points)
