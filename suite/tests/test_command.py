"""The `guanxi` command as a new operator meets it: what is wrong is named, all of it, before anything is begun."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from suite.cli import main

ROOT = Path(__file__).parents[2]
SECRET = "s3cret-that-nobody-may-see"
WRONG = {
    "GUANXI_LOG": "loud",
    "GUANXI_PORT": "http",
    "GUANXI_PROBE_PORT": "70000",
    "GUANXI_CHECK_AFTER": "never",
    "GUANXI_DATABASE_URL": f"mysql://root:{SECRET}@db/crm",
    "GUANXI_DATABASE_SECRET": SECRET,
    "GUANXI_CONTEXT_KEY": SECRET,
    "GUANXI_BUS": f"kafka://guest:{SECRET}@mq",
    "GUANXI_POOL_SIZE": "many",
    "GUANXI_ELASTICSEARCH": f"elastic:{SECRET}@es:9200",
    "GUANXI_BLOBS": "s3://bucket",
    "GUANXI_SMTP_URL": f"http://user:{SECRET}@mail",
    "GUANXI_EGRESS_OPEN": "10.0.0.0/99",
    "GUANXI_BROKER_MANAGEMENT_URL": f"mq:{SECRET}",
    "GUANXI_THREADS": "0",
    "GUANXI_WORKERS": "-1",
    "GUANXI_REQUEST_TIMEOUT": "11",
    "GUANXI_CORS_ORIGINS": "*",
    "GUANXI_TRUSTED_PROXIES": "one",
    "GUANXI_LOGIN_LIMIT": "seldom",
    "GUANXI_STREAMS_URL": "streams.example.com",
    "GUANXI_DATA": f"{__file__}/data",
}
BUS = {"GUANXI_CONTEXT_KEY", "GUANXI_BUS"}
NEEDED = {*BUS, "GUANXI_DATABASE_URL", "GUANXI_DATABASE_SECRET"}
PROCESS = {*NEEDED, "GUANXI_POOL_SIZE", "GUANXI_ELASTICSEARCH", "GUANXI_BLOBS", "GUANXI_LOG"}
MAIL = {"GUANXI_SMTP_URL", "GUANXI_SMTP_FROM", "GUANXI_EGRESS_OPEN"}
OUTSIDE = {"GUANXI_BROKER_MANAGEMENT_URL"}
EDGE = {
    "GUANXI_REQUEST_TIMEOUT",
    "GUANXI_CORS_ORIGINS",
    "GUANXI_TRUSTED_PROXIES",
    "GUANXI_LOGIN_LIMIT",
    "GUANXI_STREAMS_URL",
    "GUANXI_BLOBS",
}
GATEWAY = {*BUS, "GUANXI_THREADS", "GUANXI_WORKERS", "GUANXI_LOG"}
TENANT = ("tenant", "create", "acme", "--name", "Acme", "--email", "a@acme.example")


def guanxi(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these settings and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GUANXI_", "PYTEST"))}
    return subprocess.run(
        [sys.executable, "-m", "suite.cli", *words],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
    )


def named(done: subprocess.CompletedProcess[str]) -> set[str]:
    return set(re.findall(r"^(GUANXI_\w+): \S", done.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("up",), {"GUANXI_DATA", "GUANXI_PORT", "GUANXI_CHECK_AFTER", "GUANXI_LOG", *EDGE, *MAIL, *OUTSIDE}),
        (("up", "--real"), {"GUANXI_PORT", *PROCESS, *GATEWAY, *EDGE, *MAIL, *OUTSIDE}),
        (("serve", "notify"), {*PROCESS, "GUANXI_PROBE_PORT", *MAIL}),
        (("serve", "eventlog", "--only", "rpc"), {*PROCESS, "GUANXI_PROBE_PORT", *OUTSIDE}),
        (("gateway",), {"GUANXI_PORT", *GATEWAY, *EDGE}),
        (("gateway", "--port", "9000", "--streams"), {*GATEWAY, *EDGE}),
        (("migrate",), PROCESS),
        (TENANT, GATEWAY),
        (("check",), PROCESS),
        (("inbox", "list"), PROCESS),
        (("search", "status"), PROCESS),
        (("demo", "reset", "--yes"), {"GUANXI_DATA", "GUANXI_LOG"}),
        (("import", "northwind", "suite/data/northwind"), {"GUANXI_DATA", "GUANXI_LOG"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_all_settings_that_are_wrong_are_named_at_once_with_what_is_wanted(
    words: tuple[str, ...], wanted: set[str]
) -> None:
    done = guanxi(*words, **WRONG)
    assert named(done) == wanted, done.stderr
    assert done.returncode == 2
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "wanted"), [(("up", "--real"), NEEDED), (("serve", "sales"), NEEDED), (("gateway",), BUS), (TENANT, BUS)]
)
def test_all_settings_that_are_missing_are_named_at_once(words: tuple[str, ...], wanted: set[str]) -> None:
    done = guanxi(*words)
    assert (named(done), done.returncode) == (wanted, 2), done.stderr


def test_without_a_suite_the_command_says_how_to_get_one(tmp_path: Path) -> None:
    for words in (("check",), ("saga", "list"), ("search", "sweep")):
        done = guanxi(*words, GUANXI_DATA=str(tmp_path))
        assert done.returncode == 2
        assert "`guanxi up`" in done.stderr
        assert "GUANXI_DATABASE_URL" in done.stderr
    done = guanxi("import", "northwind", "suite/data/northwind", GUANXI_DATA=str(tmp_path))
    assert done.returncode == 2
    assert "--url and --api-key" in done.stderr


def test_a_server_that_is_not_there_is_named_by_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    given = {
        "GUANXI_DATABASE_URL": f"postgresql://postgres:{SECRET}@127.0.0.1:{port}/postgres",
        "GUANXI_DATABASE_SECRET": "x" * 32,
        "GUANXI_CONTEXT_KEY": "x" * 32,
        "GUANXI_BUS": f"amqp://guest:{SECRET}@127.0.0.1:{port}/",
    }
    done = guanxi("migrate", **given)
    assert (done.returncode, done.stderr.startswith("Error: GUANXI_DATABASE_URL: ")) == (1, True), done.stderr
    for words, code in ((("inbox", "list"), 1), (("search", "status"), 1), (TENANT, 1), (("check",), 2)):
        done = guanxi(*words, **given)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr


def test_the_data_of_a_running_suite_is_not_reset(tmp_path: Path) -> None:
    from suite.servers.postgres import Postgres

    with Postgres(tmp_path / "postgres", say=lambda _: None) as running:
        done = guanxi("demo", "reset", "--yes", GUANXI_DATA=str(tmp_path))
        assert (done.returncode, "stop that one first" in done.stderr) == (1, True), done.stderr
        assert running.pid
    (tmp_path / "blobs").mkdir()
    (tmp_path / "demo.json").write_text("{}")
    assert guanxi("demo", "reset", "--yes", GUANXI_DATA=str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []


def every_command(group: click.Group, *before: str) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in sorted(group.commands.items()):
        found.append(((*before, name), command))
        if isinstance(command, click.Group):
            found += every_command(command, *before, name)
    return found


@pytest.mark.parametrize(
    ("words", "command"), every_command(main), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_says_what_it_does_and_shows_an_example(words: tuple[str, ...], command: click.Command) -> None:
    text = command.help or ""
    first = text.strip().split("\n\n")[0]
    assert first.endswith((".", ":")), "a whole sentence"
    assert all(option.help for option in command.params if isinstance(option, click.Option)), "each option is explained"
    if not isinstance(command, click.Group) and words != ("version",):
        assert re.search(rf"Examples?:\n(.*\n)*? +.*guanxi {' '.join(words)}", text), "an example"
