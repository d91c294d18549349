"""The `guanxi` command: run the whole suite in one process, serve one service, migrate, import, check."""
