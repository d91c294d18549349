"""Users, teams and roles: who they are and what they may do."""

from __future__ import annotations

from typing import Any

from chassis import zones
from chassis.bus import offload
from chassis.context import Grants, Masks
from chassis.database import Work
from chassis.errors import conflict, forbidden, invalid
from chassis.ids import new_id
from chassis.permissions import SCOPES, scope, scope_in
from chassis.records import Store, erasing
from contracts import identity as contracts
from contracts.custom import PREFIX
from contracts.registry import registry
from services.identity import credentials
from services.identity.models import ApiKey, Role, Team, Tenant, User

tenants, teams, roles, users, api_keys = Store(Tenant), Store(Team), Store(Role), Store(User), Store(ApiKey)


@roles.computes
def grants_are_known(role: Role, work: Work) -> None:
    """A misspelt record or scope would silently grant nothing, or too much: it is refused."""
    records = {*registry.records, "*", "admin.inbox", "admin.sagas"}
    for record, actions in role.grants.items():
        if record not in records:
            raise invalid({f"grants.{record}": "There is no such record."})
        if not isinstance(actions, dict) or any(scope not in SCOPES for scope in actions.values()):
            raise invalid({f"grants.{record}": f"Maps actions to {', '.join(SCOPES)}."})
    for record, mask in role.masks.items():
        declared = registry.named(record)
        if declared is None or not isinstance(mask, dict) or set(mask) - {"hidden", "read_only"}:
            raise invalid({f"masks.{record}": "Maps hidden and read_only to lists of fields of a record."})
        known = list(declared.declared())
        for names in mask.values():
            if not isinstance(names, list) or any(
                name not in known and not str(name).startswith(PREFIX) for name in names
            ):
                raise invalid({f"masks.{record}": "Names fields that the record does not have."})


@tenants.computes
@users.computes
def the_zone_exists(whose: Tenant | User, work: Work) -> None:
    if not zones.known(whose.zone or "UTC"):
        raise invalid({"zone": "There is no such time zone; Asia/Shanghai is one."})


@users.computes
def roles_are_given_by_who_manages_them(user: User, work: Work) -> None:
    """Whoever may edit users must not be able to make himself, or anybody, an administrator by it."""
    before = (user.was or {}).get("role_ids") or []
    if set(user.role_ids or ()) != set(before) and scope(work.context, "identity.role", "update") != "all":
        raise forbidden("give", "roles")


@users.computes
def nobody_manages_himself(user: User, work: Work) -> None:
    """The manager tree has no circle: whoever follows it upwards arrives."""
    seen, above = {user.id}, user.manager_id
    while above is not None:
        if above in seen:
            raise invalid({"manager_id": "The manager tree must not go round in a circle."})
        seen.add(above)
        manager = users.find(work, above)
        above = manager.manager_id if manager else None


@users.erases
def only_who_has_left(user: User, work: Work) -> None:
    """Whoever can still sign in is deactivated first. His password goes with his name."""
    if user.status == "active" and user.deleted_at is None:
        raise conflict("wrong_state", "Only a user who was deactivated is erased.", field="status", state=user.status)
    # Who was deleted while he could sign in may be restored, but not to that.
    user.status = "inactive"
    for table in ("passwords", "secrets"):
        work.later(f"DELETE FROM {table} WHERE tenant_id = %s AND user_id = %s", (work.tenant, user.id))


@users.command(contracts.deactivate)
def deactivate(user: User, work: Work) -> None:
    """Someone who leaves loses every session and key at once; what he owned stays his until it is transferred."""
    user.move("inactive")
    work.sql("DELETE FROM secrets WHERE tenant_id = %s AND user_id = %s", (work.tenant, user.id))


@users.command(contracts.activate)
def activate(user: User, work: Work) -> None:
    """Whoever comes back gets his own past again. That of somebody who was erased is given to nobody else."""
    if erasing.was_erased(work, users, user.id):
        raise conflict("wrong_state", "A user who was erased is not activated.", field="status", state=user.status)
    user.move("active")


@users.command(contracts.reset_password)
def reset_password(user: User, work: Work, body: Any) -> None:
    """A new password ends the sessions that the old one began; API keys stay."""
    set_password(work, user.id, body.password)
    work.sql("DELETE FROM secrets WHERE tenant_id = %s AND user_id = %s AND kind <> 'key'", (work.tenant, user.id))


def set_password(work: Work, user_id: str, password: str) -> None:
    hashed = offload(credentials.hasher.hash, password)
    work.sql(
        "INSERT INTO passwords (tenant_id, user_id, hash) VALUES (%s, %s, %s)"
        " ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash",
        (work.tenant, user_id, hashed),
    )


@api_keys.creates
def a_key_gets_its_secret(key: ApiKey, work: Work) -> None:
    """Only the answer that makes the key has its secret. A key for somebody else needs the right to manage users."""
    if key.user_id != work.context.user_id and scope(work.context, "identity.user", "update") != "all":
        raise forbidden("create", "API keys of others")
    key.id, key.prefix = new_id(), "gx_"
    # When it ends is said by the key alone, so that an edit of that date counts at once.
    work.reveal["secret"] = credentials.issue(work, "key", key.user_id, key.id, None)


def effective(work: Work, user: User) -> tuple[Grants, Masks]:
    """What a user's roles grant and conceal together."""
    found = roles.where(work, "id = ANY(%s::uuid[])", (list(user.role_ids or ()),))
    return widest([role.grants for role in found]), lightest([role.masks for role in found])


def widest(several: list[Grants]) -> Grants:
    """One set of grants that allows what any of several allows.

    A general grant of one role counts also where another role names the record or action: a second role never takes
    away what the first one gives.
    """
    records = {record for grants in several for record in grants}
    merged: Grants = {}
    for record in records:
        named = {action for grants in several for name in (record, "*") for action in grants.get(name, ())}
        for action in {"*", *named}:
            granted = max((scope_in(grants, record, action) for grants in several), key=SCOPES.index)
            if action != "*" or granted != "none" or "*" in records:
                merged.setdefault(record, {})[action] = granted
    return merged


def lightest(several: list[Masks]) -> Masks:
    """A field is masked only when every role masks it; hidden by one and read-only by another, it is read-only."""
    merged: Masks = {}
    for record in set.intersection(*map(set, several)) if several else ():
        of_roles = [masks[record] for masks in several]
        hidden = set.intersection(*(set(mask.get("hidden", ())) for mask in of_roles))
        guarded = set.intersection(*({*mask.get("hidden", ()), *mask.get("read_only", ())} for mask in of_roles))
        for kind, fields in (("hidden", hidden), ("read_only", guarded - hidden)):
            if fields:
                merged.setdefault(record, {})[kind] = sorted(fields)
    return merged
