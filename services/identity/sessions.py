"""Signing in and out, and who a token stands for."""

from __future__ import annotations

from typing import Any

from chassis.context import Context, service_context
from chassis.database import Work
from chassis.errors import Problem, forbidden
from chassis.ids import new_id
from contracts.fields import parse_uuid
from services.identity import credentials
from services.identity.definitions import seed_numbering
from services.identity.models import User
from services.identity.people import api_keys, effective, set_password, tenants, users
from services.identity.seeds import seed_roles

JSON = dict[str, Any]
REFUSED = Problem(401, "wrong_credentials", "Tenant, e-mail or password is wrong.")


def _only(context: Context, *actors: str) -> None:
    if context.actor not in actors:
        raise forbidden("call", "this method")


def _text(params: JSON, *names: str) -> list[str]:
    values = [params.get(name) for name in names]
    if not all(isinstance(value, str) and 0 < len(value) <= 300 for value in values):
        raise Problem(
            422,
            "invalid",
            "Some fields are not valid.",
            errors=[{"field": n, "message": "Must be text."} for n in names],
        )
    return values  # type: ignore[return-value]


def login(runtime: Any, context: Context, params: JSON) -> JSON:
    """Tokens for tenant, e-mail and password. A wrong one of the three is told by nothing, not even by time."""
    _only(context, "service:gateway")
    slug, email, password = _text(params, "tenant", "email", "password")
    tenant = find_tenant(runtime, slug)
    hashed, user = None, None
    if tenant is not None:
        with runtime.database.reading(runtime.principal(tenant, "request")) as work:
            found = users.where(work, "email_key = %s AND status = 'active'", (email.lower(),))
            if found:
                user = found[0]
                hashed = work.sql(
                    "SELECT hash FROM passwords WHERE tenant_id = %s AND user_id = %s", (tenant, user.id)
                ).scalar()
    if not credentials.verified(hashed, password) or user is None or tenant is None:
        raise REFUSED
    with runtime.database.work(runtime.principal(tenant, "request")) as work:
        return {"status": 200, "body": _tokens(work, user.id, new_id())}


def _tokens(work: Work, user_id: str, family: str) -> JSON:
    access = credentials.issue(work, "access", user_id, family, work.now + credentials.ACCESS)
    refresh = credentials.issue(work, "refresh", user_id, family, work.now + credentials.REFRESH)
    return {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": int(credentials.ACCESS.total_seconds()),
        "refresh_token": refresh,
    }


def refresh(runtime: Any, context: Context, params: JSON) -> JSON:
    """New tokens for a refresh token. Each serves once: a second use means theft and ends the whole session."""
    _only(context, "service:gateway")
    (token,) = _text(params, "refresh_token")
    row = credentials.look_up(runtime.database, token)
    if row is None or row.kind != "refresh" or row.expires_at <= runtime.clock.now():
        raise Problem(401, "token_expired", "The refresh token is unknown or expired.")
    tenant = str(row.tenant_id)
    with runtime.database.work(runtime.principal(tenant, "request")) as work:
        fresh = work.sql(
            "UPDATE secrets SET used = true WHERE tenant_id = %s AND hash = %s AND NOT used RETURNING user_id",
            (tenant, row.hash),
        ).first()
        if fresh is None:
            work.sql("DELETE FROM secrets WHERE tenant_id = %s AND holder_id = %s", (tenant, row.holder_id))
        else:
            work.sql(
                "DELETE FROM secrets WHERE tenant_id = %s AND holder_id = %s AND kind = 'access'",
                (tenant, row.holder_id),
            )
            return {"status": 200, "body": _tokens(work, str(row.user_id), str(row.holder_id))}
    raise Problem(401, "token_reused", "This refresh token was used before; the session has ended.")


def logout(runtime: Any, context: Context, params: JSON) -> JSON:
    """End the session of the given token; other sessions of the user go on."""
    (token,) = _text(params, "token")
    row = credentials.look_up(runtime.database, token)
    if row is not None and str(row.tenant_id) == context.tenant and row.kind == "access":
        with runtime.database.work(context) as work:
            work.sql(
                "DELETE FROM secrets WHERE tenant_id = %s AND holder_id = %s AND kind <> 'key'",
                (context.tenant, row.holder_id),
            )
    return {"status": 204, "body": None}


def authenticate(runtime: Any, context: Context, params: JSON) -> JSON:
    """Who a bearer token stands for, with what that principal may do now."""
    _only(context, "service:gateway")
    (token,) = _text(params, "token")
    row = credentials.look_up(runtime.database, token)
    if row is None or row.kind == "refresh":
        raise Problem(401, "unauthenticated", "The token is unknown or has ended.")
    tenant = str(row.tenant_id)
    with runtime.database.reading(runtime.principal(tenant, "request")) as work:
        user = users.find(work, str(row.user_id))
        if user is None or user.status != "active":
            raise Problem(401, "unauthenticated", "The token's user is not active.")
        holder = api_keys.find(work, str(row.holder_id)) if row.kind == "key" else row
        if holder is None:
            raise Problem(401, "unauthenticated", "The key was deleted.")
        if holder.expires_at is not None and holder.expires_at <= runtime.clock.now():
            raise Problem(401, "token_expired", "The token is expired.")
        actor = f"key:{row.holder_id}" if row.kind == "key" else f"user:{row.user_id}"
        return {"status": 200, "body": _described(work, user, actor)}


def context_of(runtime: Any, context: Context, params: JSON) -> JSON:
    """What a user may do now, as `authenticate` answers it: for services that act for him without his token."""
    if not context.actor.startswith("service:"):
        raise forbidden("call", "this method")
    (user_id,) = _text(params, "user_id")
    with runtime.database.reading(context) as work:
        user = users.find(work, parse_uuid(user_id))
        if user is None or user.status != "active":
            raise Problem(404, "not_found", "There is no such active user.")
        return {"status": 200, "body": _described(work, user, f"user:{user.id}")}


def _described(work: Work, user: User, actor: str) -> JSON:
    grants, masks = effective(work, user)
    # Today and this quarter are the same days for everybody who looks at a list of this tenant.
    zone = work.sql("SELECT zone FROM tenants WHERE tenant_id = %s AND id = %s", (work.tenant, work.tenant)).scalar()
    return {
        "tenant": work.tenant,
        "actor": actor,
        "user_id": user.id,
        "teams": list(user.member_of or ()),
        "grants": grants,
        "masks": masks,
        "zone": zone or "UTC",
        "locale": user.locale,
    }


def me(runtime: Any, context: Context, params: JSON) -> JSON:
    """The signed-in user as `GET /v1/me` answers it."""
    with runtime.database.reading(context) as work:
        user = users.find(work, context.user_id or "00000000-0000-0000-0000-000000000000")
        tenant = tenants.find(work, context.tenant)
        if user is None or tenant is None:
            raise Problem(404, "not_found", "Only users have a profile.")
        named = work.sql(
            "SELECT id, name FROM teams WHERE tenant_id = %s AND id = ANY(%s::uuid[])",
            (work.tenant, list(user.member_of or ())),
        )
        roles = work.sql(
            "SELECT id, name FROM roles WHERE tenant_id = %s AND id = ANY(%s::uuid[])",
            (work.tenant, list(user.role_ids or ())),
        )
        return {
            "status": 200,
            "body": {
                "user": {name: user.wire()[name] for name in ("id", "name", "email", "title", "manager_id")},
                "tenant": {name: tenant.wire()[name] for name in ("id", "slug", "name", "currency", "zone")},
                "teams": [{"id": row.id, "name": row.name} for row in named],
                "roles": [{"id": row.id, "name": row.name} for row in roles],
                "grants": context.grants,
                "masks": context.masks,
                "locale": user.locale,
                "zone": user.zone,
            },
        }


def find_tenant(runtime: Any, slug: str) -> str | None:
    """The id of a tenant by its short name."""
    with runtime.database.operations() as connection:
        row = connection.exec_driver_sql(
            "SELECT id FROM tenants WHERE slug = %s AND deleted_at IS NULL", (slug,)
        ).first()
        return None if row is None else str(row.id)


def provision(runtime: Any, context: Context, params: JSON) -> JSON:
    """Make a tenant with its administrator, or give the one that has this short name. Operators only; repeatable."""
    _only(context, "service:operator")
    slug, _, _, _ = _text(params, "slug", "name", "email", "password")
    known = find_tenant(runtime, slug)
    if known is None:
        try:
            return {"status": 201, "body": _make_tenant(runtime, params)}
        except Problem as problem:
            # Two who make the same tenant at once meet at its short name: the later one finds what the other made.
            known = find_tenant(runtime, slug) if problem.code == "duplicate" else None
            if known is None:
                raise
    with runtime.database.work(service_context("operator", known, cause="request")) as work:
        # A release may have brought collections whose numbers this tenant has no rule for yet.
        tenant = tenants.find(work, known)
        seed_numbering(work, tenant.zone if tenant else "UTC")
    return {"status": 200, "body": {"tenant_id": known, "created": False}}


def _make_tenant(runtime: Any, params: JSON) -> JSON:
    tenant_id = new_id()
    with runtime.database.work(service_context("operator", tenant_id, cause="request")) as work:
        tenant = tenants.make(
            id=tenant_id,
            slug=params["slug"],
            name=params["name"],
            currency=params.get("currency") or "USD",
            zone=params.get("zone") or "UTC",
            locale=params.get("locale") or "en",
        )
        tenants.add(work, tenant)
        administrator = seed_roles(work)
        seed_numbering(work, tenant.zone)
        user = users.add(
            work,
            users.make(
                name=params.get("user_name") or "Administrator",
                email=params["email"],
                role_ids=[administrator],
                gets_copies=bool(params.get("gets_copies")),
            ),
        )
        set_password(work, user.id, params["password"])
        key = api_keys.add(work, api_keys.make(name="First key", user_id=user.id, owner_id=user.id))
        # Whoever provisions may bring the key, so that it is on his disk before it opens anything.
        secret = credentials.issue(work, "key", user.id, key.id, None, secret=params.get("api_key"))
        return {
            "tenant_id": tenant_id,
            "created": True,
            "user_id": user.id,
            "api_key": secret,
            "administrator_role_id": administrator,
        }
