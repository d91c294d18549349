"""Accounts of four public sets of names, to search in. Nothing of Guanxi is imported here.

Non-profits of 25 states of the USA, short names of Chinese firms, research organisations of the world, and the listed
companies of Taiwan, which have phones. Where they are from and under which licence, `SOURCE.md` beside each one says.
"""

from __future__ import annotations

import csv
import gzip
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

DATA = Path(os.environ.get("GUANXI_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = ("irs", "cn", "ror", "twse")
SAMPLE = Path(__file__).parent / "search_sample"
SHARES = {"irs": 1_000, "cn": 1_000, "ror": 700, "twse": 300}


@dataclass(frozen=True)
class Row:
    """One account as it is imported. `key` is unique within its set."""

    set: str
    key: str
    name: str
    phone: str = ""
    email: str = ""
    website: str = ""
    city: str = ""
    country: str = ""


def rows_of(folder: Path = DATA, rows: int | None = None) -> list[Row]:
    """All accounts, or about `rows`: the same share of each set, drawn by a fixed seed, but all that have phones."""
    found = {"irs": [*_irs(folder)], "cn": [*_cn(folder)], "ror": [*_ror(folder)], "twse": [*_twse(folder)]}
    if rows is not None:
        rest = sum(map(len, found.values())) - len(found["twse"])
        share = max(0, rows - len(found["twse"])) / rest
        chance = random.Random(2026)
        for name in ("irs", "cn", "ror"):
            found[name] = [row for row in found[name] if chance.random() < share]
    return [row for name in SETS for row in found[name]]


def sample() -> list[Row]:
    """Three thousand of all accounts, which are kept with the code. They have no e-mail addresses."""
    with (SAMPLE / "accounts.csv").open(encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def _write_sample() -> None:
    """Draw the sample anew from the sets: `python -m bench.search_rows`."""
    chance = random.Random(2026)
    rows = rows_of()
    by_set = {name: [row for row in rows if row.set == name] for name in SETS}
    names = [field.name for field in fields(Row) if field.name != "email"]
    with (SAMPLE / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for name in SETS:
            drawn = sorted(chance.sample(by_set[name], SHARES[name]), key=lambda row: row.key)
            writer.writerows({one: getattr(row, one) for one in names} for row in drawn)


def _table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _irs(folder: Path) -> Iterator[Row]:
    for row in _table(folder / "irs-nonprofits" / "eo_bmf_2020-07.csv.gz"):
        yield Row("irs", row["EIN"], row["NAME"].strip(), city=row["CITY"].title(), country="United States")


def _cn(folder: Path) -> Iterator[Row]:
    with gzip.open(folder / "cn-company-short-names" / "Company-Shorter-Form_28W.txt.gz", "rt", "utf-8-sig") as file:
        for number, line in enumerate(file):
            # Two lines of credit and date and an empty one stand before the names.
            if number > 2 and line.strip():
                yield Row("cn", f"CN{number:06}", line.strip(), country="China")


def _ror(folder: Path) -> Iterator[Row]:
    for row in _table(folder / "ror-organizations" / "ror_organizations.csv.gz"):
        if row["name"].strip():
            key = row["ror_id"].rsplit("/", 1)[1]
            place = {"city": row["city"], "country": row["country_name"]}
            yield Row("ror", key, row["name"].strip(), website=row["website"], **place)


def _twse(folder: Path) -> Iterator[Row]:
    for market in "LO":
        for row in _table(folder / "twse-listed-companies" / f"t187ap03_{market}_2024-10-29.csv.gz"):
            yield Row(
                "twse",
                row["公司代號"],
                row["公司名稱"].strip(),
                phone=row["總機電話"].strip()[:40],
                email=row["電子郵件信箱"].strip(),
                website=row["網址"].strip(),
                city=row["住址"].strip()[:3],
                country="Taiwan",
            )


if __name__ == "__main__":
    _write_sample()
