"""A page's shell blocks and the answers that it shows beneath them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANYTHING = "…"
_BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A shell block, and in what form (`json`, `text` or none) which answer is shown for it."""

    command: str
    form: str = ""
    shown: str = ""


def steps(page: str, heading: str) -> list[Step]:
    """The shell blocks below a heading of the second level, each with the block of its answer."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found: list[Step] = []
    for form, text in _BLOCK.findall(section):
        if form == "sh":
            found.append(Step(text))
        else:
            found[-1] = Step(found[-1].command, form, text)
    return found


def run(made: list[Step], folder: Path, environment: dict[str, str], timeout: float) -> list[str]:
    """What each step printed. All run in one shell, so that its variables and functions last."""
    outputs = [folder / f"step-{number}.out" for number in range(len(made))]
    parts = [f"{{\n{step.command}}} > {output}\n" for step, output in zip(made, outputs, strict=True)]
    ended = subprocess.run(
        ["bash", "-eu"],
        input="".join(parts),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stderr}\n{[path.read_text() for path in outputs if path.exists()]}"
    return [output.read_text() for output in outputs]


def check(step: Step, output: str) -> None:
    """Fail where an answer is not what is shown for the step."""
    if step.form == "json":
        differ("", json.loads(step.shown), json.loads(output))
    elif step.form == "text":
        assert output.replace("\r", "").splitlines() == step.shown.splitlines()


def differ(where: str, shown: Any, found: Any) -> None:
    """Objects may have more members than are shown, lists may not, and `…` stands for anything."""
    if shown == ANYTHING:
        return
    if isinstance(shown, dict):
        assert isinstance(found, dict), f"{where}: {found!r} is no object"
        for name, value in shown.items():
            assert name in found, f"{where}: there is no {name}"
            differ(f"{where}.{name}", value, found[name])
    elif isinstance(shown, list) and shown != [ANYTHING]:
        assert isinstance(found, list), f"{where}: {found!r} is no list"
        assert len(shown) == len(found), f"{where}: {len(found)} items"
        for number, value in enumerate(shown):
            differ(f"{where}[{number}]", value, found[number])
    elif shown != [ANYTHING]:
        assert shown == found, f"{where}: {found!r} instead of {shown!r}"
