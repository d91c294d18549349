"""Search has no records of its own: it indexes those of all others, by the weights they declare."""
