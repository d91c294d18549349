"""`search.query`: what was typed, answered from the index with what the principal may see."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from chassis.context import Context
from chassis.text import fold
from contracts.fields import instant
from services.search import cursors, nearby, questions, recents, synonyms
from services.search.beginning import glance
from services.search.highlights import highlight, subtitle_of, title_of
from services.search.index import Asked, Found, Freshness, Hit, Index, Key, index_of
from services.search.mapping import searchables
from services.search.phrases import Phrase, Term, phrases
from services.search.questions import Question
from services.search.suggestions import corrected
from services.search.visibility import Visible, visible

JSON = dict[str, Any]
PATIENCE, POLL, RESERVE = 5.0, 0.05, 0.5
FEW = 2
MOST_VALUES = 100
ATTEMPTS = (1, 2)
"""At typing errors: in the words that no record has, then in all."""


@dataclass(frozen=True)
class Answer:
    """What was found, by which reading of the question, and a better question where there is one.

    `slips` is 0 where it was found as it was typed, else which attempt at typing errors found it.
    """

    found: Found
    phrase: Phrase | None = None
    place: cursors.Place | None = None
    slips: int = 0
    did_you_mean: str | None = None


def query(runtime: Any, context: Context, params: JSON) -> JSON:
    """`{q, types, limit, after, filters, facets, explain, suggest, min_version}` → `{items, next, facets, exact,
    freshness}`.

    Without `q` it is a glance at what is recent and one's own (`services.search.beginning`). `fuzzy`: only similar
    titles were found; then, and with `suggest` where little was found, `did_you_mean` is a question that finds more.
    `facets` count what was found by type, `by_field` by the facets that were asked for. `min_version`
    `{"account/<id>": n}` waits up to 5 s for these versions; what did not come, or may not be seen, is then named in
    `missing`, and the status is 202.
    """
    question = questions.read(runtime, context, params)
    with runtime.database.reading(context) as work:
        lifted = recents.lifted(work)
        readings = synonyms.widened(phrases(question.typed), question.typed, synonyms.groups(work))
    after = None if question.after is None else cursors.read(question.after, question.digest, readings)
    index = index_of(runtime)
    missing = _wait(runtime, context, question)
    freshness = index.freshness(context.tenant)
    seen = visible(runtime, context, question.records).having(question.narrowed_by, question.custom)
    if question.typed.strip():
        answer = _answer(runtime, context, question, readings, seen, lifted, after)
    else:
        found = glance(runtime, context, seen, question.limit, question.filters, question.facets, lifted)
        answer = Answer(found)
    body = _body(question, answer, seen, freshness)
    if missing:
        body["missing"] = missing
    return {"status": 202 if missing else 200, "body": body}


# --- finding


def _answer(
    runtime: Any,
    context: Context,
    question: Question,
    readings: list[Phrase],
    seen: Visible,
    lifted: dict[Key, int],
    after: cursors.Place | None,
) -> Answer:
    """What answers the first reading that finds anything, or what may have been meant by words typed wrongly."""
    if not seen.records or not readings:
        return Answer(Found([], {}))
    index, tenant = index_of(runtime), context.tenant
    # One more than is shown tells whether there is a next page.
    asked = Asked(
        readings[0],
        seen,
        question.limit + 1,
        filters=question.filters,
        facets=question.facets,
        lifted=lifted,
        explain=question.explain,
    )
    if after is not None:
        phrase = readings[after.reading]
        corrected = _meant(runtime, context, phrase, after.slips) if after.slips else phrase
        if corrected is None:
            return Answer(Found([], {}))
        found = index.find(tenant, replace(asked, phrase=corrected, after=after.last))
        return _paged(question, found, corrected, after.reading, after.slips)
    for reading, phrase in enumerate(readings):
        asked = replace(asked, phrase=phrase)
        found = index.find(tenant, asked)
        if found.hits:
            answer = _paged(question, found, phrase, reading, 0)
            if question.suggest and len(found.hits) <= FEW:
                return replace(answer, did_you_mean=_better(runtime, context, question, asked, found))
            return answer
    for attempt in ATTEMPTS:
        corrected = _meant(runtime, context, readings[-1], attempt)
        found = index.find(tenant, replace(asked, phrase=corrected)) if corrected else found
        if corrected and found.hits:
            answer = _paged(question, found, corrected, len(readings) - 1, attempt)
            return replace(answer, did_you_mean=_correction(index, tenant, question, asked, found.hits, 0))
    return Answer(found)


def _meant(runtime: Any, context: Context, phrase: Phrase, attempt: int) -> Phrase | None:
    with runtime.database.reading(context) as work:
        return nearby.meant(work, phrase, known=attempt > 1)


def _paged(question: Question, found: Found, phrase: Phrase, reading: int, attempt: int) -> Answer:
    place = None
    if len(found.hits) > question.limit:
        found = replace(found, hits=found.hits[: question.limit])
        place = cursors.Place(found.hits[-1].cursor, reading, attempt)
    return Answer(found, phrase, place, attempt)


def _better(runtime: Any, context: Context, question: Question, asked: Asked, found: Found) -> str | None:
    """Little was found: a question that finds more, unless what was typed is a whole key."""
    if any(fold(question.typed) == fold(str(value)) for hit in found.hits for value in hit.data.values()):
        return None
    corrected = _meant(runtime, context, asked.phrase, ATTEMPTS[-1])
    if corrected is None:
        return None
    index, tenant = index_of(runtime), context.tenant
    similar = index.find(tenant, replace(asked, phrase=corrected, facets=(), counted=False))
    return _correction(index, tenant, question, asked, similar.hits, len(found.hits))


def _correction(index: Index, tenant: str, question: Question, asked: Asked, hits: list[Hit], least: int) -> str | None:
    """A corrected question by what is visible of similar hits, where it finds more than `least` of what is visible."""
    shown = [(searchables()[hit.record], _visible_data(hit, asked.visible)) for hit in hits]
    better = corrected(question.typed, shown)
    if better is None:
        return None
    readings = phrases(better)
    found = index.find(
        tenant, replace(asked, phrase=readings[-1], limit=least + 1, facets=(), counted=False, explain=False)
    )
    return better if len(found.hits) > least else None


# --- telling


def _body(question: Question, answer: Answer, seen: Visible, freshness: Freshness) -> JSON:
    found = answer.found
    terms = answer.phrase.all_terms if answer.phrase else ()
    body: JSON = {
        "items": [_item(hit, terms, seen, question.explain) for hit in found.hits],
        "next": None if answer.place is None else cursors.write(answer.place, question.digest),
        "facets": {searchables()[record].type: count for record, count in sorted(found.counts.items())},
        "exact": found.exact,
        "freshness": _freshness(freshness, found),
    }
    if question.facets:
        body["by_field"] = {
            field: _counted(found.facets.get(field, {}), folded=field in question.texts) for field in question.facets
        }
    if answer.slips:
        body["fuzzy"] = True
    if answer.did_you_mean:
        body["did_you_mean"] = answer.did_you_mean
    if question.explain:
        body["explained"] = _explained(answer)
    return body


def _item(hit: Hit, terms: tuple[Term, ...], seen: Visible, explain: bool) -> JSON:
    searchable, data = searchables()[hit.record], _visible_data(hit, seen)
    item: JSON = {
        "type": searchable.type,
        "id": hit.id,
        "title": title_of(searchable, data),
        "subtitle": subtitle_of(searchable, data),
        "highlight": highlight(searchable, data, terms),
        "score": hit.score,
        "version": hit.version,
    }
    if explain:
        item["reasons"] = [{"what": what, "points": points} for what, points in hit.reasons]
    return item


def _visible_data(hit: Hit, seen: Visible) -> JSON:
    concealed = seen.hidden.get(hit.record, frozenset())
    return {name: value for name, value in hit.data.items() if name not in concealed}


def _counted(counts: dict[str, int], *, folded: bool) -> list[JSON]:
    """`[{value, count}]`, the most frequent first; a text counts once however it is spelled, as most spell it."""
    if folded:
        alike: dict[str, list[tuple[int, str]]] = {}
        for value, count in counts.items():
            alike.setdefault(fold(value), []).append((-count, value))
        counts = {min(spellings)[1]: -sum(count for count, _ in spellings) for spellings in alike.values()}
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_VALUES]
    return [{"value": value, "count": count} for value, count in ranked]


def _explained(answer: Answer) -> JSON:
    """The reading of the question that was used: the whole of it as a key, the words that must be answered, or else
    all of one of the ways that synonyms open, and what may have been meant by a word."""
    body: JSON = {"backend": answer.found.backend, "reading": None}
    phrase = answer.phrase
    if phrase is not None:
        reading: JSON = {"key": phrase.keys[0].removeprefix("="), "terms": [term.word for term in phrase.terms]}
        if len(phrase.ways) > 1:
            reading["synonyms"] = [[term.word for term in way] for way in phrase.ways[1:]]
        if answer.slips:
            reading["meant"] = {term.word: list(term.meant) for term in phrase.terms if term.meant}
        body["reading"] = reading
    return body


def _freshness(freshness: Freshness, found: Found) -> JSON:
    at = freshness.indexed_at
    return {
        "indexed_at": None if at is None else instant(at),
        "lag_seconds": freshness.lag_seconds,
        "position": freshness.position,
        "backend": found.backend,
        "degraded": found.degraded,
    }


def _wait(runtime: Any, context: Context, question: Question) -> list[str]:
    """Wait until the index holds the wanted versions. Returns those that did not come in time."""
    wanted = question.versions
    if not wanted:
        return []
    index, seen = index_of(runtime), visible(runtime, context, searchables())
    end = time.monotonic() + min(PATIENCE, context.time_left() - RESERVE)
    while True:
        known = index.versions(context.tenant, list(wanted), seen)
        missing = [key for key, (_, version) in wanted.items() if known.get(key, -1) < version]
        if not missing or time.monotonic() >= end:
            return [wanted[key][0] for key in missing]
        time.sleep(POLL)
