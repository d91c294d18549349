"""What the leader does for Elasticsearch: it makes missing indices, and writes there what is noted as lacking."""

from __future__ import annotations

import logging
import time
from typing import Any

from elasticsearch import ApiError

from services.search import behind, kept, tenants
from services.search.elastic import ElasticIndex
from services.search.elastic_cluster import Away
from services.search.elastic_documents import family_of
from services.search.generations import Targets
from services.search.index import Key
from services.search.mapping import Document

log = logging.getLogger("guanxi")
PORTION = 500
TURN_SECONDS = 5.0


def look_after(runtime: Any, index: ElasticIndex) -> None:
    """Make the indices that are missing, and write what is noted, for some seconds.

    Where Elasticsearch is away everything stays as it is.
    """
    try:
        make_missing(runtime, index)
        drain(runtime, index, TURN_SECONDS)
    except Away as error:
        log.debug("search waits for Elasticsearch: %s", error)
    except ApiError as error:
        log.warning("Elasticsearch refused what the index needs: %s", error)


def make_missing(runtime: Any, index: ElasticIndex) -> list[str]:
    """Make the index of each family that has none, after noting every document of it as lacking. Returns the families.

    So a server that is new, or an index that somebody deleted, is filled from PostgreSQL, which answers until then.
    """
    missing = index.generations.missing()
    if not missing:
        return []
    log.info("search makes the missing indices of %s", ", ".join(missing))
    for tenant in tenants.known(runtime):
        with runtime.database.work(runtime.principal(tenant, "index")) as work:
            behind.note_all(work, missing)
    # Every process has looked anew by then, so that nobody takes the empty index for the whole.
    time.sleep(behind.LOOK_SECONDS + 0.5)
    index.generations.switch({family: index.generations.create(family) for family in missing})
    return missing


def drain(runtime: Any, index: ElasticIndex, seconds: float) -> int:
    """Write what is noted, a portion of each tenant in turn, for about this long. Returns how many were written."""
    end = time.monotonic() + seconds
    done = 0
    while time.monotonic() < end:
        with runtime.database.operations() as connection:
            waiting = behind.tenants(connection)
        written = sum(drain_portion(runtime, index, tenant) for tenant in waiting)
        done += written
        if not written:
            break
    return done


def drain_portion(runtime: Any, index: ElasticIndex, tenant: str) -> int:
    """Write one portion of what a tenant lacks. Returns how many documents are there now."""
    context = runtime.principal(tenant, "index")
    with runtime.database.reading(context) as work:
        wanted = behind.following(work, PORTION)
        forced = behind.forced(work, PORTION)
        documents = kept.documents(work, [*wanted, *forced])
    if not wanted and not forced:
        return 0
    targets = index.generations.targets()
    pressed = [one for one in documents if (one.record, one.id) in forced]
    wrong = _make_room(index, tenant, pressed, targets)
    settled = {key for key, (_, settled) in forced.items() if settled and key not in wrong}
    written = [one for one in documents if (one.record, one.id) in wanted or (one.record, one.id) in wrong]
    lacking, refused = index.write(tenant, written, targets)
    # What is no longer noted must be found at once: from then on Elasticsearch answers again.
    touched = sorted({name for one in written for name in targets[family_of(one.record)]})
    if touched:
        index.generations.refresh(touched)
    left = {(one.record, one.id) for one in lacking}
    # What PostgreSQL does not hold either (its tenant was erased since) need not be written.
    there = wanted | {(one.record, one.id): one.version for one in documents if (one.record, one.id) in wanted}
    done = {key: version for key, version in there.items() if key not in left}
    done |= {key: version for key, (version, _) in forced.items() if key in settled}
    with runtime.database.work(context) as work:
        behind.caught_up(work, done)
        behind.note(work, [one for one in lacking if (one.record, one.id) in refused], refused)
        # It is looked at once more: what was on its way when it was forced may have come in front of it.
        behind.note(work, [one for one in pressed if (one.record, one.id) in wrong], forced=True)
    return len(done)


def _make_room(index: ElasticIndex, tenant: str, documents: list[Document], targets: Targets) -> set[Key]:
    """Take out of the indices what they hold in another version than PostgreSQL does; returns which those were."""
    wrong: set[Key] = set()
    by_name: dict[str, list[Document]] = {}
    for document in documents:
        for name in targets.get(family_of(document.record), ()):
            by_name.setdefault(name, []).append(document)
    for name, own in by_name.items():
        held = index.held(tenant, [(one.record, one.id) for one in own], name)
        differing = [one for one in own if held.get((one.record, one.id)) != one.version]
        index.forget(tenant, [(one.record, one.id) for one in differing], name)
        wrong |= {(one.record, one.id) for one in differing}
    return wrong
