"""What the page on operations tells an operator to do, done."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chassis.ids import new_id
from services.notify.tests.helpers import publish, user

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def statement(start: str) -> str:
    """The SQL in code style on the page that begins with this."""
    found = re.findall(rf"`({start}[^`]+)`", PAGE.read_text("utf-8"))
    assert len(found) == 1
    text: str = found[0]
    return text


def test_a_dead_event_is_shown_and_runs_again_by_the_statements_of_the_page(suite_of: Callable[..., Any]) -> None:
    suite = suite_of("notify")
    nancy = new_id()
    publish(suite, "sales.order.confirmed", {"number": "SO-1", "owner_id": nancy})
    suite.settle()
    runtime = suite.runtime("notify")
    with runtime.database.operations() as connection:
        (dead,) = connection.exec_driver_sql(
            f"{statement('SELECT consumer')} AND tenant_id = %s", (suite.tenant,)
        ).all()
    assert (dead.consumer, dead.attempts) == ("on_order_confirmed", 12)
    assert dead.error.startswith("waits: ")
    user(suite, id=nancy)
    with runtime.database.operations() as connection:
        again = statement("UPDATE inbox").replace("now()", "%s").replace("…", "tenant_id = %s")
        assert connection.exec_driver_sql(again, (suite.clock.now(), suite.tenant)).rowcount == 1
    suite.settle()
    assert [one["user_id"] for one in suite.list("notify.notification")] == [nancy]
    assert suite.dead() == []
