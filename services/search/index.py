"""The border between searching and the place where the index lies. Each kind of index offers what `Index` names."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Protocol

from services.search.mapping import Document
from services.search.phrases import Phrase
from services.search.visibility import Visible

JSON = dict[str, Any]


@dataclass(frozen=True)
class Hit:
    """A record that was found; `data` holds all its indexed fields, hidden ones too."""

    record: str
    id: str
    version: int
    data: JSON
    score: float


@dataclass(frozen=True)
class Found:
    """The best hits, and how many there are by record (exact up to the index's bound)."""

    hits: list[Hit]
    counts: dict[str, int]


@dataclass(frozen=True)
class Freshness:
    """The instant of the newest event that was taken in, and the seconds it took to get here. None: nothing came."""

    indexed_at: dt.datetime | None
    lag_seconds: float | None


class Index(Protocol):
    """Every call is for one tenant. Only what `visible` allows is compared, found or counted."""

    def take(self, tenant: str, documents: list[Document], newest_at: dt.datetime) -> None:
        """Keep these documents, all or none, where they are newer than what is there; note how far it has come."""

    def find(self, tenant: str, phrase: Phrase, visible: Visible, limit: int) -> Found:
        """Documents in which every term is answered, best first."""

    def similar(self, tenant: str, typed: str, visible: Visible, limit: int) -> Found:
        """Documents whose title is almost what was typed, most alike first."""

    def versions(self, tenant: str, ids: list[tuple[str, str]], visible: Visible) -> dict[tuple[str, str], int]:
        """The indexed versions of (record, id), deleted ones included, as far as the principal may read them."""

    def freshness(self, tenant: str) -> Freshness:
        """How far the index has come."""


def index_of(runtime: Any) -> Index:
    """The index that this process is set up with."""
    # Here, because each kind of index imports from this page what it answers with.
    from services.search.postgres import PostgresIndex

    return PostgresIndex(runtime)
