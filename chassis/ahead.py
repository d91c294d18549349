"""Two hands at one work: while the database writes one portion, the next is made."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Generator[T]:
    """The same items, none of them None, each made in a thread of its own while the one before is worked on.

    What making an item raises is raised where that item would have come. Close it when not all are taken.
    """
    with ThreadPoolExecutor(1, "ahead") as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


@contextmanager
def meanwhile(effect: Callable[[], Any]) -> Iterator[None]:
    """Run `effect` in a thread of its own while the body runs, and raise behind the body what it raised.

    The body must leave alone what `effect` works on.
    """
    with ThreadPoolExecutor(1, "meanwhile") as hand:
        running = hand.submit(effect)
        yield
        running.result()
