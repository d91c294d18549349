"""`make bench-dedupe`: duplicate candidates against labelled sets; precision, recall and F1 by pairs of records.

The keys and the score are those of production (`chassis.likeness`); only the table of keys is a dictionary here, so
that a set takes seconds. `DATA` names the folder with the sets; without one there is nothing to measure.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis import likeness

Pair = tuple[str, str]
Fields = tuple[tuple[str, str, float], ...]
"""Name, kind and weight."""
MOST_OF_A_KEY = 500


@dataclass(frozen=True)
class LabelledSet:
    """Records by id, the true pairs, and how its fields are compared. Of two lists only pairs across them count."""

    name: str
    records: dict[str, dict[str, str]]
    truth: set[Pair]
    fields: Fields
    across: bool = False


def rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig", "replace")), delimiter=delimiter, skipinitialspace=True)
    return [{name.strip(): (value or "").strip() for name, value in row.items() if name} for row in reader]


def within(clusters: dict[str, str]) -> set[Pair]:
    """All pairs of records of the same cluster."""
    members: dict[str, list[str]] = defaultdict(list)
    for record, cluster in clusters.items():
        members[cluster].append(record)
    return {pair for same in members.values() for pair in itertools.combinations(sorted(same), 2)}


def sets(data: Path) -> Iterator[LabelledSet]:
    """The sets that are there."""
    folder = data / "dedupe-restaurants"
    if folder.is_dir():
        found = {
            f"{name}{row['id']}": row
            for name in ("f", "z")
            for row in rows(folder / ("fodors.csv" if name == "f" else "zagats.csv"))
        }
        truth = {(f"f{row['fodors_id']}", f"z{row['zagats_id']}") for row in rows(folder / "matches_fodors_zagats.csv")}
        yield LabelledSet(
            "restaurants",
            found,
            truth,
            (("name", "company", 5), ("phone", "phone", 3), ("addr", "address", 3), ("city", "text", 1)),
            True,
        )
    folder = data / "dedupe-febrl"
    for number in (1, 2):
        if folder.is_dir():
            found = {
                row["rec_id"]: {
                    **row,
                    "name": f"{row['given_name']} {row['surname']}",
                    "address": f"{row['street_number']} {row['address_1']} {row['suburb']}",
                }
                for row in rows(folder / f"dataset{number}.csv.gz")
            }
            truth = within({record: record.split("-")[1] for record in found})
            yield LabelledSet(
                f"febrl {number}",
                found,
                truth,
                (
                    ("name", "person", 4),
                    ("address", "address", 3),
                    ("date_of_birth", "date", 3),
                    ("postcode", "code", 1),
                ),
            )
    folder = data / "dedupe-people-wikidata"
    if folder.is_dir():
        found = {
            row["unique_id"]: {**row, "name": f"{row['first_name']} {row['surname']}"}
            for row in rows(folder / "fake_1000.csv")
        }
        truth = within({record: row["cluster"] for record, row in found.items()})
        yield LabelledSet(
            "fake people",
            found,
            truth,
            (("name", "person", 4), ("email", "email", 5), ("dob", "date", 3), ("city", "text", 1)),
        )
    folder = data / "dedupe-products"
    if folder.is_dir():
        found = {f"{name}{row['id']}": row for name in ("abt", "buy") for row in rows(folder / f"{name}.csv.gz", "|")}
        truth = {(f"abt{row['D1']}", f"buy{row['D2']}") for row in rows(folder / "abt_buy_gt.csv.gz", "|")}
        yield LabelledSet("products (abt-buy)", found, truth, (("name", "text", 5),), True)


def pairs(one: LabelledSet) -> dict[Pair, float]:
    """The candidates that share a key, with their scores."""
    normal = {
        record: [likeness.normal(kind, row.get(field)) for field, kind, _ in one.fields]
        for record, row in one.records.items()
    }
    table: dict[str, list[str]] = defaultdict(list)
    for record, values in normal.items():
        for (_, kind, _), value in zip(one.fields, values, strict=True):
            for key in likeness.keys(kind, value):
                table[key].append(record)
    found: set[Pair] = set()
    for records in table.values():
        if len(records) <= MOST_OF_A_KEY:
            found.update(tuple(sorted(pair)) for pair in itertools.combinations(records, 2))  # type: ignore[misc]
    if one.across:
        found = {pair for pair in found if pair[0][0] != pair[1][0]}
    return {pair: _score(one.fields, normal[pair[0]], normal[pair[1]]) for pair in found}


def _score(fields: Fields, mine: Sequence[str], theirs: Sequence[str]) -> float:
    return likeness.score(
        (kind, weight, left, right) for (_, kind, weight), left, right in zip(fields, mine, theirs, strict=True)
    )[0]


def quality(truth: set[Pair], scored: dict[Pair, float], threshold: float) -> tuple[float, float, float]:
    """Precision, recall and F1 of the pairs that reach the threshold."""
    chosen = {pair for pair, value in scored.items() if value >= threshold}
    right = len(chosen & truth)
    precision, recall = right / len(chosen) if chosen else 1.0, right / len(truth) if truth else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0


def held_out(pair: Pair) -> bool:
    """Whether a pair belongs to the half that nothing was tuned on: by a digest of its first record."""
    return hashlib.sha256(pair[0].encode()).digest()[0] % 2 == 1


def measure(data: Path, threshold: float) -> list[dict[str, Any]]:
    results = []
    for one in sets(data):
        scored = pairs(one)
        _, _, tuned = quality(
            {pair for pair in one.truth if not held_out(pair)},
            {pair: value for pair, value in scored.items() if not held_out(pair)},
            threshold,
        )
        precision, recall, f1 = quality(
            set(filter(held_out, one.truth)),
            {pair: value for pair, value in scored.items() if held_out(pair)},
            threshold,
        )
        results.append(
            {
                "set": one.name,
                "records": len(one.records),
                "pairs": len(one.truth),
                "candidates": len(scored),
                "blocked": len(one.truth & scored.keys()) / len(one.truth),
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "tuned": tuned,
            }
        )
    return results


def table(results: Sequence[dict[str, Any]], threshold: float) -> str:
    lines = [
        "# Duplicates: quality on labelled sets",
        "",
        f"`make bench-dedupe`, pairs that score {threshold} and above. Blocked: true pairs with a common key.",
        "Precision, recall and F1 are of the half of the pairs that nothing was tuned on, by a digest of their first",
        "record; the last column has the F1 of the other half.",
        "",
        "| Set | Records | True pairs | Candidates | Blocked | Precision | Recall | F1 | F1 of the other half |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        shares = " | ".join(f"{one[name]:.3f}" for name in ("blocked", "precision", "recall", "f1", "tuned"))
        lines.append(f"| {one['set']} | {one['records']} | {one['pairs']} | {one['candidates']} | {shares} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    data = Path(os.environ.get("DATA", "data"))
    results = measure(data, likeness.THRESHOLD)
    if not results:
        print(f"No labelled sets in {data}: set DATA.", file=sys.stderr)
        return 1
    text = table(results, likeness.THRESHOLD)
    (Path(__file__).parent / "dedupe.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
