"""What the leader does for Elasticsearch: it makes missing indices, and writes there what is noted as lacking."""

from __future__ import annotations

import logging
import random
import time
from itertools import islice
from typing import Any

from elasticsearch import ApiError

from chassis.errors import Problem
from chassis.operators import ZERO
from services.search import behind, kept, rebuild, tenants
from services.search.elastic import ElasticIndex
from services.search.elastic_cluster import Away
from services.search.elastic_documents import family_of
from services.search.generations import Targets, alone
from services.search.index import Key

log = logging.getLogger("guanxi")
PORTION = 500
TURN_SECONDS = 1.0
"""Seconds that writing what is noted may take; the leader's other timers get their turn between two runs."""
SEEN_SECONDS = behind.LOOK_SECONDS + 0.5
"""After which every process has seen that something is noted."""
UNUSED_SECONDS = 10.0
"""After which no question is still on its way to an index that is not asked any more."""


class Keeper:
    """The leader's turn of one process.

    It remembers since when the families without an index are noted as lacking, and since when an index is not needed.
    """

    def __init__(self, runtime: Any, index: ElasticIndex) -> None:
        self._runtime, self._index = runtime, index
        self._noted: dict[str, float] = {}
        self._idle: dict[str, float] = {}

    def tend(self) -> None:
        """Make the indices that are missing, and write what is noted, for a second.

        Where Elasticsearch is away everything stays as it is.
        """
        try:
            self.make_missing()
            drain(self._runtime, self._index, TURN_SECONDS)
            self.tidy()
        except Away as error:
            log.debug("search waits for Elasticsearch: %s", error)
        except ApiError as error:
            log.warning("Elasticsearch refused what the index needs: %s", error)
        except Problem as problem:
            log.info("search cannot look after Elasticsearch now: %s", problem)

    def make_missing(self, *, seen: float = SEEN_SECONDS) -> list[str]:
        """Note every document of the families without an index as lacking; make their indices in a later turn, `seen`
        seconds after that. Returns the families whose index was made.

        So a server that is new, or an index that somebody deleted, is filled from PostgreSQL, which answers until then.
        By the time that there is an index every process has seen the notes, and nobody takes the empty one for whole.
        """
        missing = self._index.generations.missing()
        self._noted = {family: at for family, at in self._noted.items() if family in missing}
        fresh = [family for family in missing if family not in self._noted]
        if fresh:
            log.info("search makes the missing indices of %s", ", ".join(fresh))
            self._note_all(fresh)
            self._noted |= dict.fromkeys(fresh, time.monotonic())
        made = [family for family in missing if self._noted[family] + seen <= time.monotonic()]
        for family in made:
            self._index.generations.create(family, asked=True)
        return made

    def tidy(self, *, unused: float = UNUSED_SECONDS) -> None:
        """Delete the indices that have not been asked, nor filled by a rebuild, for so many seconds."""
        now = time.monotonic()
        idle = []
        if not rebuild.under_way(self._runtime):
            idle = [one.name for one in self._index.generations.list() if not one.current]
        self._idle = {name: self._idle.get(name, now) for name in idle}
        for family, several in self._index.generations.asked().items():
            if len(several) > 1:
                # Two leaders have made it at once; everything that it lacks is noted, whichever it is.
                self._index.generations.switch({family: several[0].name})
        for name in [name for name, since in self._idle.items() if since + unused <= now]:
            log.info("the index %s is not needed any more", name)
            self._index.generations.drop(name)

    def _note_all(self, families: list[str]) -> None:
        for number, tenant in enumerate(tenants.known(self._runtime)):
            context = self._runtime.principal(tenant, "index")
            if number == 0:
                # Who saw the index before it went commits first; whoever comes later notes by himself what it lacks.
                with self._runtime.database.work(context) as work:
                    alone(work)
            last: Key | None = ("", ZERO)
            while last:
                with self._runtime.database.work(context) as work:
                    last = behind.note_all(work, families, last)


def drain(runtime: Any, index: ElasticIndex, seconds: float) -> int:
    """Write what is noted, a portion of each tenant in turn, for about this long. Returns how many were written."""
    end = time.monotonic() + seconds
    done = 0
    while time.monotonic() < end:
        with runtime.database.operations() as connection:
            waiting = behind.tenants(connection)
        # Whose turn does not come today may be the first tomorrow.
        random.shuffle(waiting)
        written = 0
        for tenant in waiting:
            if time.monotonic() < end:
                written += drain_portion(runtime, index, tenant)
        done += written
        if not written:
            break
    return done


def drain_portion(runtime: Any, index: ElasticIndex, tenant: str) -> int:
    """Write one portion of what a tenant lacks. Returns how many documents are there now."""
    context = runtime.principal(tenant, "index")
    with runtime.database.reading(context) as work:
        wanted = behind.following(work, PORTION + 1)
        more = len(wanted) > PORTION
        wanted = dict(islice(wanted.items(), PORTION))
        forced = behind.forced(work, PORTION)
        documents = kept.documents(work, [*wanted, *forced])
    if not wanted and not forced:
        return 0
    targets = index.generations.targets()
    right = {(one.record, one.id): one.version for one in documents}
    wrong, gone = _make_room(index, tenant, {key: right.get(key) for key in forced}, targets)
    settled = {key for key, (_, settled) in forced.items() if settled and key not in wrong}
    written = [one for one in documents if (one.record, one.id) in wanted or (one.record, one.id) in gone]
    lacking, refused = index.write(tenant, written, targets)
    if not more:
        # Once nothing is noted Elasticsearch answers again, and all that was written in this and earlier turns must be
        # found at once.
        index.generations.refresh(sorted({name for names in targets.values() for name in names}))
    left = {(one.record, one.id) for one in lacking}
    # What PostgreSQL does not hold either (its tenant was erased since) need not be written.
    there = wanted | {(one.record, one.id): one.version for one in documents if (one.record, one.id) in wanted}
    done = {key: version for key, version in there.items() if key not in left}
    done |= {key: version for key, (version, _) in forced.items() if key in settled}
    with runtime.database.work(context) as work:
        behind.caught_up(work, done)
        behind.note(work, [one for one in lacking if (one.record, one.id) in refused], refused)
        # They are looked at again: what was on its way when one was forced may have come in front of it.
        behind.note(work, [behind.Lack(*key, forced[key][0]) for key in wrong], forced=True)
    return len(done)


def _make_room(
    index: ElasticIndex, tenant: str, right: dict[Key, int | None], targets: Targets
) -> tuple[set[Key], set[Key]]:
    """Take out of the indices what they hold in another version than PostgreSQL does, or without it doing so at all.

    Returns which those were, and which of them had been taken out before. Elasticsearch remembers for a moment what was
    deleted: only in a later turn it takes an older version.
    """
    wrong: set[Key] = set()
    held_somewhere: set[Key] = set()
    by_name: dict[str, list[Key]] = {}
    for key in right:
        for name in targets.get(family_of(key[0]), ()):
            by_name.setdefault(name, []).append(key)
    for name, own in by_name.items():
        held = index.held(tenant, own, name)
        differing = {key for key in own if held.get(key) != right[key]}
        index.forget(tenant, sorted(differing & held.keys()), name)
        held_somewhere |= differing & held.keys()
        wrong |= differing
    return wrong, wrong - held_somewhere
