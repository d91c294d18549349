"""What I12 catches: rows that refer into another tenant, and tables that do not keep tenants apart."""

from __future__ import annotations

from suite.check import tenants
from suite.check.tests.world import World

INSIDE = ("I12", tenants.inside.says)
ACROSS = ("I12", tenants.across.says)
PLACED = ("I12", tenants.columns_are_placed.says)


def test_a_table_without_forced_row_security_is_found(world: World) -> None:
    world.spoil("sales", "ALTER TABLE payments NO FORCE ROW LEVEL SECURITY")
    assert world.violated() == {("I12", tenants.protected.says)}


def test_a_table_without_any_policy_is_found(world: World) -> None:
    world.spoil(
        "sales",
        "CREATE TABLE remarks (tenant_id uuid)",
        "ALTER TABLE remarks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    )
    assert world.violated() == {("I12", tenants.protected.says)}


def test_a_partition_that_a_service_may_read_past_its_table_is_found(world: World) -> None:
    role = world.ask("sales", "SELECT rolname FROM pg_roles WHERE rolname LIKE '%%_sales_app'")[0].rolname
    world.spoil("sales", f'GRANT SELECT ON changes_default TO "{role}"')
    assert world.violated() == {("I12", tenants.protected.says)}


def test_a_foreign_key_without_the_tenant_is_found(world: World) -> None:
    world.spoil(
        "sales",
        "CREATE UNIQUE INDEX u ON orders (id)",
        "ALTER TABLE credit_holds ADD CONSTRAINT bad FOREIGN KEY (order_id) REFERENCES orders (id)",
    )
    assert world.violated() == {("I12", tenants.foreign_keys.says)}


def test_a_reference_to_another_tenants_record_of_the_service_is_found(world: World) -> None:
    world.spoil(
        "inventory",
        f"UPDATE products SET supplier_id = (SELECT id FROM suppliers) WHERE tenant_id = '{world.small.tenant}'",
    )
    assert world.violated() == {INSIDE}
    fault = next(one.seen.faults[0] for one in world.check() if one.rule is tenants.inside)
    assert fault.says == "is a record of another tenant (inventory.supplier)" and fault.tenant == world.small.tenant


def test_a_reference_to_nothing_is_found(world: World) -> None:
    world.spoil("inventory", "UPDATE products SET supplier_id = gen_random_uuid()")
    assert world.violated() == {INSIDE}


def test_a_reference_from_a_table_that_is_no_record_is_followed(world: World) -> None:
    world.spoil(
        "identity",
        f"UPDATE passwords SET user_id = '{world.one.user}' WHERE tenant_id = '{world.small.tenant}'",
    )
    assert world.violated() == {INSIDE}


def test_a_reference_within_a_list_of_parts_is_followed(world: World) -> None:
    """An allocation that names another tenant's receivable is no longer what the ledger says, either."""
    other = world.ask("sales", f"SELECT id FROM receivables WHERE tenant_id = '{world.small.tenant}'")[0].id
    world.spoil(
        "sales",
        f"UPDATE payments SET allocations = jsonb_set(allocations, '{{0,receivable_id}}', '\"{other}\"')",
    )
    assert INSIDE in world.violated() and {invariant for invariant, _ in world.violated()} == {"I12", "I6"}


def test_a_reference_to_another_tenants_record_of_another_service_is_found(world: World) -> None:
    world.spoil("service", f"UPDATE service_requests SET account_id = '{world.small.account}'")
    assert world.violated() == {ACROSS}
    fault = next(one.seen.faults[0] for one in world.check() if one.rule is tenants.across)
    assert fault.says == "is a record of another tenant (customer.account)"


def test_a_dangling_reference_across_services_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE opportunities SET contact_id = gen_random_uuid()")
    assert world.violated() == {ACROSS}


def test_an_owner_of_another_tenant_is_found(world: World) -> None:
    world.spoil("inventory", f"UPDATE suppliers SET owner_id = '{world.small.user}'")
    assert world.violated() == {ACROSS}


def test_a_copy_of_a_record_that_is_not_there_is_found(world: World) -> None:
    world.spoil(
        "sales",
        "UPDATE copies SET id = gen_random_uuid() WHERE record = 'inventory.shipper' OR id IN ("
        "SELECT id FROM copies WHERE record = 'customer.contact' LIMIT 1)",
    )
    assert world.violated() == {ACROSS}


def test_a_new_column_of_ids_must_say_what_it_refers_to(world: World) -> None:
    world.spoil("sales", "ALTER TABLE credit_holds ADD COLUMN gadget_id uuid")
    assert world.violated() == {PLACED}


def test_a_new_column_named_after_a_record_is_followed(world: World) -> None:
    world.spoil(
        "sales",
        "ALTER TABLE receivable_entries ADD COLUMN payment_id uuid",
        "UPDATE receivable_entries SET payment_id = gen_random_uuid() WHERE kind = 'reversed'",
    )
    assert world.violated() == {INSIDE}
