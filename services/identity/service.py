"""Identity: a table of stores and calls. The rules are in `people`, `sessions` and `credentials`."""

from __future__ import annotations

from chassis.service import Service
from contracts.erasing import ASKS
from services.identity import definitions, forgetting, sessions
from services.identity.definitions import custom_fields, numbering_rules, retention_rules, synonyms
from services.identity.people import api_keys, roles, teams, tenants, users
from services.identity.views import views


class Identity(Service):
    """Tenants, users, teams, roles, API keys, tokens, custom fields, numbering rules, synonyms and saved views."""

    name = "identity"
    stores = (tenants, teams, roles, users, api_keys, custom_fields, numbering_rules, retention_rules, synonyms, views)
    methods = {
        "identity.login": sessions.login,
        "identity.refresh": sessions.refresh,
        "identity.logout": sessions.logout,
        "identity.authenticate": sessions.authenticate,
        "identity.context_of": sessions.context_of,
        "identity.me": sessions.me,
        "identity.definitions": definitions.all_of,
        "identity.provision": sessions.provision,
    }
    asks = ((ASKS["identity"], forgetting.let_go),)


service = Identity
