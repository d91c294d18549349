"""What a statement answered: rows whose columns are attributes. At a third of what SQLAlchemy's results cost."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1000)
def _kind(columns: tuple[str, ...]) -> Any:
    """A column whose name is no identifier, or the second of one name, is found by its place only."""
    kind: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]
    return kind._make


class Rows:
    """All rows of one statement, in memory, and how many rows it read or changed."""

    def __init__(self, cursor: Any) -> None:
        self.rowcount: int = cursor.rowcount
        self._rows: list[Any] = []
        if cursor.description is not None:
            self._rows = list(map(_kind(tuple([column.name for column in cursor.description])), cursor.fetchall()))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row. Raises LookupError where there are none or more."""
        if len(self._rows) != 1:
            raise LookupError(f"one row was expected, not {len(self._rows)}")
        return self._rows[0]

    def scalar(self) -> Any:
        """The first value of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first value of the only row."""
        return self.one()[0]

    def scalars(self) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in self._rows]
