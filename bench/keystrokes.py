"""People who type: seeded questions key by key, sent when they are due whether or not the one before was answered.

Nothing of Guanxi is imported here, so that the same keys go to whatever is measured.
"""

from __future__ import annotations

import queue
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pypinyin import lazy_pinyin

from bench.search_rows import Row

USERS, KEYS_A_SECOND = 8, 5.0
LONGEST = 16
SLIPS, SOUNDS, WORDS = 0.03, 0.4, 0.25
"""The shares of names with a slip, of Chinese names typed by their sound, and of names from their second word on."""
SHORT = (1, 2, 3)
Send = Callable[[str], None]


@dataclass
class Typed:
    """What was measured: milliseconds from when a key was due to its answer, by how many letters there were."""

    taken: list[tuple[int, float, str]] = field(default_factory=list)
    errors: int = 0

    def at(self, share: float, letters: Sequence[int] | None = None) -> float:
        """The percentile of all, or of questions with so many letters; 0 for none."""
        own = sorted(one for length, one, _ in self.taken if letters is None or length in letters)
        return own[min(len(own) - 1, int(share * len(own)))] if own else 0.0

    def mean(self) -> float:
        return statistics.fmean(one for _, one, _ in self.taken) if self.taken else 0.0


def keys(by_set: dict[str, list[Row]], seed: str) -> Iterator[str]:
    """What stands in the box after each key, of one name after another; every set of names is typed equally."""
    chance = random.Random(seed)
    while True:
        name = _name(chance.choice(by_set[chance.choice(sorted(by_set))]).name.lower(), chance)
        yield from (name[:length] for length in range(1, len(name) + 1) if name[length - 1] != " ")


def _name(name: str, chance: random.Random) -> str:
    if not name.isascii() and chance.random() < SOUNDS:
        name = "".join(lazy_pinyin(name))
    words = name.split()
    if len(words) > 2 and chance.random() < WORDS:
        name = " ".join(words[1:])
    if len(name) > 5 and chance.random() < SLIPS:
        at = chance.randrange(2, len(name) - 1)
        name = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return name[: chance.randrange(4, LONGEST + 1)]


def type_ahead(rows: Sequence[Row], seconds: float, connect: Callable[[], Send], *, seed: int = 1) -> Typed:
    """Let eight users type for so long. `connect` makes what sends one question and waits for its answer."""
    measured, lock = Typed(), threading.Lock()
    due: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()

    def work() -> None:
        send = connect()
        while (one := due.get()) is not None:
            at, typed = one
            try:
                send(typed)
                failed = False
            except Exception:
                send, failed = connect(), True
            taken = 1000 * (time.monotonic() - at)
            with lock:
                measured.errors += failed
                measured.taken.append((len(typed), taken, typed))

    # Four times as many connections as users: nobody's key waits for the answer to an earlier one.
    workers = [threading.Thread(target=work) for _ in range(4 * USERS)]
    for worker in workers:
        worker.start()
    by_set: dict[str, list[Row]] = {}
    for row in rows:
        by_set.setdefault(row.set, []).append(row)
    streams = [keys(by_set, f"{seed} {user}") for user in range(USERS)]
    began, step = time.monotonic() + 0.2, 1 / (USERS * KEYS_A_SECOND)
    for number in range(int(seconds / step)):
        at = began + number * step
        time.sleep(max(0.0, at - time.monotonic()))
        due.put((at, next(streams[number % USERS])))
    for _ in workers:
        due.put(None)
    for worker in workers:
        worker.join()
    return measured
