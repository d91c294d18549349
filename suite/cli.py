"""The `guanxi` command. Heavy imports stand inside the commands, because a service must patch its process first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from contracts.registry import SERVICES
from suite import administration, commands, configuration, imports, searching

NAMES = ", ".join(SERVICES)
PORT = click.IntRange(1, 65535)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Guanxi, a CRM suite of independent services on a message bus.

    `guanxi up` runs everything on this machine. On a cluster each container runs `guanxi serve SERVICE` or
    `guanxi gateway`, and `guanxi migrate` before them. Each command has its own --help with an example.

    Settings are environment variables, GUANXI_…; docs/operations.md has the table of all of them. GUANXI_LOG (DEBUG,
    INFO, WARNING, ERROR or CRITICAL) is how much every command logs. Settings that are wrong or missing are named all
    at once, before anything is begun.

    \b
    Exit codes, where a command does not say otherwise:
      0  done
      1  it was tried and failed, and the message says why
      2  it was asked wrongly: an argument or a setting
    """
    configuration.log()


@main.command()
@click.option("--real", is_flag=True, help="One supervised process per service, on real servers.")
@click.option("--port", type=PORT, default=None, help="HTTP port, instead of GUANXI_PORT (default 8080).")
@click.option("--no-demo", is_flag=True, help="Start without the Northwind demo.")
def up(real: bool, port: int | None, no_demo: bool) -> None:
    """Run the whole suite on this machine until Ctrl-C.

    Without --real everything is in this one process, with a PostgreSQL of its own, and the Northwind demo is imported
    at the first start. All data is in the data folder, which a second start goes on with. The data are checked every
    day, first after GUANXI_CHECK_AFTER seconds. Other settings: GUANXI_DATA, GUANXI_PORT, and those of the gateway and
    of mail.

    With --real there is one process per service and two of the gateway, each started again when it ends. Settings:
    those of `guanxi serve` and `guanxi gateway`. Run `guanxi migrate` before. There is no demo then; `guanxi tenant
    create` makes a tenant. The port behind the HTTP port serves the streams.

    \b
    Examples:
      guanxi up
      GUANXI_DATA=/srv/guanxi GUANXI_PORT=9000 guanxi up --no-demo
      guanxi migrate && guanxi up --real
    """
    if real:
        _up_real(port)
    else:
        _up_embedded(port, demo=not no_demo)


def _up_embedded(given: int | None, *, demo: bool) -> None:
    from chassis.bus import start

    start()
    from gateway.settings import from_environment
    from suite import home
    from suite.embedded import Embedded
    from suite.progress import Progress
    from suite.servers.process import ServerError
    from suite.signals import Signals

    own = configuration.of_services(SERVICES)
    readers = (home.data_folder, configuration.port(given), configuration.check_after, from_environment, *own)
    folder, port, check_after, *_ = configuration.read(*readers)
    progress = Progress()
    suite = Embedded(folder, port, click.echo, progress, check_after)
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


def _up_real(given: int | None) -> None:
    import signal

    from chassis.settings import from_environment
    from gateway.settings import from_environment as edge
    from gateway.settings import process
    from suite.processes import Supervisor, children

    own = configuration.of_services(SERVICES)
    port = configuration.read(configuration.port(given), from_environment, process, edge, *own)[0]
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


@main.command(
    help=f"""Run one service: what a container runs.

    SERVICE is one of {NAMES}. It ends on SIGTERM, after finishing what is under way; allow it 30 seconds. While the
    broker or the database is away it waits and tries again.

    Settings: GUANXI_DATABASE_URL, GUANXI_DATABASE_SECRET, GUANXI_CONTEXT_KEY and GUANXI_BUS are needed.
    GUANXI_PROBE_PORT answers probes and measurements; GUANXI_POOL_SIZE, GUANXI_RPC_WORKERS, GUANXI_EVENT_WORKERS and
    GUANXI_JOBS say how much it does at once. notify reads GUANXI_SMTP_URL and GUANXI_EGRESS_OPEN, eventlog
    GUANXI_BROKER_MANAGEMENT_URL, search GUANXI_ELASTICSEARCH.

    \b
    Examples:
      guanxi serve sales
      GUANXI_PROBE_PORT=8081 guanxi serve sales --only relay
    """
)
@click.argument("service", metavar="SERVICE", type=click.Choice(SERVICES))
@click.option(
    "--only",
    type=click.Choice(("rpc", "events", "relay", "jobs")),
    default=None,
    help="One kind of its work: rpc answers calls, events reacts, relay publishes and retries, jobs runs long work."
    " Without it all of them together.",
)
def serve(service: str, only: str | None) -> None:
    from chassis.bus import start

    start()
    from chassis.bus.transport import connect
    from chassis.settings import from_environment
    from suite.host import KINDS, Host
    from suite.probes import Probes
    from suite.signals import Signals, end_with_supervisor

    own = configuration.of_services((service,))
    settings, probe_port, *_ = configuration.read(from_environment, configuration.probe_port, *own)
    # Heard from here on: a container's first process ignores a signal that it has no handler for.
    signals = Signals()
    end_with_supervisor()
    host = Host(settings, connect(settings.bus), (service,), (only,) if only else KINDS)
    host.start()
    probes = Probes(host, probe_port)
    click.echo(f"{service} serves {only or 'rpc, events, relay and jobs'}")
    try:
        signals.wait()
    finally:
        probes.stop()
        host.stop()


@main.command()
@click.option("--streams", is_flag=True, help="Serve the long-lived answers (feed with wait=, server-sent events).")
@click.option("--port", type=PORT, default=None, help="HTTP port, instead of GUANXI_PORT (default 8080).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 in a container.")
@click.option("--workers", type=click.IntRange(1, 100), default=1, show_default=True, help="How many processes.")
def gateway(streams: bool, port: int | None, host: str, workers: int) -> None:
    """Run the HTTP gateway under gunicorn: what a container runs. It ends on SIGTERM.

    It answers all the time. What it cannot do while the broker or a service is away is refused with 503; GET /readyz
    names what is missing.

    Settings: GUANXI_BUS and GUANXI_CONTEXT_KEY are needed. GUANXI_THREADS are the threads of each process,
    GUANXI_STREAMS_URL is where clients reach the process with --streams; GUANXI_ALLOWED_HOSTS, GUANXI_CORS_ORIGINS,
    GUANXI_HTTPS, GUANXI_TRUSTED_PROXIES and GUANXI_LOGIN_LIMIT guard the edge.

    \b
    Examples:
      guanxi gateway --host 0.0.0.0 --workers 2
      guanxi gateway --streams --port 8081
    """
    from gateway.settings import from_environment, process
    from suite.signals import end_with_supervisor

    end_with_supervisor()
    chosen = configuration.read(configuration.port(port), process, from_environment)[0]
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


@main.command(
    help=f"""Bring databases, roles and the broker's queues to what this version needs.

    Run it before each roll-out, as often as you like: what is there already is left alone. Without a SERVICE it does
    so for all of them: {NAMES}.

    Settings: GUANXI_DATABASE_URL with a superuser (or with --no-provision any address of the server),
    GUANXI_DATABASE_SECRET, GUANXI_CONTEXT_KEY and GUANXI_BUS.

    \b
    Examples:
      guanxi migrate
      guanxi migrate --no-provision sales customer
    """
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1, type=click.Choice(SERVICES))
@click.option(
    "--provision/--no-provision",
    default=True,
    help="Also create missing databases and roles (needs a superuser in GUANXI_DATABASE_URL).",
)
def migrate(services: tuple[str, ...], provision: bool) -> None:
    from sqlalchemy.exc import OperationalError

    from chassis import migrations, provisioning
    from chassis.bus.ports import BusUnavailable
    from chassis.bus.transport import connect
    from chassis.settings import from_environment
    from suite.host import Host

    (settings,) = configuration.read(from_environment)
    chosen = services or SERVICES
    try:
        if provision:
            provisioning.provision(settings.database, chosen, settings.database_secret, settings.database_prefix)
        for service in chosen:
            revision = migrations.upgrade(settings.database_url(service, "owner"), service)
            click.echo(f"{service}: database at {revision}")
    except OperationalError as error:
        raise click.ClickException(f"GUANXI_DATABASE_URL: {str(error.orig).strip()}") from None
    transport = connect(settings.bus)
    host = Host(settings, transport, chosen, ())
    try:
        endpoints = [runtime.endpoint() for runtime in host.runtimes.values()]
        transport.declare(endpoints)
        moved = sum(transport.retire(endpoint) for endpoint in endpoints)
    except BusUnavailable as error:
        raise click.ClickException(f"The databases are ready, but the broker (GUANXI_BUS) is not: {error}") from None
    finally:
        host.stop()
    click.echo("exchanges and queues are declared")
    if moved:
        click.echo(f"{moved} messages were moved out of queues of earlier versions")


@main.command()
def version() -> None:
    """Print the version of the suite, such as `guanxi 0.1.0`. It reads no setting."""
    from importlib.metadata import version as installed

    click.echo(f"guanxi {installed('guanxi')}")


administration.add_to(main)
main.add_command(imports.group)
commands.add_to(main, configuration.databases)
searching.add_to(main, configuration.databases)

if __name__ == "__main__":
    main()
