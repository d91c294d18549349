"""The HTTP edge: HTTP in, remote calls out. No rules and no database: it knows records by their contracts."""
