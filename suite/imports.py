"""The `guanxi import` commands: they bring data in by the API of a running suite, as any client could."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.group("import")
def group() -> None:
    """Bring data in from elsewhere."""


@group.command("northwind")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--url", default=None, help="Address of the suite; without it the running one of GUANXI_DATA.")
@click.option("--api-key", envvar="GUANXI_API_KEY", default=None, help="API key of an administrator.")
def import_northwind(path: Path, url: str | None, api_key: str | None) -> None:
    """Import the Northwind traders' CSV files. A second import changes nothing and says so."""
    from suite import northwind
    from suite.client import Refused
    from suite.progress import Progress

    missing = northwind.files_missing(path)
    if missing:
        raise click.ClickException(f"{path} lacks {', '.join(missing)}")
    client = _client(url, api_key)
    progress = Progress()
    try:
        with progress:
            report = northwind.run(client, path, progress)
    except (OSError, Refused, northwind.Rejected) as error:
        raise click.ClickException(f"The import stopped: {error}. Repeating it goes on where it stopped.") from None
    if not (report.created or report.updated or report.placed):
        click.echo(f"Nothing changed: all {report.unchanged} records were there already.")
    else:
        click.echo(f"{report.created} created, {report.updated} updated, {report.unchanged} unchanged. {report.told()}")


@group.command("online-retail")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", default=None, help="Address of the suite; without it the running one of GUANXI_DATA.")
@click.option("--api-key", envvar="GUANXI_API_KEY", default=None, help="API key of an administrator.")
def import_online_retail(path: Path, url: str | None, api_key: str | None) -> None:
    """Import the Online Retail data (UCI 352), a CSV file that may be gzipped, by the import API."""
    from suite import online_retail
    from suite.client import Refused
    from suite.progress import Progress

    progress = Progress()
    try:
        with progress:
            report = online_retail.run(_client(url, api_key), path, progress)
    except (OSError, Refused, online_retail.Rejected) as error:
        raise click.ClickException(f"The import stopped: {error}. Repeating it goes on where it stopped.") from None
    said = ", ".join(f"{report.total(what)} {what}" for what in ("created", "updated", "unchanged"))
    click.echo(f"{report.lines} lines: {said}.")


@group.command("file")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("collection")
@click.option("--mode", type=click.Choice(["create", "update", "upsert"]), default="create", show_default=True)
@click.option("--match", default=None, help="How records are found: id, number, external:<system>, or a field.")
@click.option("--mapping", default=None, help="The name of a saved mapping.")
@click.option("--dry-run", is_flag=True, help="Judge every row and write none.")
@click.option("--url", default=None, help="Address of the suite; without it the running one of GUANXI_DATA.")
@click.option("--api-key", envvar="GUANXI_API_KEY", default=None, help="API key of who imports.")
def import_file(
    path: Path,
    collection: str,
    mode: str,
    match: str | None,
    mapping: str | None,
    dry_run: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """Import a file of CSV, XLSX or JSON Lines into a collection."""
    from suite import importing
    from suite.client import Refused

    query = {"mode": mode, "match": match, "mapping": mapping, "dry_run": "true" if dry_run else None}
    try:
        job = importing.send(_client(url, api_key), path, collection, query)
    except (OSError, Refused, importing.Rejected) as error:
        raise click.ClickException(str(error)) from None
    result = job["result"]
    click.echo(", ".join(f"{result[what]} {what}" for what in importing.COUNTS))
    if job["errors_url"]:
        click.echo(f"The rejected rows are at {job['errors_url']}")


def _client(url: str | None, api_key: str | None) -> Any:
    from suite import home
    from suite.client import Client

    known = home.read(home.credentials_path(home.data_folder())) if url is None or api_key is None else {}
    if known is None:
        raise click.ClickException("No suite was found: start it with `guanxi up`, or give --url and --api-key.")
    return Client(url or known["url"], api_key or known["api_key"])
