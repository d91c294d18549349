"""Write the published documents, check that they are current, or compare them with a release.

`python -m contracts.publish` writes them to `contracts/published/`. With `--check` it exits 1 when they differ from the
code, with `--compare REV` when a consumer of the documents at that git revision would break.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from contracts.documents.asyncapi import asyncapi, event_schemas
from contracts.documents.compatibility import Documents, Finding, compare
from contracts.documents.openapi import openapi
from contracts.registry import registry

FOLDER = Path(__file__).parent / "published"


def documents() -> Documents:
    """Every document by its path below the published folder."""
    registry.load()
    found: Documents = {"openapi.json": openapi(registry), "asyncapi.json": asyncapi(registry)}
    for name, schema in sorted(event_schemas(registry).items()):
        found[f"events/{name}.schema.json"] = schema
    return found


def text(document: Any) -> str:
    """Two documents that say the same have the same text."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def drift(folder: Path = FOLDER) -> list[str]:
    """What differs between the folder and the code, as readable lines."""
    made = {name: text(document) for name, document in documents().items()}
    there = {str(path.relative_to(folder)): path.read_text("utf-8") for path in sorted(folder.rglob("*.json"))}
    lines = [f"{name} is missing" for name in made.keys() - there.keys()]
    lines += [f"{name} is not generated any more" for name in there.keys() - made.keys()]
    lines += [f"{name} differs from the code" for name in made.keys() & there.keys() if made[name] != there[name]]
    return sorted(lines)


def write(folder: Path = FOLDER) -> None:
    made = documents()
    (folder / "events").mkdir(parents=True, exist_ok=True)
    for path in folder.rglob("*.json"):
        if str(path.relative_to(folder)) not in made:
            path.unlink()
    for name, document in made.items():
        (folder / name).write_text(text(document), "utf-8")


def published_at(revision: str) -> Documents:
    """The published documents of a git revision; none when it had none."""
    prefix = "contracts/published/"
    names = git("ls-tree", "-r", "--name-only", revision, "--", prefix).splitlines()
    return {
        name.removeprefix(prefix): json.loads(git("show", f"{revision}:{name}"))
        for name in names
        if name.endswith(".json")
    }


def baselines() -> list[str]:
    """The revisions whose consumers count: the last release tag, and where this work left the main branch.

    Before the first release nobody has been promised anything, and there are none. On the main branch itself the second
    is the commit before, so that nothing is ever compared with itself.
    """
    release = _try("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    if not release:
        return []
    head = _try("rev-parse", "HEAD")
    base = next((base for main in ("origin/main", "main") if (base := _try("merge-base", "HEAD", main))), "")
    found = [release, base if base != head else _try("rev-parse", "--verify", "HEAD~1")]
    return list(dict.fromkeys(revision for revision in found if revision))


def findings_since(revision: str) -> list[Finding]:
    return compare(published_at(revision), documents())


def git(*arguments: str) -> str:
    """What git prints. Raises CalledProcessError with its message."""
    run = subprocess.run(
        ["git", *arguments], cwd=FOLDER.parent.parent, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return run.stdout


def _try(*arguments: str) -> str:
    try:
        return git(*arguments).strip()
    except (subprocess.CalledProcessError, FileNotFoundError):
        return ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m contracts.publish", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--check", action="store_true", help="exit 1 when the published documents differ from the code")
    parser.add_argument("--compare", metavar="REV", help="exit 1 when a consumer of the documents at REV would break")
    options = parser.parse_args(arguments)
    if options.compare:
        findings = findings_since(options.compare)
        print("\n".join(map(str, findings)) or f"Nothing that was promised at {options.compare} is broken.")
        return 1 if findings else 0
    if options.check:
        lines = drift()
        print("\n".join(lines) or "The published documents are current.")
        return 1 if lines else 0
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
