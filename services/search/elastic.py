"""The index in Elasticsearch, with PostgreSQL behind it: what is kept there stays the truth, here it is asked quickly.

A batch goes to Elasticsearch first and then into PostgreSQL, in one transaction with the note of what Elasticsearch
did not take (`behind.py`). While something of a tenant is noted, or Elasticsearch does not answer, PostgreSQL answers
instead and the answer says so: it is never wrong, only slower.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from elasticsearch import ApiError

from chassis.database import Work
from contracts.registry import registry
from services.search import behind
from services.search.elastic_cluster import BULK_SECONDS, Away, Cluster, dumps
from services.search.elastic_documents import families, family_of, key_in, source_of
from services.search.elastic_pages import page
from services.search.elastic_questions import Custom, families_of
from services.search.generations import Generations, Targets, beside
from services.search.index import Asked, Found, Freshness, Key, Sent
from services.search.kept import keep, keep_again
from services.search.mapping import Document, searchables
from services.search.postgres import PostgresIndex
from services.search.visibility import Visible

log = logging.getLogger("guanxi")
JSON = dict[str, Any]
NOWHERE: Targets = {}
CONFLICT = 409
MOST_TENANTS = 10_000
# The order keeps the planner to the key: for a record of which there is none it would rather read all documents.
PRESENT = (
    "SELECT record FROM unnest(%s::text[]) AS asked (record) WHERE (SELECT id FROM documents"
    "  WHERE tenant_id = %s AND documents.record = asked.record ORDER BY id LIMIT 1) IS NOT NULL"
)


class ElasticIndex:
    """The index of one service process."""

    def __init__(self, runtime: Any, cluster: Cluster, glance: behind.Glance) -> None:
        self._runtime, self.cluster, self._glance = runtime, cluster, glance
        self.generations = Generations(cluster)
        self._present: dict[str, frozenset[str]] = {}
        self.store = PostgresIndex(runtime)

    def send(self, tenant: str, documents: list[Document]) -> Sent:
        """Write these documents to Elasticsearch, which takes the newest version of each in whatever order."""
        targets = self._look() if documents else NOWHERE
        if targets is NOWHERE:
            return Sent(targets, documents, {})
        try:
            return Sent(targets, *self.write(tenant, documents, targets))
        except Away:
            return Sent(NOWHERE, documents, {})

    def take(self, tenant: str, documents: list[Document], newest_at: dt.datetime, sent: Sent) -> None:
        self._keep(tenant, documents, sent, lambda work: keep(work, documents, newest_at))

    def replace(self, tenant: str, documents: list[Document], *, older: bool = False) -> None:
        if not older:
            sent = self.send(tenant, documents)
            self._keep(tenant, documents, sent, lambda work: keep_again(work, documents, older=False))
            return
        # Elasticsearch takes no older version: the leader puts that right, and until then PostgreSQL answers.
        with self._runtime.database.work(self._runtime.principal(tenant, "index")) as work:
            keep_again(work, documents, older=True)
            behind.note(work, documents, forced=True)
        self._glance.tell(tenant)

    def show(self) -> None:
        """What was written is found from now on. Raises Away."""
        try:
            self.generations.refresh([self.generations.alias(family) for family in families()])
        except ApiError as error:
            raise Away(f"an index is missing: {error}") from error

    def tell(self, tenant: str) -> None:
        """This process knows at once that something of the tenant is noted as lacking."""
        self._glance.tell(tenant)

    def _keep(self, tenant: str, documents: list[Document], sent: Sent, write: Callable[[Work], None]) -> None:
        lacking = sent.lacking
        with self._runtime.database.work(self._runtime.principal(tenant, "index")) as work:
            if documents:
                beside(work)
                if sent.targets is not NOWHERE and self._look() != sent.targets:
                    # An index was made meanwhile, and whoever fills it cannot see these documents before we commit.
                    lacking = documents
            write(work)
            behind.note(work, lacking, sent.refused)
        if lacking:
            self._glance.tell(tenant)

    def _look(self) -> Targets:
        try:
            return self.generations.targets()
        except (Away, ApiError):
            return NOWHERE

    def write(
        self, tenant: str, documents: Sequence[Document], targets: Targets
    ) -> tuple[list[Document], dict[Key, str]]:
        """Write these documents into all indices of their family, by one bulk request; older versions change nothing.

        Returns those that are lacking in one of them, and why Elasticsearch refuses some for good. Raises Away.
        """
        lines: list[bytes] = []
        sent: list[Document] = []
        lacking: dict[Key, Document] = {}
        for document in documents:
            names = targets.get(family_of(document.record), ())
            source = dumps(source_of(tenant, document)) if names else b""
            for name in names:
                lines += [dumps({"index": action(tenant, document, name)}), source]
                sent.append(document)
            if not names:
                lacking[document.record, document.id] = document
        refused: dict[Key, str] = {}
        for document, item in zip(sent, self.cluster.bulk(lines) if lines else [], strict=True):
            status, error = item["index"]["status"], item["index"].get("error", {})
            if status < 300 or status == CONFLICT:
                continue
            lacking[document.record, document.id] = document
            if status == 400:
                refused[document.record, document.id] = f"{error.get('type')}: {error.get('reason')}"[:500]
                log.error("Elasticsearch refuses %s %s: %s", document.record, document.id, error.get("type"))
        return list(lacking.values()), refused

    def held(self, tenant: str, ids: Sequence[Key], name: str) -> dict[Key, int]:
        """The versions that one index holds of these, at this instant; stones count. Raises Away."""
        wanted = [{"_id": key_in(tenant, record, id), "routing": tenant, "_source": False} for record, id in ids]
        found = self.cluster.ask("POST", f"/{name}/_mget", {"docs": wanted}, seconds=BULK_SECONDS)["docs"]
        return {key: one["_version"] for key, one in zip(ids, found, strict=True) if one.get("found")}

    def forget(self, tenant: str, ids: Sequence[Key], name: str) -> None:
        """Take these out of one index without a stone, so that soon any version may be written. Raises Away.

        Elasticsearch forgets a version that was deleted with a refresh some tenths of a second later (`gc_deletes`).
        """
        if ids:
            target = {"_index": name, "routing": tenant}
            self.cluster.bulk(dumps({"delete": {**target, "_id": key_in(tenant, record, id)}}) for record, id in ids)

    def find(self, tenant: str, asked: Asked) -> Found:
        return self._ask(tenant, asked) or replace(self.store.find(tenant, asked), degraded=True)

    def _ask(self, tenant: str, asked: Asked) -> Found | None:
        """What Elasticsearch answers; None where it cannot be asked or does not know all of this tenant."""
        if self.cluster.circuit.open or self._glance.behind(tenant, lambda: self._reading(tenant)):
            return None
        names = [self.generations.alias(family) for family in self._asked(tenant, asked.visible)]
        if not names:
            return Found([], {}, {field: {} for field in asked.facets}, backend="elasticsearch")
        custom = self._custom(tenant, asked.visible)
        try:
            if self.cluster.circuit.broken:
                # It may have taken something just before it went away, and shows that only seconds after it is back.
                self.show()
            ask = partial(self.cluster.searches, names, routing=tenant, explain=asked.explain)
            return page(tenant, asked, custom, ask)
        except Away:
            return None

    def _asked(self, tenant: str, visible: Visible) -> list[str]:
        """The families in which the tenant has documents: an index without any takes as long as one with few.

        A family that has some keeps them, as stones at least, so only the others are looked up each time.
        """
        wanted = families_of(visible)
        present = self._present.get(tenant, frozenset())
        if lacking := [family for family in wanted if family not in present]:
            records = [record for record in searchables() if family_of(record) in lacking]
            with self._reading(tenant) as work:
                found = work.rows(PRESENT, (records, tenant))
            present |= {family_of(record) for (record,) in found}
            if len(self._present) >= MOST_TENANTS:
                self._present.clear()
            self._present[tenant] = present
        return [family for family in wanted if family in present]

    def versions(self, tenant: str, ids: list[Key], visible: Visible) -> dict[Key, int]:
        """What PostgreSQL holds and is not noted as lacking; Elasticsearch is made to show it.

        Where it is away, or has lost one of them, PostgreSQL will answer the question itself.
        """
        known = self.store.versions(tenant, ids, visible)
        if not known:
            return known
        if self.cluster.circuit.open or self._glance.behind(tenant, lambda: self._reading(tenant)):
            # The question that follows must then not go to an Elasticsearch that came back this very moment.
            self._glance.tell(tenant)
            return known
        with self._reading(tenant) as work:
            lacking = behind.among(work, list(known))
        touched = sorted({family_of(record) for record, _ in known})
        try:
            self.generations.refresh([self.generations.alias(family) for family in touched])
        except (Away, ApiError):
            self._glance.tell(tenant)
            return known
        return {key: version for key, version in known.items() if key not in lacking}

    def freshness(self, tenant: str) -> Freshness:
        return self.store.freshness(tenant)

    def _custom(self, tenant: str, visible: Visible) -> Custom:
        """The searched custom fields of records of which something is hidden, by record."""
        masked = [record for record in visible.records if visible.hidden.get(record)]
        if not masked:
            return {}
        with self._reading(tenant) as work:
            by_collection = self._runtime.definitions.searched(work)
        return {record: by_collection.get(registry.records[record].collection, ()) for record in masked}

    def _reading(self, tenant: str) -> Any:
        return self._runtime.database.reading(self._runtime.principal(tenant, "request"))


def action(tenant: str, document: Document, name: str) -> JSON:
    return {
        "_index": name,
        "_id": key_in(tenant, document.record, document.id),
        "routing": tenant,
        "version": document.version,
        "version_type": "external_gte",
    }
