"""I10: the search index holds every living record in its present version, and nothing of a deleted one."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.registry import registry
from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Key, Look, Side
from suite.check.versions import table_of

DOCUMENTS = Side(
    "search", "SELECT tenant_id, id || ' ' || record || ' ' || version AS key FROM documents WHERE NOT deleted"
)


def searched() -> list[str]:
    """Records that declare a field with a weight in searches."""
    return sorted(
        name for name, record in registry.records.items() if any(field.search for field in record.declared().values())
    )


def living() -> list[Side]:
    """Every record that the index must hold, by its version."""
    return [
        Side(
            record.split(".", 1)[0],
            f"SELECT tenant_id, id || ' {record} ' || version AS key FROM {table_of(record)} WHERE deleted_at IS NULL",
        )
        for record in searched()
    ]


@rule("I10", "the index holds each living record in its version, and no deleted one", moving=True)
def documents(look: Look) -> Seen:
    rows, missing, extra = look.compare(living(), [DOCUMENTS])
    wanted, indexed = _versions(missing), _versions(extra)
    faults = []
    for tenant, name in sorted(wanted.keys() | indexed.keys()):
        record_id, record = name.split(" ")
        there, here = indexed.get((tenant, name)), wanted.get((tenant, name))
        if here is None:
            says = f"is in the index in version {there}, but is deleted or was never there"
        elif there is None:
            says = f"is in version {here} and not in the index"
        else:
            says = f"is in version {here}, in the index in version {there}"
        faults.append(Fault(tenant, "search", f"{record} {record_id}", says))
    return seen(rows, faults)


def _versions(keys: Iterable[Key]) -> dict[tuple[str, str], str]:
    return {(tenant, key.rsplit(" ", 1)[0]): key.rsplit(" ", 1)[1] for tenant, key in keys}


@rule("I10", "only living documents have words and keys by which they are found")
def words(look: Look) -> Seen:
    return look.audit(
        "search",
        "SELECT tenant_id, record || ' ' || id AS subject, CASE WHEN deleted AND (keys > 0 OR words <> '')"
        " OR deleted IS NULL THEN 'is found although it is deleted or was never there' END AS fault"
        " FROM (SELECT tenant_id, record, id, count(*) AS keys FROM keys GROUP BY 1, 2, 3) AS held"
        " FULL JOIN documents USING (tenant_id, record, id)",
    )


rules = (documents, words)
