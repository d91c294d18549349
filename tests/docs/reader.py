"""A reader who does what a page says in a copy of the repository: differences, new files and commands, in order."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOCAL = shutil.ignore_patterns(".git", ".venv", ".guanxi*", "__pycache__", ".*_cache", "*.egg-info", ".hypothesis")


def section(page: str, heading: str) -> str:
    """From the heading that begins with these words to the next one."""
    return page.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]


class Reader:
    """`copy` is made from the repository; `server` is the superuser's address of the PostgreSQL that migrations use."""

    def __init__(self, copy: Path, server: str) -> None:
        shutil.copytree(ROOT, copy, ignore=LOCAL)
        self.copy, self.server = copy, server

    def follow(self, text: str) -> None:
        """Everything in its order. What a command prints must be what the page shows."""
        for found in BLOCK.finditer(text):
            kind, block = found.groups()
            if kind == "diff":
                self._apply(block)
            elif kind == "console":
                for command, printed in commands(block):
                    assert without_numbers(self.run(command)) == printed, command
            # A file is written where the sentence before its block ends with its name.
            elif named := re.search(r"`([\w/]+\.py)`:\n\n\Z", text[: found.start()]):
                (self.copy / named[1]).parent.mkdir(parents=True, exist_ok=True)
                (self.copy / named[1]).write_text(block, "utf-8")

    def run(self, command: str) -> str:
        """What a command prints. Those of make run with this environment, and migrations on the given server."""
        words = [word.replace(".venv/bin/python", sys.executable) for word in shlex.split(command)]
        if words[:2] == ["make", "contracts"]:
            words = [sys.executable, "-m", "contracts.publish"]
        elif words[:2] == ["make", "migration"]:
            given = dict(word.split("=", 1) for word in words[2:])
            # As an operator writes an address, without the name of a driver.
            server = self.server.replace("postgresql+psycopg2:", "postgresql:")
            made = [given["SERVICE"], given["MESSAGE"], "--server", server]
            words = [sys.executable, "-m", "chassis.revise", *made]
        # Our own code is installed from where it was copied from; the copy goes before that.
        environment = {**os.environ, "PYTHONPATH": str(self.copy), "GUANXI_TEST_SERVER": self.server}
        done = subprocess.run(words, cwd=self.copy, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout if words[1:3] != ["-m", "pytest"] else ""

    def migration(self, service: str, name: str) -> str:
        """The text of the migration that was made under this name, whatever its number is."""
        (found,) = self.copy.glob(f"services/{service}/migrations/versions/[0-9]*_{name}.py")
        return found.read_text("utf-8")

    def _apply(self, difference: str) -> None:
        """Each hunk must stand in its file once; it is found by its lines, as a reader finds it."""
        head, name, *lines = difference.splitlines()
        assert head.removeprefix("--- a/") == name.removeprefix("+++ b/"), head
        path = self.copy / name.removeprefix("+++ b/")
        text = path.read_text("utf-8")
        for hunk in filter(None, re.split(r"^@@.*$", "\n".join(lines), flags=re.MULTILINE)):
            shown = hunk.strip("\n").splitlines()
            old, new = ("\n".join(line[1:] for line in shown if line[:1] in ("", " ", sign)) for sign in "-+")
            assert text.count(f"\n{old}") == 1, f"{path.name} does not have once: {old}"
            text = text.replace(f"\n{old}", f"\n{new}")
        path.write_text(text, "utf-8")


def commands(block: str) -> list[tuple[str, str]]:
    """Each command with what it prints."""
    pieces = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def without_numbers(printed: str) -> str:
    """The name of a migration without the number, which depends on how many there are; the first is always 0001."""
    return re.sub(r"^(?!0001)\d{4}_", "NNNN_", printed, flags=re.MULTILINE)
