"""The operators' commands for the search index: `guanxi search status`, `sweep` and `rebuild`.

They write down what is wanted, and the leader of the search service does it; so they work on any machine that reaches
the database, and what they started goes on when they are interrupted.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from contracts.values import instant
from suite.commands import known, show, told

JSON = dict[str, Any]
POLL = 0.5
COUNTS = ("looked", "compared", "behind", "unknown", "drifted", "repaired")
"""Records that live, documents of which Elasticsearch was asked, those that it lacks; and what sweeps found."""

_STATUS = (
    "SELECT p.tenant_id AS tenant, q.position, p.event_at AS indexed_at, q.waiting_since, q.checked_at,"
    " s.records, s.swept_at, s.looked, s.unknown, s.drifted, s.repaired, s.compared, b.behind FROM progress AS p"
    " LEFT JOIN positions AS q USING (tenant_id) LEFT JOIN LATERAL (SELECT count(*) AS records,"
    "  CASE WHEN bool_and(swept_at IS NOT NULL) THEN min(swept_at) END AS swept_at,"
    "  sum(looked) FILTER (WHERE against = 'databases') AS looked,"
    "  sum(looked) FILTER (WHERE against = 'elasticsearch') AS compared,"
    "  sum(unknown) AS unknown, sum(drifted) AS drifted, sum(repaired) AS repaired"
    "  FROM sweeps WHERE sweeps.tenant_id = p.tenant_id) AS s ON true"
    " LEFT JOIN LATERAL (SELECT count(*) AS behind FROM behind WHERE behind.tenant_id = p.tenant_id) AS b ON true"
    " WHERE %(tenant)s::uuid IS NULL OR p.tenant_id = %(tenant)s::uuid ORDER BY 1"
)
_ASK = (
    "UPDATE sweeps SET asked_at = %(now)s WHERE %(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid"
    " RETURNING drifted, repaired"
)
_LEFT = (
    "SELECT count(*) FILTER (WHERE asked_at IS NOT NULL) AS waiting, count(*) AS records, sum(looked) AS looked,"
    " sum(unknown) AS unknown, sum(drifted) AS drifted, sum(repaired) AS repaired FROM sweeps"
    " WHERE %(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s::uuid"
)
_tenant = click.option("--tenant", default=None, help="Only this tenant, named by its id.")
_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_wait = click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it is done.")


def add_to(main: click.Group, settings: Callable[[], Any]) -> None:
    """Hang the commands into the `guanxi` command; `settings` says where the databases are."""

    @contextmanager
    def runtime() -> Iterator[Any]:
        from suite.operating import Operator

        one = Operator(settings(), ("search",))
        try:
            with told():
                yield one.runtime("search")
        finally:
            one.close()

    @main.group()
    def search() -> None:
        """See how far the search index is and whether it agrees with the databases, and make it anew.

        Settings: those of `guanxi serve search`; without GUANXI_DATABASE_URL the embedded suite that runs on
        GUANXI_DATA. The search service must run for what `sweep` and `rebuild` ask.
        """

    @search.command("status")
    @_tenant
    @_json
    def status(tenant: str | None, as_json: bool) -> None:
        """Show how far the index has come for each tenant, what sweeps found, and the rebuild under way.

        \b
        Example:
          guanxi search status --json
        """
        known({"tenant": tenant})
        with runtime() as one:
            now = one.clock.now()
            found = [_told(row, now) for row in _rows(one, _STATUS, tenant=tenant)]
            rebuild = _rebuild(one)
        columns = ("tenant", "position", "lag", "indexed_at", "swept_at", *COUNTS)
        show(found, columns, as_json, "Nothing is indexed.")
        if rebuild is not None and not as_json:
            click.echo(f"rebuild: {_progress(rebuild)}")

    @search.command("sweep")
    @_tenant
    @_wait
    def sweep(tenant: str | None, wait: bool) -> None:
        """Compare the index with the databases now, and repair what has drifted.

        The service does so for ever; this puts it first.

        \b
        Exit codes:
          0  all agrees now
          1  a difference could not be repaired, or nothing was swept yet

        \b
        Example:
          guanxi search sweep
        """
        known({"tenant": tenant})
        with runtime() as one:
            before = _rows(one, _ASK, tenant=tenant, now=one.clock.now())
            if not before:
                raise click.ClickException("Nothing was swept yet: is the search service running?")
            if not wait:
                click.echo(f"{len(before)} comparisons are asked for.")
                return
            left = _until(lambda: _rows(one, _LEFT, tenant=tenant)[0], lambda row: not row.waiting)
        drifted = left.drifted - sum(row.drifted for row in before)
        repaired = left.repaired - sum(row.repaired for row in before)
        click.echo(
            f"{left.records} comparisons of {left.looked} records: {drifted} had drifted, {repaired} are repaired,"
            f" of {left.unknown} the event log does not know the present version."
        )
        if drifted > repaired or left.unknown:
            raise SystemExit(1)

    @search.command("rebuild")
    @click.option("--cancel", is_flag=True, help="Stop the rebuild that is under way.")
    @_wait
    def rebuild(cancel: bool, wait: bool) -> None:
        """Make every document anew from the event log, while the index answers and takes in.

        It begins by itself after a release that searches otherwise; harmless at any time. An interrupted one goes on.

        \b
        Examples:
          guanxi search rebuild --no-wait
          guanxi search rebuild --cancel
        """
        from services.search import rebuild as rebuilding

        with runtime() as one:
            if cancel:
                click.echo("The rebuild is stopped." if rebuilding.cancel(one) else "There is none under way.")
                return
            began = rebuilding.ask(one)
            click.echo("The rebuild is asked for." if began else "One is under way.")
            if not wait:
                return
            done = _until(
                lambda: _rebuild(one),
                lambda row: row.state in ("done", "cancelled"),
                _progress,
            )
        click.echo(f"The rebuild is {done.state}: {done.position} of {done.until} events.")


def _rows(runtime: Any, statement: str, **values: Any) -> list[Any]:
    with runtime.database.operations() as connection:
        return list(connection.exec_driver_sql(statement, values))


def _rebuild(runtime: Any) -> Any:
    from chassis.operators import ZERO

    found = _rows(runtime, "SELECT * FROM rebuilds WHERE tenant_id = %(whole)s", whole=ZERO)
    return found[0] if found else None


def _progress(row: Any) -> str:
    """`reading, 2000 of 5000 events`; where there is an Elasticsearch, how much of it is whole after that."""
    told = f"{row.state}, {row.position} of {row.until} events"
    if row.state != "filling":
        return told
    return f"{told}, {row.compared} of {row.to_compare} records of tenants are whole in the new indices"


def _told(row: Any, now: dt.datetime) -> JSON:
    lag = None if row.checked_at is None else 0.0
    if row.waiting_since is not None:
        lag = round((now - row.waiting_since).total_seconds(), 1)
    return {
        "tenant": str(row.tenant),
        "position": row.position,
        "lag": lag,
        "indexed_at": instant(row.indexed_at),
        "checked_at": None if row.checked_at is None else instant(row.checked_at),
        "swept_at": None if row.swept_at is None else instant(row.swept_at),
        **{name: int(getattr(row, name) or 0) for name in COUNTS},
    }


def _until(look: Callable[[], Any], done: Callable[[Any], bool], says: Callable[[Any], str] | None = None) -> Any:
    """Look again and again until it is done; `says` is printed when it changes."""
    said = ""
    while not done(row := look()):
        if says is not None and says(row) != said:
            said = says(row)
            click.echo(said)
        time.sleep(POLL)
    return row
