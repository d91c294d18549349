"""What the pages say about the code, compared with the code."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "*.md",
    "docs/**/*.md",
    "examples/**/*.md",
    "deploy/**/*.md",
    "bench/*.md",
    "tests/**/*.md",
    "chassis/**/*.md",
)
PAGES = sorted(path for one in FOLDERS for path in ROOT.glob(one))
SETTINGS = (
    "chassis/egress.py",
    "chassis/settings.py",
    "chassis/s3.py",
    "gateway/settings.py",
    "gateway/gunicorn_conf.py",
    "gateway/wsgi.py",
    "services/notify/settings.py",
    "services/eventlog/broker.py",
    "suite/configuration.py",
    "suite/home.py",
    "suite/imports.py",
    "suite/signals.py",
)
# Written by who follows the pages on additions: not in the repository.
MADE_BY_THE_READER = ("feedback", "territor", "NNNN")
READERS = ("str", "int", "float", "bool", "list", "get")


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower()


def first_cells(page: str) -> set[str]:
    """What stands in code style in the first cell of the page's tables."""
    return set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE))


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    declared = {name_of(one) for one in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]}
    explained = {name.lower() for name in first_cells((ROOT / "docs/dependencies.md").read_text("utf-8"))}
    assert explained == declared


def variables(path: Path) -> set[str]:
    """The names of environment variables that a module reads, with the prefix of the block that they stand in."""
    tree = ast.parse(path.read_text("utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST, prefix: str) -> None:
        if isinstance(node, ast.With):
            call = node.items[0].context_expr
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "prefixed":
                prefix = ast.literal_eval(call.args[0])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if isinstance(name, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
                # A reader that is made on the spot, `Env().str(…)`, stands outside of the block's prefix.
                own = isinstance(node.func.value, ast.Call) or name.startswith("GUANXI_")
                found.add(name if own else prefix + name)
        for child in ast.iter_child_nodes(node):
            visit(child, prefix)

    visit(tree, "")
    text = path.read_text("utf-8")
    found |= set(re.findall(r'os\.environ\["([A-Z0-9_]+)"\]', text))
    found |= set(re.findall(r'_whole\("([A-Z0-9_]+)"', text)) | set(re.findall(r'envvar="([A-Z0-9_]+)"', text))
    return found


def test_every_setting_is_in_the_table_and_nothing_else() -> None:
    read = set().union(*(variables(ROOT / path) for path in SETTINGS))
    assert len(read) > 25
    shown = first_cells((ROOT / "docs/operations.md").read_text("utf-8"))
    assert {name for name in shown if name.isupper()} == read


def test_the_shown_defaults_of_service_processes_are_the_real_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from chassis import settings

    secret = "x" * 32
    given = {
        "DATABASE_URL": "postgresql://localhost",
        "DATABASE_SECRET": secret,
        "CONTEXT_KEY": secret,
        "BUS": "amqp://x",
    }
    for name in variables(ROOT / "chassis/settings.py"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(f"GUANXI_{name}", value)
    found = settings.from_environment()
    rows = dict(
        re.findall(r"^\| `GUANXI_([A-Z_]+)` \| ([^|]*) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    )
    for name in ("POOL_SIZE", "RPC_WORKERS", "EVENT_WORKERS", "DATABASE_PREFIX"):
        assert rows[name].strip().strip("`") == str(getattr(found, name.lower()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_folders_and_functions_that_a_page_names_exist(page: Path) -> None:
    """`folder/file.py` in code style is there, and what stands behind it (`folder/file.py: name`) is defined there."""
    text = re.sub(r"\s+", " ", page.read_text("utf-8"))
    folders = "contracts|chassis|services|gateway|suite|tests|deploy|docs|bench|examples"
    for path, names in re.findall(rf"`((?:{folders})/[\w/.-]*)(?:: ([\w., ]+))?`", text):
        if any(word in path for word in MADE_BY_THE_READER):
            continue
        source = ROOT / path
        assert source.exists(), path
        for name in filter(None, re.split(r"[, ]+", names)):
            last = name.rsplit(".", 1)[-1]
            assert re.search(
                rf"\b(def|class) {last}\b|^{last}\b.*=|^    {last} = ", source.read_text("utf-8"), re.MULTILINE
            ), f"{path}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_place_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root)/", page.read_text("utf-8"))


def test_the_codes_of_errors_on_the_page_are_those_of_the_code() -> None:
    page = (ROOT / "docs/conventions.md").read_text("utf-8").split("\n## Errors\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| [\d, ]+ \| ([^|]+) \|", page, re.MULTILINE)
    source = "".join(
        path.read_text("utf-8") for folder in ("chassis", "gateway") for path in ROOT.glob(f"{folder}/**/*.py")
    )
    codes = re.findall(r"`(\w+)`", "".join(rows))
    assert len(codes) > 20
    assert [code for code in codes if f'"{code}"' not in source] == []
