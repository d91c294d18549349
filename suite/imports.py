"""The `guanxi import` commands: they bring data in by the API of a running suite, as any client could."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from suite import configuration


@click.group("import")
def group() -> None:
    """Bring data in from elsewhere, by the API of a running suite, as any client could.

    Without --url the suite is the embedded one of this machine that runs on GUANXI_DATA (default .guanxi), with the
    key in its credentials.json. With --url a key is needed: --api-key, or GUANXI_API_KEY, which does not show in the
    list of processes.
    """


@group.command("northwind")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--url", default=None, help="Address of the suite, such as https://crm.example.com.")
@click.option(
    "--api-key", envvar="GUANXI_API_KEY", default=None, help="API key of an administrator, instead of GUANXI_API_KEY."
)
def import_northwind(path: Path, url: str | None, api_key: str | None) -> None:
    """Import the Northwind traders' CSV files from the folder PATH. A second import changes nothing and says so.

    \b
    Examples:
      guanxi import northwind data/northwind
      GUANXI_API_KEY=gx_… guanxi import northwind data/northwind --url https://crm.example.com
    """
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
@click.option("--url", default=None, help="Address of the suite, such as https://crm.example.com.")
@click.option(
    "--api-key", envvar="GUANXI_API_KEY", default=None, help="API key of an administrator, instead of GUANXI_API_KEY."
)
def import_online_retail(path: Path, url: str | None, api_key: str | None) -> None:
    """Import the Online Retail data (UCI 352), a CSV file that may be gzipped, by the import API.

    \b
    Example:
      guanxi import online-retail data/online-retail.csv.gz
    """
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
@click.option(
    "--mode",
    type=click.Choice(["create", "update", "upsert"]),
    default="create",
    show_default=True,
    help="What is done with a row: always a new record, only a known one, or either.",
)
@click.option("--match", default=None, help="How records are found: id, number, external:<system>, or a field.")
@click.option("--mapping", default=None, help="The name of a saved mapping.")
@click.option("--dry-run", is_flag=True, help="Judge every row and write none.")
@click.option("--url", default=None, help="Address of the suite, such as https://crm.example.com.")
@click.option(
    "--api-key", envvar="GUANXI_API_KEY", default=None, help="API key of who imports, instead of GUANXI_API_KEY."
)
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
    """Import the file PATH (.csv, .xlsx or .jsonl) into COLLECTION, which is named as in the API.

    Rejected rows end nothing: their number is printed, and where the file with their reasons is.

    \b
    Examples:
      guanxi import file customers.csv accounts --dry-run
      guanxi import file customers.csv accounts --mode upsert --match external:erp
    """
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

    if url is not None:
        faults = [] if re.fullmatch(r"https?://[^\s/?#]+/?", url) else ["--url: Must be http(s)://host:port."]
        # The key of this machine's demo is nobody else's business.
        faults += [] if api_key else ["--api-key or GUANXI_API_KEY: Needed with --url."]
        if faults:
            raise configuration.Wrong("\n".join(faults))
        configuration.read()
        return Client(url, api_key or "")
    (folder,) = configuration.read(home.data_folder)
    known = home.read(home.credentials_path(folder))
    if known is None:
        raise configuration.Wrong(
            f"No suite was found in the data folder {folder}: start it with `guanxi up`, name its folder in"
            " GUANXI_DATA, or give --url and --api-key."
        )
    return Client(known["url"], api_key or known["api_key"])
