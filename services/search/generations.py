"""Generations of the indices in Elasticsearch: each family is asked by an alias, behind which a whole index can change.

`<prefix>-customer` is the alias that is asked, `<prefix>-customer-000002` an index. While an index is being filled it
has the alias `<prefix>-customer-filling`; every writer writes to all indices that have one of the two aliases. Who
makes a generation does so under `alone`, and every writer looks at the aliases once more under `beside` before it
commits: so a document is either written to the new index or committed before that index was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError

from chassis.database import Work
from services.search.elastic_cluster import Cluster
from services.search.elastic_documents import SHAPE, families, index_body, mapping

JSON = dict[str, Any]
FILLING = "filling"
ADMIN_SECONDS = 30.0
LOCK = "hashtext('guanxi search generations')"


@dataclass(frozen=True)
class Generation:
    """One index: whether it is asked, or still being filled; documents with their stones, and bytes on disk."""

    name: str
    family: str
    current: bool
    filling: bool
    shape: int
    documents: int = 0
    bytes: int = 0


Targets = dict[str, tuple[str, ...]]
"""By family the indices that every document is written to."""


def alone(work: Work) -> None:
    """Wait until no writer is between its last look at the aliases and its commit, and keep them out until ours."""
    work.sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def beside(work: Work) -> None:
    """Keep the generations as they are until this transaction ends."""
    work.sql(f"SELECT pg_advisory_xact_lock_shared({LOCK})")


class Generations:
    """The indices of one installation."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def alias(self, family: str) -> str:
        return f"{self._cluster.prefix}-{family}"

    def _filling(self, family: str) -> str:
        return f"{self.alias(family)}-{FILLING}"

    def aliases(self) -> dict[str, set[str]]:
        """The aliases of every index of this installation."""
        try:
            found = self._cluster.ask("GET", f"/{self._cluster.prefix}-*/_alias")
        except ApiError as error:
            if error.status_code == 404:
                return {}
            raise
        return {name: set(one["aliases"]) for name, one in found.items()}

    def targets(self) -> Targets:
        found = self.aliases()
        return {
            family: tuple(
                sorted(name for name, own in found.items() if own & {self.alias(family), self._filling(family)})
            )
            for family in families()
        }

    def missing(self) -> list[str]:
        """Families without an index that is asked."""
        there = {alias for own in self.aliases().values() for alias in own}
        return [family for family in families() if self.alias(family) not in there]

    def create(self, family: str) -> str:
        """A new empty index, which from now on gets every write and is not asked yet. Returns its name."""
        numbers = [
            int(name.rsplit("-", 1)[1]) for name in self.aliases() if name.rsplit("-", 1)[0] == self.alias(family)
        ]
        name = f"{self.alias(family)}-{max(numbers, default=0) + 1:06}"
        body = {**index_body(family), "aliases": {self._filling(family): {}}}
        self._cluster.ask("PUT", f"/{name}", body, seconds=ADMIN_SECONDS, wait_for_active_shards="1")
        return name

    def switch(self, chosen: dict[str, str]) -> list[str]:
        """Ask these indices from now on, all at one instant. Returns those that were asked before; they are kept.

        `{"customer": "guanxi-customer-000002"}`. Old ones get no more writes.
        """
        before = self.aliases()
        actions: list[JSON] = []
        old = []
        for family, name in sorted(chosen.items()):
            alias = self.alias(family)
            for other in sorted(one for one, own in before.items() if alias in own and one != name):
                actions.append({"remove": {"index": other, "alias": alias}})
                old.append(other)
            actions.append({"add": {"index": name, "alias": alias}})
            if self._filling(family) in before.get(name, set()):
                actions.append({"remove": {"index": name, "alias": self._filling(family)}})
        # What was written must be seen by the first question that comes to the new index.
        self._cluster.ask("POST", f"/{','.join(sorted(chosen.values()))}/_refresh", seconds=ADMIN_SECONDS)
        self._cluster.ask("POST", "/_aliases", {"actions": actions}, seconds=ADMIN_SECONDS)
        return old

    def drop(self, name: str) -> None:
        """Delete an index; one that is gone already is no error."""
        try:
            self._cluster.ask("DELETE", f"/{name}", seconds=ADMIN_SECONDS)
        except ApiError as error:
            if error.status_code != 404:
                raise

    def list(self) -> list[Generation]:
        """Every index of this installation, also those that nothing points to any more."""
        found = self.aliases()
        if not found:
            return []
        names = ",".join(sorted(found))
        shapes = self._cluster.ask("GET", f"/{names}/_mapping", seconds=ADMIN_SECONDS)
        sizes = self._cluster.ask("GET", f"/{names}/_stats/docs,store", seconds=ADMIN_SECONDS)["indices"]
        generations = []
        for name, own in sorted(found.items()):
            alias = name.rsplit("-", 1)[0]
            family = alias.removeprefix(f"{self._cluster.prefix}-")
            primaries = sizes.get(name, {}).get("primaries", {})
            generations.append(
                Generation(
                    name=name,
                    family=family,
                    current=alias in own,
                    filling=f"{alias}-{FILLING}" in own,
                    shape=shapes[name]["mappings"].get("_meta", {}).get("shape", 0),
                    documents=primaries.get("docs", {}).get("count", 0),
                    bytes=primaries.get("store", {}).get("size_in_bytes", 0),
                )
            )
        return generations

    def refresh(self, names: list[str]) -> None:
        """What was written to these indices or aliases is found from now on."""
        self._cluster.ask("POST", f"/{','.join(names)}/_refresh", seconds=ADMIN_SECONDS)

    def extend(self) -> list[str]:
        """Add fields that this release declares to the indices that are there. Returns those of an older shape.

        An older shape cannot be extended: it is rebuilt.
        """
        old = []
        for one in self.list():
            if not one.current and not one.filling:
                continue
            if one.shape != SHAPE:
                old.append(one.name)
                continue
            changes = {"dynamic": False, "properties": mapping(one.family)["properties"]}
            self._cluster.ask("PUT", f"/{one.name}/_mapping", changes, seconds=ADMIN_SECONDS)
        return old
