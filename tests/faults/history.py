"""What was asked, what was answered, and what came of it: the history that a fault run is judged by.

An *operation* is one write with one Idempotency-Key; an *attempt* is one HTTP request for it. The effects of an
operation are the change rows that carry its mark, counted in the databases and not by asking the suite.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

SECONDS = 10.0
"""Within which every request is answered, whatever is broken."""
REFUSED = frozenset({404, 409, 412, 422})
"""Definite refusals: the rule did not allow it, and nothing was written."""
MOST_SHOWN = 5


@dataclass(frozen=True)
class Effect:
    """Change rows of this `type` in the service's database whose `field` is `value`; `each` of them make one effect.

    With the type `saga <name>` it is the sagas of the record whose id is the value.
    """

    service: str
    type: str
    field: str
    value: str
    each: int = 1


@dataclass(frozen=True)
class Attempt:
    """One request: when it began (seconds of the run), how long it took, and its status; None without an answer."""

    began: float
    seconds: float
    status: int | None
    code: str
    retry_after: str | None
    body: JSON | None = field(repr=False, default=None)
    late: bool = False
    """Whether it was made after the fault, to find out what had become of an earlier one."""

    @property
    def acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def definite(self) -> bool:
        """Whether it says for sure what became of the operation, for this attempt and every other one."""
        return self.acknowledged or (self.status in REFUSED and self.code != "in_flight")


@dataclass
class Operation:
    """One write. `tenant` is the tenant's slug; `resolve` says whether a 503 is repeated or left as it is."""

    number: int
    kind: str
    tenant: str
    method: str
    path: str
    body: Any
    key: str
    effect: Effect
    resolve: bool
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return any(attempt.acknowledged for attempt in self.attempts)

    @property
    def unknown(self) -> bool:
        """Whether nobody can say yet what became of it. After a 503 nothing was written, which is an answer, too."""
        if any(attempt.definite for attempt in self.attempts):
            return False
        return self.resolve or any(attempt.status != 503 for attempt in self.attempts)

    @property
    def answer(self) -> JSON | None:
        return next((attempt.body for attempt in self.attempts if attempt.acknowledged), None)


@dataclass
class Counts:
    """The row of one fault in the published table."""

    attempts: int = 0
    acknowledged: int = 0
    ok: int = 0
    lost: int = 0
    duplicated: int = 0
    recovered: int = 0
    unexpected: int = 0


class History:
    """Every operation and every read of a run. Thread-safe."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.operations: list[Operation] = []
        self.reads: list[tuple[str, Attempt]] = []
        self.surprises: list[str] = []
        """What no fault excuses: answers that must not be, and answers that came too late."""
        self._lock = threading.Lock()

    def now(self) -> float:
        return time.monotonic() - self.began

    def add(self, operation: Operation) -> None:
        with self._lock:
            self.operations.append(operation)

    def note(self, what: str, attempt: Attempt, *, method: str = "") -> None:
        """Judge one attempt by itself."""
        allowed = attempt.status is None or attempt.status < 400 or attempt.status in REFUSED | {503, 504}
        if not allowed or (attempt.code == "idempotency_mismatch" and "another body" not in what):
            self.surprise(f"{what}: answered {attempt.status} {attempt.code}")
        if attempt.seconds > SECONDS:
            self.surprise(f"{what}: took {attempt.seconds:.1f} s ({attempt.status} {attempt.code})")
        if attempt.status == 503 and not (attempt.retry_after or "").isdigit():
            self.surprise(f"{what}: 503 without Retry-After")
        if not method:
            with self._lock:
                self.reads.append((what, attempt))

    def surprise(self, what: str) -> None:
        with self._lock:
            self.surprises.append(what)

    def judge(self, effects: Counter[Effect]) -> Counts:
        """Compare every operation with its effects; what does not fit is also in `surprises`."""
        counts = Counts(attempts=len(self.operations))
        for one in self.operations:
            rows = effects[one.effect]
            effect, rest = divmod(rows, one.effect.each)
            name = f"{one.kind} {one.number} of {one.tenant} ({[a.status for a in one.attempts]})"
            in_time = any(attempt.acknowledged for attempt in one.attempts if not attempt.late)
            counts.acknowledged += in_time
            if rest:
                counts.unexpected += 1
                self.surprise(f"{name}: {rows} rows, which is no whole number of effects")
            elif effect > 1:
                counts.duplicated += 1
                self.surprise(f"{name}: {effect} effects")
            elif one.acknowledged and not effect:
                counts.lost += 1
                self.surprise(f"{name}: acknowledged and not there")
            elif effect and not one.acknowledged:
                counts.unexpected += 1
                self.surprise(f"{name}: there although it was never acknowledged")
            elif one.unknown:
                counts.unexpected += 1
                self.surprise(f"{name}: its outcome could not be found out")
            elif effect:
                counts.ok += 1
                counts.recovered += not in_time
        counts.unexpected += sum(1 for each in self.surprises if ": answered " in each or ": took " in each)
        return counts

    def write(self, path: Path) -> None:
        """One line of JSON for each attempt, in the order of their beginnings."""
        lines: list[tuple[float, JSON]] = []
        for one in self.operations:
            what = {"op": one.number, "kind": one.kind, "tenant": one.tenant, "key": one.key}
            for attempt in one.attempts:
                lines.append((attempt.began, {**what, **_plain(attempt), "outcome": outcome(attempt)}))
        lines += [(attempt.began, {"kind": what, **_plain(attempt)}) for what, attempt in self.reads]
        path.write_text("".join(json.dumps(line) + "\n" for _, line in sorted(lines, key=lambda each: each[0])))


def outcome(attempt: Attempt) -> str:
    """Jepsen's word for it: ok, fail (certainly nothing happened) or unknown."""
    if attempt.acknowledged:
        return "ok"
    return "fail" if attempt.definite or attempt.status == 503 else "unknown"


def _plain(attempt: Attempt) -> JSON:
    return {name: value for name, value in asdict(attempt).items() if name not in ("body", "retry_after")}
