"""Faults on the real stack: what breaks, what is asked meanwhile, and what must hold afterwards.

`python -m tests.faults.run F1 F3` runs chosen faults, `make test-faults` all of them. Each one runs an open-loop load
(`load`) through the gateway of a suite of separate processes (`stack`), breaks something (`schedules`), resolves every
unknown outcome by repeating its key, waits for quiescence, and compares each operation with its effects in the
databases (`history`). A TCP proxy (`proxy`) stands between services and broker, services and database, gateway and
broker.
"""
