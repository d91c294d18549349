"""The consistency check: whether the databases of all services agree with each other.

It asks each database as its `checker` role in plain SQL, never through the services, so that an error of theirs cannot
hide itself. Every rule says how many rows it looked at; one that found none to look at is "not checked", not passed.
"""
