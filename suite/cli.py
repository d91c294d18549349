"""The `guanxi` command. Heavy imports stand inside the commands, because a service must patch its process first."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from contracts.registry import SERVICES
from suite import commands, imports, searching


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Guanxi, a CRM suite of independent services on a message bus.

    `guanxi up` runs everything on this machine. On a cluster each container runs `guanxi serve SERVICE` or
    `guanxi gateway`, and `guanxi migrate` before them.
    """
    logging.basicConfig(
        level=os.environ.get("GUANXI_LOG", "WARNING"), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


@main.command()
@click.option(
    "--real",
    is_flag=True,
    help="One supervised process per service, with RabbitMQ (GUANXI_BUS) and PostgreSQL (GUANXI_DATABASE_URL).",
)
@click.option("--port", type=int, default=None, help="HTTP port (GUANXI_PORT, default 8080).")
@click.option("--no-demo", is_flag=True, help="Start without the Northwind demo.")
def up(real: bool, port: int | None, no_demo: bool) -> None:
    """Run the whole suite on this machine until Ctrl-C."""
    chosen = port if port is not None else _number("GUANXI_PORT", 8080)
    if real:
        _up_real(chosen)
    else:
        _up_embedded(chosen, demo=not no_demo)


def _up_embedded(port: int, *, demo: bool) -> None:
    from chassis.bus import start

    start()
    from suite import home
    from suite.embedded import Embedded
    from suite.progress import Progress
    from suite.servers.process import ServerError
    from suite.signals import Signals

    folder = home.data_folder()
    progress = Progress()
    suite = Embedded(folder, port, click.echo, progress)
    try:
        try:
            suite.start()
        except ServerError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(
                f"Port {port} cannot be used ({error.strerror}). Set GUANXI_PORT to another one."
            ) from None
        if demo:
            with progress:
                report = suite.complete_demo()
            if report is not None:
                click.echo(f"The demo is complete: {report.created} records. {report.told()}")
        click.echo(_welcome(suite.url, home.read(home.credentials_path(folder)), home.credentials_path(folder)))
        Signals().wait()
        click.echo("Stopping …")
    except KeyboardInterrupt:
        click.echo("Stopping …")
    finally:
        suite.stop()


def _welcome(url: str, known: dict[str, str] | None, path: Path) -> str:
    if known is None:
        return f"\nGuanxi is at {url}"
    return f"""
Guanxi is at {url}

  Sign in    tenant {known["tenant"]}, e-mail {known["email"]}, password {known["password"]}
  API key    {known["api_key"]}
             (both are in {path})

Try next
  curl -s -H "Authorization: Bearer {known["api_key"]}" "{url}/v1/accounts?limit=3"
  curl -s -H "Authorization: Bearer {known["api_key"]}" "{url}/v1/search?q=alf"
  {url}/docs

Ctrl-C stops it."""


def _up_real(port: int) -> None:
    import signal

    from suite.processes import Supervisor, children

    _settings()
    supervisor = Supervisor(children(SERVICES, port), click.echo)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.ask_to_stop())
    try:
        supervisor.start()
        click.echo(f"Guanxi starts at http://127.0.0.1:{port} (ready when /readyz answers 200). Ctrl-C stops it.")
        supervisor.run()
        click.echo("Stopping …")
    finally:
        supervisor.stop()


@main.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option(
    "--only",
    type=click.Choice(("rpc", "events", "relay", "jobs")),
    default=None,
    help="One kind of its work; without it all of them together.",
)
def serve(service: str, only: str | None) -> None:
    """Run one service: what a container runs. Ends on SIGTERM after finishing what is under way."""
    from chassis.bus import start

    start()
    from chassis.bus.transport import connect
    from suite.host import KINDS, Host
    from suite.probes import Probes
    from suite.signals import Signals, end_with_supervisor

    settings = _settings()
    # Heard from here on: a container's first process ignores a signal that it has no handler for.
    signals = Signals()
    end_with_supervisor()
    host = Host(settings, connect(settings.bus), (service,), (only,) if only else KINDS)
    host.start()
    probes = Probes(host, _number("GUANXI_PROBE_PORT", 0))
    click.echo(f"{service} serves {only or 'rpc, events, relay and jobs'}")
    try:
        signals.wait()
    finally:
        probes.stop()
        host.stop()


@main.command()
@click.option("--streams", is_flag=True, help="Serve the long-lived answers (feed with wait=, server-sent events).")
@click.option("--port", type=int, default=None, help="HTTP port (GUANXI_PORT, default 8080).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 in a container.")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes.")
def gateway(streams: bool, port: int | None, host: str, workers: int) -> None:
    """Run the HTTP gateway under gunicorn."""
    from suite.signals import end_with_supervisor

    end_with_supervisor()
    chosen = port if port is not None else _number("GUANXI_PORT", 8080)
    _needs("GUANXI_BUS", "GUANXI_CONTEXT_KEY")
    if streams:
        os.environ["GUANXI_STREAMS"] = "1"
    arguments = [
        "-c",
        "python:gateway.gunicorn_conf",
        "-b",
        f"{host}:{chosen}",
        "-w",
        str(workers),
        "gateway.wsgi:application",
    ]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *arguments])


@main.command()
@click.argument("services", nargs=-1, type=click.Choice(SERVICES))
@click.option(
    "--provision/--no-provision",
    default=True,
    help="Also create missing databases and roles (needs a superuser in GUANXI_DATABASE_URL).",
)
def migrate(services: tuple[str, ...], provision: bool) -> None:
    """Bring databases, roles and the broker's queues to what this version needs. Repeatable."""
    from chassis import migrations, provisioning
    from chassis.bus.ports import BusUnavailable
    from chassis.bus.transport import connect
    from suite.host import Host

    settings = _settings()
    chosen = services or SERVICES
    if provision:
        provisioning.provision(settings.database, chosen, settings.database_secret, settings.database_prefix)
    for service in chosen:
        revision = migrations.upgrade(settings.database_url(service, "owner"), service)
        click.echo(f"{service}: database at {revision}")
    transport = connect(settings.bus)
    host = Host(settings, transport, chosen, ())
    try:
        endpoints = [runtime.endpoint() for runtime in host.runtimes.values()]
        transport.declare(endpoints)
        moved = sum(transport.retire(endpoint) for endpoint in endpoints)
    except BusUnavailable as error:
        raise click.ClickException(f"The databases are ready, but the broker is not: {error}") from None
    finally:
        host.stop()
    click.echo("exchanges and queues are declared")
    if moved:
        click.echo(f"{moved} messages were moved out of queues of earlier versions")


@main.group()
def tenant() -> None:
    """The organisations that share an installation."""


@tenant.command("create")
@click.argument("slug")
@click.option("--name", required=True, help="Its full name.")
@click.option("--email", required=True, help="Of its first administrator.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217 code.")
@click.option("--zone", default="UTC", show_default=True, help="IANA time zone.")
@click.option("--locale", default="en", show_default=True)
@click.option("--copies", is_flag=True, help="The administrator also receives what owners receive.")
def tenant_create(slug: str, name: str, email: str, currency: str, zone: str, locale: str, copies: bool) -> None:
    """Make a tenant with its first administrator, and print his password and API key, once."""
    from chassis.bus.ports import BusUnavailable, OutcomeUnknown
    from chassis.bus.transport import connect
    from chassis.context import Signer
    from suite import tenants

    _needs("GUANXI_BUS", "GUANXI_CONTEXT_KEY")
    caller = connect(os.environ["GUANXI_BUS"]).caller()
    password, api_key = tenants.new_password(), tenants.new_api_key()
    wanted = {"slug": slug, "name": name, "email": email, "password": password, "api_key": api_key}
    wanted |= {"currency": currency, "zone": zone, "locale": locale, "gets_copies": copies}
    try:
        created = tenants.create(caller, Signer(os.environ["GUANXI_CONTEXT_KEY"]), wanted)
    except (tenants.Refused, BusUnavailable, OutcomeUnknown) as error:
        raise click.ClickException(f"The tenant was not made: {error}") from None
    finally:
        caller.close()
    if not created:
        raise click.ClickException(f"There is a tenant {slug} already; nothing was changed.")
    click.echo(f"tenant    {slug}\ne-mail    {email}\npassword  {password}\nAPI key   {api_key}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable result.")
@click.option("--tenant", default=None, help="Only this tenant's id.")
@click.option("--repair", is_flag=True, help="First publish again what subscribers miss, in all tenants.")
def check(as_json: bool, tenant: str | None, repair: bool) -> None:
    """Check that the databases agree: stock, receivables, events, sagas, tenants. Exit code 1 if they do not."""
    from suite.check import command

    sys.exit(command.run(_check_settings(), as_json=as_json, tenant=tenant, say=click.echo, mend=repair))


@main.group()
def demo() -> None:
    """The demo of an embedded suite."""


@demo.command("reset")
@click.confirmation_option(prompt="This deletes all data in the data folder. Go on?")
def demo_reset() -> None:
    """Delete the data folder, so that the next `guanxi up` begins anew. The suite must not be running."""
    from suite import home
    from suite.servers.postgres import Postgres

    folder = home.data_folder()
    Postgres(folder / "postgres").remove()
    for name in ("credentials.json", "credentials.draft.json", "demo.json", "schema.json", "secrets.json"):
        (folder / name).unlink(missing_ok=True)
    click.echo(f"{folder} is empty.")


@main.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    click.echo(f"guanxi {installed('guanxi')}")


def _needs(*names: str) -> None:
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise click.ClickException("\n".join(f"{name}: Environment variable not set." for name in missing))


def _settings() -> Any:
    from chassis.settings import SettingsError, from_environment

    try:
        return from_environment()
    except SettingsError as error:
        raise click.ClickException(f"These settings are wrong or missing:\n{error}") from None


def _check_settings() -> Any:
    """The environment's settings where they are given, else those of the embedded suite that is running."""
    if os.environ.get("GUANXI_DATABASE_URL"):
        return _settings()
    from chassis.settings import Settings
    from suite import home
    from suite.servers.postgres import running_url

    folder = home.data_folder()
    server = running_url(folder / "postgres")
    if server is None:
        raise click.ClickException(
            f"No suite is running on {folder}: start it with `guanxi up`, or set GUANXI_DATABASE_URL."
        )
    known = home.secrets_of(folder)
    return Settings(
        database=server,
        database_secret=known["database_secret"],
        context_key=known["context_key"],
        bus="inprocess://suite",
    )


def _number(name: str, default: int) -> int:
    given = os.environ.get(name)
    if not given:
        return default
    if not given.isdigit() or int(given) > 65535:
        raise click.ClickException(f"{name}: must be a port number, not {given!r}.")
    return int(given)


main.add_command(imports.group)
commands.add_to(main, _check_settings)
searching.add_to(main, _check_settings)

if __name__ == "__main__":
    main()
