"""Every moment of every flow: play it undisturbed, die at each of its moments, compare what is there in the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from chassis import repointing
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Databases, Suite
from contracts.registry import SERVICES
from tests.crash.child import Pipeline
from tests.crash.flows import Flow, furnish
from tests.crash.world import Left, Stage, World
from tests.proof import steps
from tests.proof.house import Clock, House
from tests.proof.state import State
from tests.proof.tenants import Tenants

_HANDLED = (
    "SELECT DISTINCT CASE WHEN consumer = 'asks' THEN type ELSE consumer END FROM inbox WHERE tenant_id = %s"
    " AND state = 'done'"
)

Place = tuple[Left, tuple[str, ...]]
"""What a kill has left behind, and the steps by which it was recovered from."""

BATCH = 2
"""References that one transaction leads over after a merge: so few that small flows have moments between batches."""


@dataclass
class Examined:
    """What came out of one stage: its steps, how many runs there were, and those that ended in another state.

    `pairs` counts the pairs of moments that there are, `different` those that do not repeat another one, and `played`
    those of them that were played.
    """

    flow: str
    stage: str
    steps: list[str]
    runs: int = 0
    pairs: int = 0
    different: int = 0
    played: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def moments(self) -> int:
        return len(self.steps) + 1


class Enumeration:
    """One worker: databases of its own, a furnished tenant, and a world in which flows are played."""

    def __init__(self, server: str, name: str) -> None:
        os.environ.update(GUANXI_SMTP_URL="smtp://127.0.0.1:1", GUANXI_SMTP_FROM="crm@tea.example")
        # The same flow must send the same statements each time, and what is prepared depends on what was sent before.
        self._databases = Databases(server, name, prepared=False)
        repointing.BATCH = BATCH
        clock, pipeline = Clock(), Pipeline()
        for service in SERVICES:
            database = self._databases.open(service, clock)  # type: ignore[arg-type]
            steps.watch(database.app, service)
            steps.watch(database.ops, service)
        self._furnished = furnish(Suite(self._databases, SERVICES))
        steps.woken.clear()
        house = House(self._databases, SERVICES, clock, pipeline)
        # The name by which a tenant signs in is the installation's, and no flow has a use for it.
        self._tenants = Tenants(self._databases, SERVICES, without=("tenants",))
        self._tenants.shelve(self._furnished["tenant"])
        self._handled: set[tuple[str, str]] = set()
        self.world = World(house, pipeline, self._tenants)

    def close(self) -> None:
        self.world.close()
        self._tenants.close()
        self._databases.drop()

    def stages(self, flow: Flow) -> Iterator[tuple[Stage, str, dict[str, str], State, list[str]]]:
        """Each examined stage with the tenant and the names it begins with, its undisturbed end and its steps."""
        template = self._furnished["tenant"] if flow.furnished else new_id()
        known = dict(self._furnished)
        self.world.user_id = self._furnished["user"]
        for index, stage in enumerate(flow.stages):
            self.world.known = dict(known)
            end, passed = self.world.run(stage, template)
            tenant, later = self.world.tenant, self.world.known
            for service in SERVICES:
                rows = self._tenants.query(service, _HANDLED, (tenant,))
                self._handled |= {(service, name) for (name,) in rows}
            self._tenants.shelve(tenant)
            if index >= flow.given:
                yield stage, template, known, end, passed
            template, known = tenant, later

    def examine(
        self,
        flow: Flow,
        share: Callable[[int], bool] = lambda moment: True,
        *,
        pairs: Callable[[int, int], bool] | None = None,
        first: bool = False,
    ) -> Iterator[Examined]:
        """Die at every moment of the flow that `share` picks; with `pairs` also at those of each recovery's moments
        for which it says so, given both.

        Where a kill leaves behind what another one in the same turn has left (before each statement of a transaction,
        say), and recovers by the same steps, its pairs are that one's pairs and are not played again.

        With `first` a stage is left at its first difference.
        """
        for stage, template, known, end, passed in self.stages(flow):
            found = Examined(flow.name, stage.__name__, passed)
            began = time.monotonic()
            met: set[Place] = set()
            for moment in filter(share, range(found.moments)):
                recovery = self._try(found, stage, template, known, end, (moment,))
                place, seconds = self.place(recovery), range(len(recovery) + 1)
                found.pairs += len(seconds) if pairs else 0
                if pairs and place not in met:
                    met.add(place)
                    found.different += len(seconds)
                    for second in filter(partial(pairs, moment), seconds):
                        found.played += 1
                        self._try(found, stage, template, known, end, (moment, second))
                if first and found.wrong:
                    break
            found.seconds = time.monotonic() - began
            yield found

    def place(self, recovery: list[str]) -> Place:
        """What is behind the first kill of the run that was just played: pairs of the same place are played once."""
        return self.world.left[0], tuple(recovery)

    def unexamined(self) -> list[str]:
        """Reactions and answers to sagas of which no flow so far had any: each wants a flow that has it."""
        declared = {
            (name, handler)
            for name, runtime in self.world.house.runtimes.items()
            if runtime.definition.batch is None
            for handler in (*(reaction.name for reaction in runtime.reactions), *runtime.asks)
        }
        return sorted(f"{service}: {name}" for service, name in declared - self._handled)

    def _try(
        self, found: Examined, stage: Stage, template: str, known: dict[str, str], end: State, moments: tuple[int, ...]
    ) -> list[str]:
        self.world.known = dict(known)
        found.runs += 1
        passed: list[str] = []
        try:
            state, passed = self.world.run(stage, template, moments)
            difference = state.difference(end)
        except (AssertionError, Problem) as error:
            difference = [repr(error)]
        expected = found.steps[moments[0]] if moments[0] < len(found.steps) else "after the last step"
        if self.world.deaths[:1] != [expected]:
            difference.insert(0, f"it should have died at {expected!r}: the flow is not the same each time")
        if difference:
            where = " and ".join(
                f"{moment} ({words})" for moment, words in zip(moments, self.world.deaths, strict=False)
            )
            found.wrong.append(
                "\n    ".join([f"{found.flow}, {found.stage}, killed before step {where}", *difference[:20]])
            )
        return passed


@contextmanager
def enumeration(server: str, name: str) -> Iterator[Enumeration]:
    made = Enumeration(server, name)
    try:
        yield made
    finally:
        made.close()
