"""What every service does without saying so: the sagas of its records, what it answers to others' sagas, its alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from chassis import forgetting, repointing
from chassis.definitions import BUILDING
from chassis.records import custom_building, deleting, purging
from chassis.saga import Saga
from contracts import erasing, merging
from contracts.records import Ask

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.service import Service

ALARMS: dict[str, Callable[[str, Work], Any]] = {
    BUILDING: custom_building.ring,
    deleting.FOLLOW: deleting.on_alarm,
    purging.ALARM: purging.on_alarm,
    purging.FOLLOWING: purging.on_following,
}


def sagas(definition: type[Service]) -> Iterator[Saga]:
    """Merging and erasing, of each record that declares it."""
    for store in definition.stores:
        if "merge" in store.record.operations:
            yield from repointing.sagas(store)
        if "erase" in store.record.operations:
            yield from forgetting.sagas(store)


def asks(service: str) -> Iterator[tuple[Ask, Callable[[Any, Work], Any]]]:
    """Leading references over after a merge, and letting go of a person."""
    if service in merging.ASKS:
        yield merging.ASKS[service], repointing.repoint
    if service in erasing.ASKS:
        yield erasing.ASKS[service], forgetting.let_go
