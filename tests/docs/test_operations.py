"""What the page on operations tells an operator to do, done."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from click.testing import CliRunner

from chassis.ids import new_id
from chassis.testing import SECRET
from services.notify.tests.helpers import publish, user
from suite import commands

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def command(start: str) -> list[str]:
    """The first command in code style on the page that begins with this, in words."""
    text = re.sub(r"\s+", " ", PAGE.read_text("utf-8"))
    return shlex.split(re.findall(rf"`guanxi ({start}[^`]*)`", text)[0])


def test_a_dead_event_is_shown_and_runs_again_by_the_commands_of_the_page(
    suite_of: Callable[..., Any], databases: Any
) -> None:
    suite = suite_of("notify")
    nancy = new_id()
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": nancy})
    suite.settle()
    guanxi = click.Group()
    commands.add_to(guanxi, lambda: SimpleNamespace(database_url=databases.url, context_key=SECRET))

    def run(*words: str) -> str:
        done = CliRunner().invoke(guanxi, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.output)

    (dead,) = json.loads(run(*command("inbox list"), "--service", "notify", "--tenant", suite.tenant, "--json"))
    assert (dead["consumer"], dead["attempts"]) == ("on_order_confirmed", 12)
    shown = [{"sales": "notify", "42": dead["id"]}.get(word, word) for word in command("inbox show")]
    assert "waits: " in run(*shown)
    user(suite, id=nancy)
    run(*({"sales": "notify", "42": dead["id"]}.get(word, word) for word in command("inbox replay")))
    suite.settle()
    assert [one["user_id"] for one in suite.list("notify.notification")] == [nancy]
    assert suite.dead() == []
