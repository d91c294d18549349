"""Commands of who runs an installation: `guanxi tenant`, `check` and `demo`."""

from __future__ import annotations

import shutil
import sys

import click

from suite import configuration


def add_to(main: click.Group) -> None:
    """Hang the commands into the `guanxi` command."""
    for command in (tenant, check, demo):
        main.add_command(command)


@click.group()
def tenant() -> None:
    """Make tenants: the organisations that share an installation and never see each other."""


@tenant.command("create")
@click.argument("slug")
@click.option("--name", required=True, help="Its full name.")
@click.option("--email", required=True, help="Of its first administrator.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217 code of its default currency.")
@click.option("--zone", default="UTC", show_default=True, help="IANA time zone, such as Asia/Shanghai.")
@click.option("--locale", default="en", show_default=True, help="Language of its messages: en or zh.")
@click.option("--copies", is_flag=True, help="The administrator also receives what owners receive.")
def tenant_create(slug: str, name: str, email: str, currency: str, zone: str, locale: str, copies: bool) -> None:
    """Make a tenant with its first administrator, and print his password and API key, once.

    SLUG is the short name that its people sign in with: small letters, digits and hyphens. Services must be running,
    since the tenant is made over the bus. Settings: GUANXI_BUS and GUANXI_CONTEXT_KEY.

    \b
    Example:
      guanxi tenant create acme --name "Acme Ltd" --email anna@acme.example --currency EUR --zone Europe/Berlin
    """
    from chassis.bus.ports import BusUnavailable, OutcomeUnknown
    from chassis.bus.transport import connect
    from chassis.context import Signer
    from gateway.settings import process
    from suite import tenants

    (known,) = configuration.read(process)
    caller = connect(known.bus).caller()
    password, api_key = tenants.new_password(), tenants.new_api_key()
    wanted = {"slug": slug, "name": name, "email": email, "password": password, "api_key": api_key}
    wanted |= {"currency": currency, "zone": zone, "locale": locale, "gets_copies": copies}
    try:
        created = tenants.create(caller, Signer(known.context_key), wanted)
    except (tenants.Refused, BusUnavailable, OutcomeUnknown) as error:
        raise click.ClickException(f"The tenant was not made: {error}") from None
    finally:
        caller.close()
    if not created:
        raise click.ClickException(f"There is a tenant {slug} already; nothing was changed.")
    click.echo(f"tenant    {slug}\ne-mail    {email}\npassword  {password}\nAPI key   {api_key}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--tenant", default=None, help="Check only this tenant, named by its id.")
@click.option("--repair", is_flag=True, help="First publish again what subscribers miss, in all tenants.")
def check(as_json: bool, tenant: str | None, repair: bool) -> None:
    """Check that the databases agree: orders, stock, receivables, events, sagas, tenants, and the broker's queues.

    It reads the databases and the broker, never the services, so it works while they are down; with --repair they
    must run, since what is published again has to be taken in. Each rule says how many rows it looked at; one that
    found none is "not checked", which is no fault.

    Settings: those of `guanxi serve`; without GUANXI_DATABASE_URL the embedded suite that runs on GUANXI_DATA.

    \b
    Exit codes:
      0  all holds
      1  something does not; what and where is printed
      2  nobody can say: a database cannot be reached, or a setting is wrong

    \b
    Examples:
      guanxi check
      guanxi check --repair --json
    """
    from suite.check import command

    sys.exit(command.run(configuration.databases(), as_json=as_json, tenant=tenant, say=click.echo, mend=repair))


@click.group()
def demo() -> None:
    """The demo of an embedded suite (`guanxi up`)."""


@demo.command("reset")
@click.confirmation_option(prompt="This deletes all data in the data folder. Go on?")
def demo_reset() -> None:
    """Delete the data folder's contents, so that the next `guanxi up` begins anew.

    The suite must not be running. It asks before; --yes goes without. Setting: GUANXI_DATA (default .guanxi).

    \b
    Example:
      guanxi demo reset --yes
    """
    from suite import home
    from suite.servers.postgres import Postgres
    from suite.servers.process import ServerError

    (folder,) = configuration.read(home.data_folder)
    try:
        Postgres(folder / "postgres").remove()
    except ServerError as error:
        raise click.ClickException(str(error)) from None
    shutil.rmtree(folder / "blobs", ignore_errors=True)
    for name in ("credentials.json", "credentials.draft.json", "demo.json", "schema.json", "secrets.json"):
        (folder / name).unlink(missing_ok=True)
    click.echo(f"{folder} is empty.")
