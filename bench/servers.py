"""PostgreSQL as its operator sets it up where much is stored; what `suite.servers` starts by itself suits a laptop."""

OPERATED = {"shared_buffers": "2GB", "max_wal_size": "8GB"}
"""As docs/scaling.md advises. With a gigabyte of log, checkpoints come so often that most of what is written is whole
pages."""
