"""Schemathesis over the published OpenAPI document against the app itself, signed in as an administrator.

`run` asks each operation for itself; `follow` walks along the links from one answer to the next request.
"""

from __future__ import annotations

import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.security.examples import Examples
from tests.security.grounding import Ground
from tests.security.shop import Shop
from tests.security.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# A stream never ends, so there is no answer to check.
EXCLUDED = ("/v1/events/stream",)
LATE = ("delete", "deactivate", "cancel")
TOGETHER = 5
"""Walks of one seed; the first is the shortest there is."""


@dataclass
class Report:
    """What was asked and answered. `led` of the requests were made of an answer before; `failures` are texts with the
    request that shows each."""

    seed: int
    operations: int = 0
    led: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def answers(self) -> int:
        return self.statuses.total()

    @property
    def share(self) -> float:
        """How many of the answers were a success."""
        return sum(count for status, count in self.statuses.items() if status < 300) / max(1, self.answers)

    def __str__(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"seed {self.seed}: {self.answers} answers of {self.operations} operations, "
            f"{self.share:.0%} of them 2xx ({statuses})"
        )


class Fuzz:
    """`run(examples)` sends that many requests to each operation, and a third as many that break its schema."""

    def __init__(self, world: World, shop: Shop, number: int) -> None:
        self.world, self.shop = world, shop
        self.report = Report(number)
        self.ground = Ground(Examples(shop), number)
        # Requests without a token have a matrix of their own; here they would only hide what else is wrong.
        config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
        self.schema = schemathesis.openapi.from_wsgi("/openapi.json", world.app, config=config)
        paths = [one.ok().path for one in self.schema.get_all_operations()]
        self._words = {path.split("/")[3] for path in paths if path.count("/") >= 3}

    def run(self, examples: int) -> Report:
        found = [one.ok() for one in self.schema.get_all_operations()]
        operations = sorted((one for one in found if one.path not in EXCLUDED), key=_order)
        self.report.operations = len(operations)
        for _, group in groupby(operations, key=lambda one: one.tags[0]):
            for operation in group:
                self.ground.forget()
                self._generate(operation, GenerationMode.POSITIVE, examples)
                self._generate(operation, GenerationMode.NEGATIVE, max(1, examples // 3))
            # What a whole collection's requests have caused is delivered before the next one's.
            self.world.settle()
        return self.report

    def follow(self, collection: str, walks: int, steps: int) -> Report:
        """So many walks of up to so many requests, each beginning anywhere and led on by ids in answers."""
        machine = self.schema.include(tag=collection).as_state_machine()
        for number in range(0, walks, TOGETHER):
            self._walk(machine, f"{collection} {number}", min(TOGETHER, walks - number), steps)
        self.world.settle()
        return self.report

    def _walk(self, machine: Any, name: str, walks: int, steps: int) -> None:
        fuzz = self

        @seed(zlib.crc32(f"{self.report.seed} {name}".encode()))
        class Walk(machine):  # type: ignore[misc]
            def step(self, step: StepInput) -> StepOutput:
                fuzz.ground.settle_down(step.case, led=step.is_applied)
                fuzz.report.led += step.is_applied
                return StepOutput(fuzz.send(step.case), step.case)

        self.ground.forget()
        # What a step may choose depends on the answers before it, and these on what the tenant holds by now. Hypothesis
        # gives up where the same choices mean something else than before; what was answered until then is judged.
        with suppress(FlakyStrategyDefinition):
            Walk.run(
                settings=settings(
                    max_examples=walks,
                    stateful_step_count=steps,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
            )

    def _generate(self, operation: Any, mode: GenerationMode, examples: int) -> None:
        @seed(zlib.crc32(f"{self.report.seed} {operation.label} {mode}".encode()))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Case) -> None:
            if mode is GenerationMode.POSITIVE:
                self.ground.settle_down(case)
            self.send(case)

        try:
            one()
        except Unsatisfiable:
            # Without parameters and body there is nothing that could be wrong.
            assert mode is GenerationMode.NEGATIVE, operation.label

    def send(self, case: Case) -> Any:
        """The answer, which is judged by what is published of its operation."""
        headers = {"Authorization": f"Bearer {self.shop.api.token}"}
        answer = case.call(headers=headers)
        if (case.path_parameters or {}).get("id") in self._words:
            # `/v1/segments/bulk` is no record with a strange id, but another route, with methods of its own.
            return answer
        self.report.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS, headers=headers)
        except (Failure, FailureGroup) as failure:
            told = "; ".join(str(one) for one in getattr(failure, "exceptions", [failure]))
            shown = f"{answer.status_code} {answer.text[:300]}"
            self.report.failures.append(f"{case.operation.label}: {told}\n{shown}\n{case.as_curl_command()}")
        return answer


def _order(operation: Any) -> tuple[str, int, str]:
    """Collections in turn; in each, records are made before they are read, and taken away last."""
    last = operation.path.rsplit("/", 1)[-1]
    place = 0 if operation.method == "post" and last == operation.tags[0] else 1
    return operation.tags[0], 2 if operation.method == "delete" or last in LATE else place, operation.label
