"""I12: no row refers to a row of another tenant, in any table of any database, and every table keeps tenants apart."""

from __future__ import annotations

from contracts.registry import SERVICES
from suite.check.references import Reference, references, unplaced
from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Look
from suite.check.versions import table_of

BATCH = 10_000


@rule("I12", "every table of tenants forces row-level security")
def protected(look: Look) -> Seen:
    """A partition is reached through its table; it needs protection of its own only where a service may read it."""
    rows, faults = 0, []
    for service in SERVICES:
        for table in look.catalogue(
            service,
            "WITH roles AS (SELECT left(current_user, -length('_checker')) AS prefix)"
            " SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced,"
            "  EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = c.oid) AS has_policy,"
            "  NOT c.relispartition OR has_table_privilege(prefix || '_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE')"
            "  OR has_table_privilege(prefix || '_ops', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS reached"
            " FROM roles, pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND EXISTS (SELECT 1 FROM pg_attribute AS a"
            "  WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) ORDER BY 1",
        ):
            rows += 1
            if table.reached and not (table.forced and table.has_policy):
                faults.append(Fault(None, service, table.relname, "does not force row-level security"))
    return seen(rows, faults)


@rule("I12", "every foreign key leads with the tenant")
def foreign_keys(look: Look) -> Seen:
    rows, faults = 0, []
    for service in SERVICES:
        for key in look.catalogue(
            service,
            "SELECT k.conname, k.conrelid::regclass::text AS of, EXISTS (SELECT 1"
            "  FROM unnest(k.conkey, k.confkey) AS pair (here, there)"
            "  JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = pair.here AND a.attname = 'tenant_id'"
            "  JOIN pg_attribute AS b ON b.attrelid = k.confrelid AND b.attnum = pair.there AND b.attname = 'tenant_id'"
            " ) AS led FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace"
            " WHERE k.contype = 'f' AND n.nspname = 'public' ORDER BY 2, 1",
        ):
            rows += 1
            if not key.led:
                faults.append(Fault(None, service, f"{key.of}.{key.conname}", "does not lead with the tenant"))
    return seen(rows, faults)


@rule("I12", "every column of ids is known as a reference")
def columns_are_placed(look: Look) -> Seen:
    faults = [
        Fault(None, service, f"{table}.{column}", "nobody knows what it refers to, so it cannot be followed")
        for service, table, column in unplaced(look)
    ]
    return seen(sum(1 for _ in references(look)), faults)


@rule("I12", "references within a service lead to records of the same tenant")
def inside(look: Look) -> Seen:
    found = Seen()
    for one in references(look):
        if one.within:
            target = table_of(one.target)
            # A reference that was only kept outlives its record, which says that it was purged.
            found += look.audit(
                one.service,
                f"SELECT s.tenant_id, '{one.table}.{one.column} ' || s.ref AS subject,"
                f" CASE WHEN t.id IS NULL AND NOT {_purged('s')}"
                f"  THEN CASE WHEN EXISTS (SELECT 1 FROM {target} AS o WHERE o.id = s.ref)"
                f"  THEN 'is a record of another tenant ({one.target})' ELSE 'is no {one.target}' END END AS fault"
                f" FROM ({one.statement}) AS s LEFT JOIN {target} AS t ON t.tenant_id = s.tenant_id AND t.id = s.ref",
            )
    return found


@rule("I12", "references across services lead to records of the same tenant", moving=True)
def across(look: Look) -> Seen:
    found = Seen()
    for one in references(look):
        if not one.within:
            found += _follow(look, one)
    return found


def _purged(of: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM changes AS p WHERE p.tenant_id = {of}.tenant_id AND p.record_id = {of}.ref"
        " AND p.type LIKE '%%.purged')"
    )


def _follow(look: Look, one: Reference) -> Seen:
    wanted = look.rows(one.service, f"SELECT DISTINCT tenant_id, ref FROM ({one.statement}) AS refs")
    service, target = one.target.split(".", 1)[0], table_of(one.target)
    faults = []
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        for row in look.rows(
            service,
            f"SELECT w.tenant_id, w.ref, EXISTS (SELECT 1 FROM {target} AS o WHERE o.id = w.ref) AS elsewhere"
            " FROM unnest(%(tenants)s::uuid[], %(refs)s::uuid[]) AS w (tenant_id, ref)"
            f" LEFT JOIN {target} AS t ON t.tenant_id = w.tenant_id AND t.id = w.ref"
            f" WHERE t.id IS NULL AND NOT {_purged('w')}",
            tenants=[row.tenant_id for row in part],
            refs=[row.ref for row in part],
        ):
            says = f"is a record of another tenant ({one.target})" if row.elsewhere else f"is no {one.target}"
            faults.append(Fault(row.tenant_id, one.service, f"{one.table}.{one.column} {row.ref}", says))
    return seen(len(wanted), faults)


rules = (protected, foreign_keys, columns_are_placed, inside, across)
