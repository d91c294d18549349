"""Identity owns tenants, users and the manager tree, teams, roles, API keys and sessions.

It publishes `identity.user.*`, `identity.team.*`, `identity.role.*`, `identity.api-key.*` and
`identity.tenant.created`. `identity.custom-field.*` and `identity.numbering-rule.*` say what a tenant has defined.
It listens to nobody. Every other service keeps copies of its users, teams and definitions.
"""
