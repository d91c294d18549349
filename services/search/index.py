"""The border between searching and the place where the index lies. Each kind of index offers what `Index` names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from services.search.mapping import Document
from services.search.phrases import Phrase
from services.search.visibility import Visible

JSON = dict[str, Any]
Key = tuple[str, str]
"""A record's name and an id."""


KEY, KEY_WEIGHT, BEGINNING = 900, 20, 10
"""Points for a whole key, and so many times its weight; the beginning of a key counts its weight so many times."""
OWN = 12
"""Points for one's own records. With what was lifted (24 at most) they stay below the beginning of a title, which is 50
at least, and 40 by its sound: a whole key comes first, then the beginning of a name, then what is one's own and
recent."""


class Cursor(NamedTuple):
    """The place of a hit in the order of an answer: by score, then the newest, then the highest id first."""

    score: int
    changed_at: dt.datetime
    id: str


class Filter(NamedTuple):
    """The document's facet `field`, as documents have it (`mapping.py`), must hold one of the values, or, where there
    is a bound, a value from `low` on and below `high`, in the order of their bytes."""

    field: str
    values: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None

    @property
    def bounded(self) -> bool:
        return self.low is not None or self.high is not None


@dataclass(frozen=True)
class Asked:
    """One question. Every term of one of the phrase's ways must be answered by a field that `visible` shows.

    `after` is the last hit of the page before. `facets` are counted beside the count by record; without `counted`
    nobody looks at either. `lifted` are the points of what this user opened or edited lately, at most a few hundred
    records.
    """

    phrase: Phrase
    visible: Visible
    limit: int
    after: Cursor | None = None
    filters: tuple[Filter, ...] = ()
    facets: tuple[str, ...] = ()
    counted: bool = True
    lifted: Mapping[Key, int] = field(default_factory=dict)
    explain: bool = False


@dataclass(frozen=True)
class Hit:
    """A record that was found; `data` holds all its indexed fields, hidden ones too.

    `reasons` are (what, points) and add up to the score, when an explanation was asked for: `key` (the whole of a
    key), `beginning` (of a key), `words`, `own`, `lifted`.
    """

    record: str
    id: str
    version: int
    data: JSON
    score: int
    owner_id: str | None
    changed_at: dt.datetime
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.score, self.changed_at, self.id)


@dataclass(frozen=True)
class Found:
    """The hits of one page, how many there are on all pages by record, and by value of each facet that was asked for.

    `exact` is false where there are more than were counted. `degraded` says that another index than the usual one
    answered, because that one is away; `backend` is the one that answered.
    """

    hits: list[Hit]
    counts: dict[str, int]
    facets: dict[str, dict[str, int]] = field(default_factory=dict)
    exact: bool = True
    degraded: bool = False
    backend: str = "postgresql"


@dataclass(frozen=True)
class Freshness:
    """How far the index has come. `indexed_at` is the instant of the newest event that was taken in; None: nothing was.

    Every event of the tenant's feed up to `position` is in the index, as was checked against the event log; None: not
    checked yet. `lag_seconds` is the age of the oldest event that is not in it, and 0 where none is missing; where the
    last check is too old to say so, it is the time since then.
    """

    indexed_at: dt.datetime | None
    lag_seconds: float | None
    position: int | None


class Sent(NamedTuple):
    """What another server than the database has been told of some documents: by family the indices that it was told
    for, what it has not taken, and why it refuses some for good."""

    targets: dict[str, tuple[str, ...]]
    lacking: list[Document]
    refused: dict[Key, str]


class Index(Protocol):
    """Every call is for one tenant. Only what `visible` allows is compared, found or counted."""

    def send(self, tenant: str, documents: list[Document]) -> Sent:
        """Tell a server beside the database, where there is one. `take` follows, and may meanwhile be at work on
        documents that were sent before."""

    def take(self, tenant: str, documents: list[Document], newest_at: dt.datetime, sent: Sent) -> None:
        """Keep these documents, all or none, where they are newer than what is there; note how far it has come."""

    def replace(self, tenant: str, documents: list[Document], *, older: bool = False) -> None:
        """Keep these documents where what is there is not newer; with `older`, whatever is there."""

    def find(self, tenant: str, asked: Asked) -> Found:
        """Documents in which every term of one of the ways is answered, best first."""

    def versions(self, tenant: str, ids: list[Key], visible: Visible) -> dict[Key, int]:
        """The indexed versions of (record, id), deleted ones included, as far as the principal may read them.

        The next `find` sees at least these versions.
        """

    def freshness(self, tenant: str) -> Freshness:
        """How far the index has come."""


def index_of(runtime: Any) -> Index:
    """The index that this process is set up with: Elasticsearch where its address is set, else PostgreSQL alone."""
    # Here, because each kind of index imports from this page what it answers with.
    from services.search.equipment import elastic_of
    from services.search.postgres import PostgresIndex

    return elastic_of(runtime) or PostgresIndex(runtime)
