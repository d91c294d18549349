"""Identity owns tenants, users and the manager tree, teams, roles, API keys and sessions.

It publishes `identity.user.*`, `identity.team.*`, `identity.role.*`, `identity.api-key.*` and
`identity.tenant.created`. It listens to nobody. Every other service keeps copies of its users and teams.
"""
