"""Generations of the indices in Elasticsearch: each family is asked by an alias, behind which a whole index can change.

`<prefix>-customer` is the alias that is asked, `<prefix>-customer-1b2f60c4-000002` an index of documents of that form
(`form.py`). While an index is being filled it has the alias `<prefix>-customer-filling`; every writer writes to all
indices that have one of the two aliases. Who makes a generation does so under `alone`, and every writer looks at the
aliases once more under `beside` before it commits: so a document is either written to the new index or committed before
that index was made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError

from chassis.database import Work
from services.search.elastic_cluster import Cluster
from services.search.elastic_documents import families, index_body
from services.search.form import form

JSON = dict[str, Any]
FILLING = "filling"
ADMIN_SECONDS = 30.0
LOCK = "hashtext('guanxi search generations')"


@dataclass(frozen=True)
class Generation:
    """One index: whether it is asked, or still being filled; and the form of its documents."""

    name: str
    family: str
    current: bool
    filling: bool
    form: str


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

    def _named(self, name: str) -> re.Match[str] | None:
        """The parts of the name of an index of ours; the first release wrote no form into it."""
        return re.fullmatch(
            rf"{re.escape(self._cluster.prefix)}-({'|'.join(families())})(?:-([0-9a-f]{{8}}))?-(\d{{6}})", name
        )

    def being_filled(self) -> dict[str, str]:
        """The newest index of each family that is not asked yet."""
        return {one.family: one.name for one in self.list() if one.filling}

    def asked(self) -> dict[str, list[Generation]]:
        """The indices that are asked, by family; where there are two, both were made at once, and one is too many."""
        found: dict[str, list[Generation]] = {}
        for one in self.list():
            if one.current:
                found.setdefault(one.family, []).append(one)
        return found

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

    def create(self, family: str, *, asked: bool = False) -> str:
        """A new empty index, which is asked and written to at once where `asked`. Returns its name."""
        names = [match for name in self.aliases() if (match := self._named(name)) and match[1] == family]
        name = f"{self.alias(family)}-{form()}-{max((int(one[3]) for one in names), default=0) + 1:06}"
        body = {**index_body(family), **({"aliases": {self.alias(family): {}}} if asked else {})}
        # On a full disk an index is made and its shard is not: nobody waits for that here.
        self._cluster.ask("PUT", f"/{name}", body, seconds=ADMIN_SECONDS, wait_for_active_shards="1", timeout="2s")
        return name

    def fill(self, names: dict[str, str]) -> None:
        """Every writer writes to these indices, by family, from now on."""
        actions = [{"add": {"index": name, "alias": self._filling(family)}} for family, name in names.items()]
        self._cluster.ask("POST", "/_aliases", {"actions": actions}, seconds=ADMIN_SECONDS)

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
        """Every index of this installation, also those that nothing points to any more, oldest first."""
        found = []
        for name, own in self.aliases().items():
            if match := self._named(name):
                current, filling = self.alias(match[1]) in own, self._filling(match[1]) in own
                found.append(Generation(name, match[1], current, filling, match[2] or ""))
        return sorted(found, key=lambda one: one.name[-6:])

    def refresh(self, names: list[str]) -> None:
        """What was written to these indices or aliases is found from now on."""
        self._cluster.ask("POST", f"/{','.join(names)}/_refresh", seconds=ADMIN_SECONDS)
