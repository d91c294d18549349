"""Write the next migration of a service, on a PostgreSQL of its own that is gone afterwards.

    make migration SERVICE=customer MESSAGE="accounts have employees"

`chassis.revise` does the work, and takes any other server by its address.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from chassis import revise
from contracts.registry import SERVICES
from suite.servers.postgres import Postgres
from suite.servers.process import ServerError


@click.command(context_settings={"max_content_width": 110})
@click.argument("service", metavar="SERVICE", type=click.Choice((*SERVICES, "chassis")))
@click.argument("message")
def main(service: str, message: str) -> None:
    """Write the next migration of SERVICE from its models; MESSAGE says in a few words what it changes."""
    if not message.strip():
        raise click.ClickException("MESSAGE: say in a few words what the migration changes.")
    server = Postgres(Path(tempfile.mkdtemp(prefix="guanxi-revise-")), say=lambda _: None)
    try:
        revise.main([service, message, "--server", server.start()])
    except ServerError as error:
        raise click.ClickException(str(error)) from None
    finally:
        server.remove()


if __name__ == "__main__":
    main(prog_name="python -m suite.revise")
