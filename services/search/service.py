"""Search: one heavy reader and one call."""

from __future__ import annotations

from chassis.service import Service
from services.search import indexing, queries


class Search(Service):
    """Everything that one may see, by a few letters."""

    name = "search"
    batch = indexing.take_in
    methods = {"search.query": queries.query}


service = Search
