"""The operators' commands: `guanxi inbox`, `saga`, `letters` and `operations`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from contracts.registry import SERVICES
from contracts.values import is_uuid

JSON = dict[str, Any]
Settings = Callable[[], Any]

_service = click.option(
    "--service",
    "services",
    type=click.Choice(SERVICES),
    multiple=True,
    help="Only this service; may be given several times.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_limit = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At most how many are shown."
)
_why = click.option("--reason", default="", help="Why; it is kept in the journal (`guanxi operations`).")
_must_say_why = click.option("--reason", required=True, help="Why; it is kept in the journal (`guanxi operations`).")
_one_service = click.argument("service", metavar="SERVICE", type=click.Choice(SERVICES))
_maybe_service = click.argument("one", metavar="[SERVICE]", type=click.Choice(SERVICES), required=False)
_maybe_entry = click.argument("entry", metavar="[ID]", type=click.IntRange(1), required=False)
_all = click.option("--all", "chosen", is_flag=True, help="All that the filters choose, instead of one.")


def _filters(command: Any) -> Any:
    for option in reversed(
        (
            click.option(
                "--state", type=click.Choice(("parked", "dead", "discarded")), default=None, help="Only in this state."
            ),
            click.option("--consumer", default=None, help="Only of this reaction, such as on_order_confirmed."),
            click.option("--tenant", default=None, help="Only of this tenant, named by its id."),
            click.option("--type", default=None, help="Only such events: sales.order.confirmed, sales.order.*."),
        )
    ):
        command = option(command)
    return command


def add_to(main: click.Group, settings: Settings) -> None:
    """Hang the commands into the `guanxi` command; `settings` says where the databases are."""

    @contextmanager
    def operator(services: Sequence[str] = ()) -> Iterator[Any]:
        from suite.operating import Operator

        one = Operator(settings(), services)
        try:
            with told():
                yield one
        finally:
            one.close()

    @main.group()
    def inbox() -> None:
        """See and move events that failed: parked ones are tried again by themselves, dead ones are not.

        These commands go straight to the databases, so they work while the bus does not. Settings: those of `guanxi
        serve`; without GUANXI_DATABASE_URL the embedded suite that runs on GUANXI_DATA.
        """

    @inbox.command("list")
    @_service
    @_filters
    @_limit
    @_json
    def inbox_list(services: tuple[str, ...], limit: int, as_json: bool, **given: str | None) -> None:
        """List what waits or is dead, oldest first.

        \b
        Example:
          guanxi inbox list --state dead --service notify
        """
        with operator(services) as one:
            found = one.inbox(known(given), limit)
        columns = ("service", "id", "state", "attempts", "consumer", "type", "subject", "due_at", "error")
        show(found, columns, as_json, "Nothing is parked or dead.")

    @inbox.command("show")
    @_one_service
    @click.argument("entry", type=click.IntRange(1))
    def inbox_show(service: str, entry: int) -> None:
        """Show one of them, with its whole error and the event.

        \b
        Example:
          guanxi inbox show notify 42
        """
        with operator((service,)) as one:
            click.echo(_pretty(one.event(service, entry)))

    def move(
        what: str, place: tuple[str | None, int | None], chosen: bool, services: Any, given: JSON, why: str
    ) -> None:
        service, entry = place
        if chosen == (service is not None) or (service is None) != (entry is None):
            raise click.ClickException("Give the service and the id of one event, or --all with filters.")
        with operator(services if chosen else (service,)) as one:
            if chosen:
                click.echo(f"{what}: {one.move_all(what, known(given), why)} events")
            else:
                found = one.move_one(what, service, entry, why)
                click.echo(f"{found['consumer']} {found['event_id']} is {found['state']}")

    @inbox.command("replay")
    @_maybe_service
    @_maybe_entry
    @_all
    @_service
    @_filters
    @_why
    def inbox_replay(
        one: str | None, entry: int | None, chosen: bool, services: Any, reason: str, **given: str | None
    ) -> None:
        """Try an event again now, with twelve attempts before it; or --all that the filters choose.

        With --all at most 10,000 of each tenant and service at once.

        \b
        Examples:
          guanxi inbox replay notify 42
          guanxi inbox replay --all --state dead --consumer on_order_confirmed --reason "mail is back"
        """
        move("replay", (one, entry), chosen, services, given, reason)

    @inbox.command("discard")
    @_maybe_service
    @_maybe_entry
    @_all
    @_service
    @_filters
    @_must_say_why
    def inbox_discard(
        one: str | None, entry: int | None, chosen: bool, services: Any, reason: str, **given: str | None
    ) -> None:
        """Give an event up, or --all that the filters choose. It can be replayed for thirty days.

        \b
        Example:
          guanxi inbox discard notify 42 --reason "the order was a test"
        """
        move("discard", (one, entry), chosen, services, given, reason)

    @main.group()
    def letters() -> None:
        """See messages that nobody could read, kept byte by byte, until somebody has looked into them.

        Settings: those of `guanxi inbox`.
        """

    @letters.command("list")
    @_service
    @click.option("--discarded", is_flag=True, help="Also show those that were looked into.")
    @_limit
    @_json
    def letters_list(services: tuple[str, ...], discarded: bool, limit: int, as_json: bool) -> None:
        """List them, oldest first.

        \b
        Example:
          guanxi letters list --service sales
        """
        with operator(services) as one:
            found = one.letters(limit, discarded=discarded)
        show(found, ("service", "id", "queue", "bytes", "at", "reason"), as_json, "There are none.")

    @letters.command("show")
    @_one_service
    @click.argument("entry", type=click.IntRange(1))
    def letters_show(service: str, entry: int) -> None:
        """Show one of them with its headers and bytes.

        \b
        Example:
          guanxi letters show sales 7
        """
        with operator((service,)) as one:
            click.echo(_pretty(one.letter(service, entry)))

    @letters.command("discard")
    @_one_service
    @click.argument("entry", type=click.IntRange(1))
    @_must_say_why
    def letters_discard(service: str, entry: int, reason: str) -> None:
        """Say that one has been looked into: it counts no more. Its bytes stay.

        \b
        Example:
          guanxi letters discard sales 7 --reason "sent by hand, by mistake"
        """
        with operator((service,)) as one:
            one.discard_letter(service, entry, reason)
        click.echo(f"dead letter {entry} of {service} is discarded")

    _sagas(main, operator)


def _sagas(main: click.Group, operator: Callable[..., Any]) -> None:
    @main.group()
    def saga() -> None:
        """See and move work across services, such as the placing of an order.

        Settings: those of `guanxi inbox`.
        """

    @saga.command("list")
    @_service
    @click.option(
        "--state",
        type=click.Choice(("running", "compensating", "completed", "compensated")),
        default=None,
        help="Only in this state, instead of those under way.",
    )
    @click.option("--name", default=None, help="Only of this name, such as place_order.")
    @click.option("--tenant", default=None, help="Only of this tenant, named by its id.")
    @_limit
    @_json
    def saga_list(services: tuple[str, ...], limit: int, as_json: bool, **given: str | None) -> None:
        """List what is under way, or in the given state; oldest first.

        \b
        Example:
          guanxi saga list --service sales --name place_order
        """
        with operator(services) as one:
            found = one.sagas(known(given), limit)
        columns = ("service", "id", "name", "state", "record_id", "started_at", "deadline_at", "at_step")
        show([{**item, "at_step": _at_step(item)} for item in found], columns, as_json, "Nothing is under way.")

    @saga.command("show")
    @click.argument("saga_id")
    def saga_show(saga_id: str) -> None:
        """Show a saga with every attempt of every step.

        \b
        Example:
          guanxi saga show 0190b6a2-7c1e-7d3f-9a55-3f1c2b4d5e6f
        """
        with operator() as one:
            click.echo(_pretty(one.saga(_uuid(saga_id))))

    @saga.command("push")
    @click.argument("saga_id")
    @_why
    def saga_push(saga_id: str, reason: str) -> None:
        """Have a saga repeat now what it waits for. Repeating has no second effect.

        \b
        Example:
          guanxi saga push 0190b6a2-7c1e-7d3f-9a55-3f1c2b4d5e6f
        """
        with operator() as one:
            found = one.move_saga("push", _uuid(saga_id), reason)
        click.echo(f"{found['name']} {saga_id} is {found['state']}: {_at_step(found)}")

    @saga.command("compensate")
    @click.argument("saga_id")
    @_must_say_why
    def saga_compensate(saga_id: str, reason: str) -> None:
        """Turn a saga back: what its steps did is undone, where it is not past its point of no return.

        \b
        Example:
          guanxi saga compensate 0190b6a2-7c1e-7d3f-9a55-3f1c2b4d5e6f --reason "the customer called"
        """
        with operator() as one:
            found = one.move_saga("compensate", _uuid(saga_id), reason)
        click.echo(f"{found['name']} {saga_id} is {found['state']}: {_at_step(found)}")

    @main.command()
    @_service
    @click.option("--action", default=None, help="Only of this kind, such as inbox.replay.")
    @click.option("--tenant", default=None, help="Only of this tenant, named by its id.")
    @click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True, help="At most how many.")
    @_json
    def operations(services: tuple[str, ...], limit: int, as_json: bool, **given: str | None) -> None:
        """List what operators and administrators did to stuck work, when and why; latest first.

        Settings: those of `guanxi inbox`.

        \b
        Example:
          guanxi operations --action inbox.discard
        """
        with operator(services) as one:
            found = one.operations(known(given), limit)
        show(found, ("at", "service", "actor", "action", "subject", "reason"), as_json, "Nobody has done anything.")


@contextmanager
def told() -> Iterator[None]:
    """A problem in the words that it has for people."""
    from chassis.errors import Problem

    try:
        yield
    except Problem as problem:
        why = " ".join(error["message"] for error in problem.errors)
        raise click.ClickException(f"{problem.detail} {why}".strip()) from None


def known(given: dict[str, str | None]) -> JSON:
    found = {name: value for name, value in given.items() if value is not None}
    if "tenant" in found:
        _uuid(found["tenant"])
    return found


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise click.ClickException(f"{text} is no id.")
    return text


def _at_step(saga: JSON) -> str:
    """The step that a saga is at, and why it is still there."""
    for step in saga["steps"]:
        if step["state"] in ("running", "undoing"):
            error = f", {step['error']}" if step["error"] else ""
            return f"{step['state']} {step['name']}, attempt {step['attempts']}{error}"
    return ""


def _pretty(document: JSON) -> str:
    error = document.get("error")
    rest = {name: value for name, value in document.items() if name != "error" or not error}
    text = json.dumps(rest, indent=2, ensure_ascii=False)
    return f"{text}\n\n{error.strip()}" if error else text


def show(items: Sequence[JSON], columns: Sequence[str], as_json: bool, nothing: str) -> None:
    if as_json:
        click.echo(json.dumps(list(items), indent=2, ensure_ascii=False))
        return
    if not items:
        click.echo(nothing)
        return
    import io

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    out = io.StringIO()
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for item in items:
        table.add_row(*(escape("" if item[column] is None else str(item[column])) for column in columns))
    Console(file=out, width=200, highlight=False).print(table)
    click.echo(out.getvalue().rstrip())
