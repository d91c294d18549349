"""What a constraint of the database refuses, said as the problem it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from chassis.database import constraint_of
from chassis.errors import Problem, conflict, invalid
from chassis.records.stored import table_name
from contracts.records import Record


@contextmanager
def constraints_of(record: type[Record]) -> Iterator[None]:
    """A constraint that refuses a write becomes the problem it stands for: a twin is 409, a missing reference 422."""
    try:
        yield
    except IntegrityError as error:
        name, table = constraint_of(error), table_name(record)
        field = name.removeprefix(f"fk_{table}_").removeprefix(f"uq_{table}_").removeprefix(f"ck_{table}_")
        if name.startswith("fk_"):
            raise invalid({field: "There is no such record."}, code="unknown_reference") from error
        if name.startswith(("uq_", "pk_")):
            field = field.removeprefix("tenant_id_").removesuffix("_key")
            raise conflict("duplicate", f"Another {record.singular} has the same {field}.", field=field) from error
        if name.startswith("ck_"):
            raise Problem(422, "refused_by_rule", f"The change breaks the rule {field}.") from error
        raise
