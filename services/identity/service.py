"""Identity: a table of stores and calls. The rules are in `people`, `sessions` and `credentials`."""

from __future__ import annotations

from chassis.service import Service
from services.identity import sessions
from services.identity.people import api_keys, roles, teams, tenants, users


class Identity(Service):
    """Tenants, users, teams, roles, API keys and tokens."""

    name = "identity"
    stores = (tenants, teams, roles, users, api_keys)
    methods = {
        "identity.login": sessions.login,
        "identity.refresh": sessions.refresh,
        "identity.logout": sessions.logout,
        "identity.authenticate": sessions.authenticate,
        "identity.context_of": sessions.context_of,
        "identity.me": sessions.me,
        "identity.provision": sessions.provision,
    }


service = Identity
