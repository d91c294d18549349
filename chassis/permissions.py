"""What a principal may do: grants by record and action, masks by field. Applied by the record store, nowhere else."""

from __future__ import annotations

from typing import Any

from chassis.context import Context, Grants

SCOPES = ("none", "own", "team", "all")


def scope(context: Context, record: str, action: str) -> str:
    """What the principal is granted: `none`, `own`, `team` or `all`."""
    return scope_in(context.grants, record, action)


def scope_in(grants: Grants, record: str, action: str) -> str:
    """The most exact grant counts: record and action, record, action, everything."""
    for name in (record, "*"):
        granted = grants.get(name)
        if granted:
            for key in (action, "*"):
                if key in granted:
                    return granted[key] if granted[key] in SCOPES else "none"
    return "none"


def covers(context: Context, scope_name: str, owner_id: str | None, team_id: str | None) -> bool:
    """Whether a scope reaches a record of this owner and team."""
    if scope_name == "all":
        return True
    if scope_name == "none":
        return False
    if owner_id is not None and owner_id == context.user_id:
        return True
    return scope_name == "team" and team_id is not None and team_id in context.teams


def hidden(context: Context, record: str) -> frozenset[str]:
    """Fields of the record that this principal never sees."""
    return frozenset(field for name in (record, "*") for field in context.masks.get(name, {}).get("hidden", ()))


def read_only(context: Context, record: str) -> frozenset[str]:
    """Fields that this principal may not write; what is hidden is not writable either."""
    named = frozenset(field for name in (record, "*") for field in context.masks.get(name, {}).get("read_only", ()))
    return named | hidden(context, record)


def mask(context: Context, record: str, document: dict[str, Any]) -> dict[str, Any]:
    """A record's wire form without what is hidden; `custom.<name>` hides one custom field."""
    return without(hidden(context, record), document) if context.masks else document


def without(gone: frozenset[str], document: dict[str, Any]) -> dict[str, Any]:
    """A document without these fields."""
    if not gone:
        return document
    left = {name: value for name, value in document.items() if name not in gone}
    if left.get("custom"):
        left["custom"] = {name: value for name, value in left["custom"].items() if f"custom.{name}" not in gone}
    return left
